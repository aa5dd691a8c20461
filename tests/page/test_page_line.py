"""The page, where the way to the server or the server itself goes away in mid-answer."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, expect

from page.desk import Desk
from page.line import Line
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEADY = " ".join(f"w{number}" for number in range(150))


async def test_a_network_that_comes_back_brings_the_rest(context: BrowserContext, server: Running) -> None:
    async with Line() as line:
        line.lead_to(server.url)
        desk = await Desk.at(context, line.url)
        await desk.ask("steady")
        await expect(desk.prose).to_contain_text("w5 ")
        line.cut()
        await expect(desk.notice).to_be_visible()
        await desk.shot("notice")
        line.lead_to(server.url)
        await expect(desk.notice).to_be_hidden()
        assert await desk.whole() == STEADY
        await desk.page.close()


async def test_a_short_break_is_not_worth_a_notice(context: BrowserContext, server: Running) -> None:
    async with Line() as line:
        line.lead_to(server.url)
        desk = await Desk.at(context, line.url)
        await expect(desk.field).to_be_visible()
        await desk.page.evaluate(_WATCH)
        await desk.ask("steady")
        await expect(desk.prose).to_contain_text("w5 ")
        line.cut()
        line.lead_to(server.url)
        assert await desk.whole() == STEADY
        assert await desk.page.evaluate("window.noticed") is False
        await desk.page.close()


async def test_a_server_that_is_killed_leaves_the_text_and_continue_ends_it(
    context: BrowserContext, tmp_path: Path, scripts: Path, built: None
) -> None:
    del built
    server = Running(tmp_path, config(scripts=scripts))
    async with server.doomed(), Line() as line:
        await server.start()
        line.lead_to(server.url)
        desk = await Desk.at(context, line.url)
        await desk.ask("steady")
        await expect(desk.prose).to_contain_text("w20 ")
        line.cut()
        await server.kill()
        await expect(desk.notice).to_be_visible()
        await expect(desk.prose).to_contain_text("w20 ")
        await desk.shot("killed")
        await server.start()
        line.lead_to(server.url)
        await expect(desk.notice).to_be_hidden()
        await expect(desk.answer).to_contain_text("The server went down in the middle of this answer.")
        await desk.shot("interrupted")
        await desk.button("Continue").click()
        assert await desk.whole() == STEADY
        await desk.page.close()


async def test_what_is_sent_while_there_is_no_server_is_sent_when_there_is(
    context: BrowserContext, server: Running
) -> None:
    async with Line() as line:
        line.lead_to(server.url)
        desk = await Desk.at(context, line.url)
        await expect(desk.field).to_be_visible()
        await expect(desk.page.get_by_role("option", name="script/echo")).to_be_attached()
        line.cut()
        await desk.ask("echo", "patience")
        await expect(desk.notice).to_be_visible()
        line.lead_to(server.url)
        await expect(desk.prose).to_have_text("patience")
        assert await desk.page.locator("article").count() == 2
        await desk.page.close()


async def test_twenty_tabs_show_one_answer_over_one_stream(browser: Browser, server: Running) -> None:
    async with Line() as line, await browser.new_context() as context:
        line.lead_to(server.url)
        first = await Desk.at(context, line.url)
        await first.ask("steady")
        await expect(first.page).to_have_url(re.compile(r"/chat/\d+$"))
        others = await asyncio.gather(*(Desk.at(context, first.page.url) for _ in range(19)))
        for desk in (first, *others):
            assert await desk.whole() == STEADY


@pytest.mark.parametrize(
    "missing",
    ["delete window.SharedWorker", "delete window.SharedWorker; delete Navigator.prototype.locks"],
    ids=["elected", "alone"],
)
async def test_without_a_shared_worker_a_tab_that_is_left_goes_on(
    browser: Browser, server: Running, missing: str
) -> None:
    async with await browser.new_context() as context:
        await context.add_init_script(missing)
        first = await Desk.at(context, server.url)
        await first.ask("steady")
        await expect(first.prose).to_contain_text("w3 ")
        other = await Desk.at(context, first.page.url)
        await expect(other.prose).to_contain_text("w9 ")
        await first.page.close()
        assert await other.whole() == STEADY


_WATCH = """() => {
  window.noticed = false;
  new MutationObserver(() => {
    if (document.querySelector(".notices p:not([hidden])")?.textContent) window.noticed = true;
  }).observe(document.querySelector(".notices"), { subtree: true, childList: true, attributes: true });
}"""
