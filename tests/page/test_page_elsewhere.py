"""The page, where something is done in another tab, on another device or by a program."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from page.desk import Desk
from system.calls import Caller
from system.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEADY = " ".join(f"w{number}" for number in range(150))


@pytest_asyncio.fixture(loop_scope="session")
async def program(server: Running) -> AsyncIterator[Caller]:
    """A program that uses the same server."""
    async with Caller(server.url) as caller:
        yield caller


async def test_a_chat_that_is_made_elsewhere_stands_in_the_list_at_once(desk: Desk, program: Caller) -> None:
    await expect(desk.field).to_be_visible()
    chat_id = await program.chat(title="From a program")
    entry = desk.page.locator(f'a[href="/chat/{chat_id}"]')
    await expect(entry).to_be_attached()
    await program.http.patch(f"/chats/{chat_id}", json={"title": "By another name"})
    await expect(entry).to_have_text("By another name")
    await program.http.delete(f"/chats/{chat_id}")
    await expect(entry).not_to_be_attached()


async def test_what_is_said_elsewhere_is_shown_as_it_comes(
    context: BrowserContext, server: Running, program: Caller
) -> None:
    chat_id = await program.chat(title="Shared")
    desk = await Desk.at(context, f"{server.url}/chat/{chat_id}")
    await expect(desk.field).to_be_visible()
    await program.turn(chat_id, "From a program", model="script/steady")
    await expect(desk.page.locator("article.said")).to_have_text("From a program")
    await expect(desk.prose).to_contain_text("w3 ")
    assert await desk.whole() == STEADY


async def test_what_is_stopped_elsewhere_is_stopped_here(
    context: BrowserContext, server: Running, program: Caller
) -> None:
    chat_id = await program.chat()
    turn = await program.turn(chat_id, model="script/hang")
    desk = await Desk.at(context, f"{server.url}/chat/{chat_id}")
    await expect(desk.answer).to_have_attribute("aria-busy", "true")
    await program.stop(turn.run_id)
    await expect(desk.answer).to_contain_text("Stopped before the first word.")


async def test_what_is_removed_elsewhere_is_gone_here(
    context: BrowserContext, server: Running, program: Caller
) -> None:
    chat_id = await program.chat()
    turn = await program.answered(chat_id, model="script/echo")
    desk = await Desk.at(context, f"{server.url}/chat/{chat_id}")
    await expect(desk.answers).to_have_count(1)
    await program.http.delete(f"/messages/{turn.answer}")
    await expect(desk.answers).to_have_count(0)
    await program.http.delete(f"/chats/{chat_id}")
    await expect(desk.page.get_by_text("There is no such chat. It may have been deleted.")).to_be_visible()


async def test_eight_answers_come_at_once_into_one_browser(context: BrowserContext, server: Running) -> None:
    desks = await asyncio.gather(*(Desk.at(context, server.url) for _ in range(8)))
    for desk in desks:
        await desk.ask("steady")
        await expect(desk.page).to_have_url(re.compile(r"/chat/\d+$"))
    for desk in desks:
        await expect(desk.prose).to_contain_text("w1 ")
    for desk in desks:
        assert await desk.whole() == STEADY
