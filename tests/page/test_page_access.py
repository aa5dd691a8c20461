"""The page for everyone: by keyboard, for screen readers, in both lights; and who may use it."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, expect

from page.desk import Desk
from system.people import first_admin, invitation, invited
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


async def problems(desk: Desk) -> list[dict[str, Any]]:
    """Return what axe holds against the page as it is."""
    # not by a script element, which the page's own policy refuses
    await desk.page.evaluate(AXE.read_text() + "; undefined")
    found: list[dict[str, Any]] = await desk.page.evaluate(
        "async () => (await axe.run()).violations.map(({id, impact, nodes}) =>"
        " ({id, impact, nodes: nodes.map(({html, failureSummary}) => html.slice(0, 200) + failureSummary)}))"
    )
    return found


async def test_axe_finds_nothing(desk: Desk) -> None:
    await expect(desk.field).to_be_visible()
    assert await problems(desk) == []
    await desk.ask("hang")
    await expect(desk.answer).to_contain_text("Waiting")
    assert await problems(desk) == []
    await desk.button("Stop").click()
    await desk.ask("breaks")
    await expect(desk.answer).to_contain_text("The model hung up.")
    await desk.ask("rich")
    await desk.whole()
    await expect(desk.prose.locator("math").first).to_be_attached()
    await expect(desk.prose.locator(".hljs-keyword").first).to_be_visible()
    assert await problems(desk) == []


async def test_everything_is_done_by_keyboard(desk: Desk) -> None:
    await expect(desk.field).to_be_visible()
    await desk.field.focus()
    await desk.page.keyboard.type("one")
    await desk.page.keyboard.press("Shift+Enter")
    await desk.page.keyboard.type("two")
    assert await desk.field.input_value() == "one\ntwo"
    await desk.page.keyboard.press("Tab")
    await desk.page.keyboard.type("script/echo")
    await desk.page.keyboard.press("Shift+Tab")
    await desk.page.keyboard.press("Enter")
    assert await desk.whole() == "one two"
    names = set()
    for _ in range(14):
        await desk.page.keyboard.press("Shift+Tab")
        names.add(await desk.page.evaluate(_FOCUSED))
    assert {"Copy answer", "Regenerate", "Delete", "Edit", "Copy message", "Conversation"} <= names
    while await desk.page.evaluate(_FOCUSED) != "Regenerate":
        await desk.page.keyboard.press("Tab")
    await desk.page.keyboard.press("Enter")
    await expect(desk.answer.locator(".branches")).to_have_text("2/2")


async def test_a_screen_reader_hears_the_end_and_not_the_words(desk: Desk) -> None:
    await desk.ask("short")
    await expect(desk.page.get_by_role("log")).to_have_attribute("aria-live", "off")
    await expect(desk.page.locator(".spoken")).to_have_text("The answer is complete.")


async def test_with_reduced_motion_nothing_moves_and_the_cursor_stands(desk: Desk) -> None:
    await desk.page.emulate_media(reduced_motion="reduce")
    await desk.ask("steady")
    await expect(desk.prose).to_contain_text("w3 ")
    assert await desk.page.evaluate("document.getAnimations().length") == 0
    cursor = "element => getComputedStyle(element.querySelector('p:last-child'), '::after').width"
    assert await desk.prose.evaluate(cursor) != "auto"


async def test_the_list_of_chats_opens_finds_its_way_and_deletes(desk: Desk) -> None:
    await desk.ask("echo", "to be deleted")
    await desk.whole()
    menu = desk.page.get_by_role("button", name="Chats")
    if await menu.is_visible():
        await menu.click()
        await desk.shot("menu")
    await desk.page.get_by_role("button", name="New chat").click()
    await expect(desk.page).to_have_url(re.compile(r"/chat$"))
    await desk.page.go_back()
    await expect(desk.prose).to_have_text("to be deleted")
    if await menu.is_visible():
        await menu.click()
    entry = desk.page.get_by_role("listitem").filter(has_text="to be deleted").first
    await entry.hover()
    await entry.get_by_role("button", name="Delete chat").click()
    await desk.page.get_by_role("navigation").get_by_role("button", name="Delete", exact=True).click()
    await expect(desk.page).to_have_url(re.compile(r"/chat$"))


async def test_a_link_signs_in_and_out_and_an_invitation_asks_for_a_name(
    context: BrowserContext, tmp_path: Path, built: None
) -> None:
    del built
    async with Running(tmp_path, config(server={"access": True})) as server:
        link = await server.until(lambda: re.search(r"http://\S+/#signin=\S+", server.text))
        desk = await Desk.at(context, link[0])
        await expect(desk.field).to_be_visible()
        assert "signin" not in desk.page.url
        menu = desk.page.get_by_role("button", name="Chats")
        if await menu.is_visible():
            await menu.click()
        await desk.button("Sign out").click()
        await expect(desk.page.get_by_label("Token")).to_be_visible()
        assert await problems(desk) == []
        await desk.shot("sign-in")
        await desk.page.get_by_label("Token").fill("hrt_wrong")
        await desk.button("Sign in").click()
        await expect(desk.page.get_by_role("alert")).not_to_be_empty()


async def test_who_signs_in_next_sees_nothing_of_who_was_there_before(
    context: BrowserContext, tmp_path: Path, scripts: Path, built: None
) -> None:
    del built
    async with Running(tmp_path, config(scripts=scripts, server={"access": True})) as server:
        ada = await first_admin(server)
        bob = await invited(ada, "bob")
        desk = await Desk.at(context, server.url)
        await desk.sign_in(ada.token)
        await desk.ask("short")
        await desk.whole()
        await desk.field.fill("nobody is to read this")
        menu = desk.page.get_by_role("button", name="Chats")
        if await menu.is_visible():
            await menu.click()
        await desk.button("Sign out").click()
        await desk.page.route("**/api/v1/chats/*", lambda _: None)  # bob's own chat has yet to come
        await desk.sign_in(bob.token)
        await expect(desk.field).to_have_value("")
        await expect(desk.prose).to_have_count(0)
        await desk.page.unroute_all(behavior="ignoreErrors")


async def test_somebody_who_is_invited_chooses_a_name(context: BrowserContext, tmp_path: Path, built: None) -> None:
    del built
    async with Running(tmp_path, config(server={"access": True})) as server:
        admin = await first_admin(server)
        secret = await invitation(admin)
        desk = await Desk.at(context, f"{server.url}/#signin={secret}")
        await desk.page.get_by_label("Name").fill("grace")
        await desk.button("Join").click()
        await expect(desk.field).to_be_visible()


async def test_without_streaming_an_answer_is_shown_once_it_is_complete(
    context: BrowserContext, tmp_path: Path, scripts: Path, built: None
) -> None:
    del built
    async with Running(tmp_path, config(scripts=scripts), env={"ENABLE_STREAMING": "false"}) as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            assert (await http.get("/api/config")).json() == {"streaming": False}
        desk = await Desk.at(context, server.url)
        await expect(desk.field).to_be_visible()
        await desk.ask("short")
        await expect(desk.answer).to_contain_text("Writing")
        await expect(desk.prose).to_have_count(0)
        assert await desk.whole() == " ".join(f"w{number}" for number in range(30))


_FOCUSED = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"
