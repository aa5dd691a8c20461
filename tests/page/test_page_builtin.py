"""The page before the model that comes with Headrace: a conversation as a newcomer has it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from page.desk import Desk
from system.people import client
from system.running import Running

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.engine]

MODEL_MS = 60_000


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def bare(tmp_path_factory: pytest.TempPathFactory, built: None) -> AsyncIterator[Running]:
    """A server with nothing but what comes along."""
    del built
    folder = tmp_path_factory.mktemp("bare-page")
    async with Running(folder, "", env={"HEADRACE_MODELS_DEMONSTRATION": "true"}) as server:
        yield server


async def test_a_newcomer_asks_and_sees_what_it_took(context: BrowserContext, bare: Running) -> None:
    async with client(bare.url) as http:  # so small a model tells a whole story where nothing is left to chance
        chat = (await http.post("/chats", json={"parameters": {"temperature": 0}})).json()["id"]
    desk = await Desk.at(context, f"{bare.url}/chat/{chat}")
    await desk.field.fill("Tell me a short story")
    await desk.field.press("Enter")
    assert len((await desk.whole(within_ms=MODEL_MS)).split()) >= 50
    figures = desk.answer.locator(".figures")
    await expect(figures).to_contain_text("builtin/headrace-tiny")
    for figure in ("first after", "tok/s", " in", " out", "% of context"):
        await expect(figures).to_contain_text(figure)
    await expect(figures).not_to_contain_text("~")
    await desk.shot("builtin")
    assert desk.faults == []


async def test_a_story_is_stopped_and_continued(context: BrowserContext, bare: Running) -> None:
    desk = await Desk.at(context, bare.url)
    await desk.field.fill("Tell me a short story")
    await desk.field.press("Enter")
    await expect(desk.prose).to_contain_text(" ")
    await desk.field.press("Escape")
    begun = await desk.whole(within_ms=MODEL_MS)
    if await desk.button("Continue").is_visible():  # a fast machine may have ended it before
        await desk.button("Continue").click()
        assert (await desk.whole(within_ms=MODEL_MS)).startswith(begun)
