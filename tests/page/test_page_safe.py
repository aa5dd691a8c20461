"""What a model writes is hostile: nothing of it runs in the page, and nothing is fetched for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from page.desk import Desk
from page.scripts import write_scripts
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def sink() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that nobody must ever call: its name, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_nothing_that_a_model_writes_runs_or_is_fetched(
    context: BrowserContext, tmp_path: Path, sink: tuple[str, list[bytes]], built: None
) -> None:
    del built
    name, asked = sink
    folder = tmp_path / "scripts"
    folder.mkdir()
    async with Running(tmp_path, config(scripts=write_scripts(folder, sink=name))) as server:
        desk = await Desk.at(context, server.url)
        dialogs: list[str] = []
        desk.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        await desk.ask("hostile")
        await desk.whole()
        await expect(desk.prose.locator("math").first).to_be_attached()
        for _ in range(2):
            await desk.prose.get_by_role("button", name="Show diagram").first.click()
        await expect(desk.prose.get_by_role("img", name="Diagram")).to_have_count(2)
        await desk.prose.locator("a", has_text="good").hover()
        links = await desk.prose.locator("a").evaluate_all("all => all.map((each) => each.getAttribute('href'))")
        assert [link for link in links if not link.startswith(("http://", "https://"))] == []
        assert await desk.prose.locator("a", has_text="own").count() == 0
        assert await desk.prose.locator("script, style, link, svg:not(.icon), object, embed, form").count() == 0
        assert await desk.prose.evaluate(_HANDLERS) == []
        assert await desk.page.evaluate("window.pwned") is None
        assert dialogs == []
        assert asked == []
        assert [url for url in desk.requests if not url.startswith((server.url, "data:", "blob:"))] == []
        await desk.shot("hostile")


async def test_the_pages_files_say_what_a_browser_may_do(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        page = await http.get("/")
        for path in ("/", "/chat", "/chat/7"):
            assert (await http.get(path)).text == page.text
        assert page.status_code == httpx.codes.OK
        policy = page.headers["content-security-policy"].split("; ")
        assert {"default-src 'self'", "img-src 'self' data: blob:", "style-src 'self'"} <= set(policy)
        assert not [each for each in policy if "unsafe" in each]
        assert page.headers["cache-control"] == "no-cache"
        script = page.text.partition('src="')[2].partition('"')[0]
        asset = await http.get(script)
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert asset.headers["content-encoding"] == "gzip"
        again = await http.get(script, headers={"if-none-match": asset.headers["etag"]})
        assert again.status_code == httpx.codes.NOT_MODIFIED
        frame = await http.get("/page/diagram.html")
        assert "sandbox allow-scripts" in frame.headers["content-security-policy"]


async def test_the_first_load_is_small_and_all_from_here(context: BrowserContext, server: Running) -> None:
    page = await context.new_page()
    sizes: dict[str, int] = {}

    async def note(name: str) -> None:
        async with httpx.AsyncClient(trust_env=False) as http, http.stream("GET", name) as reply:
            sizes[name] = sum([len(piece) async for piece in reply.aiter_raw()])

    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    await page.goto(server.url)
    await expect(page.get_by_role("textbox", name="Message")).to_be_visible()
    assert [url for url in urls if not url.startswith(server.url)] == []
    for url in urls:
        if "/api/" not in url:
            await note(url)
    assert 0 < sum(sizes.values()) <= 350_000, sizes


_HANDLERS = """root => [...root.querySelectorAll("*")].flatMap((element) =>
  element.getAttributeNames().filter((name) => name.startsWith("on")))"""
