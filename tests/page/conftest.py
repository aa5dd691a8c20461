"""A browser, and one server for all tests of the page that do not kill it."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from page.desk import Desk
from page.scripts import write_scripts
from system.running import Running, config

ROOT = Path(__file__).resolve().parents[2]
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 800}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the page's tests in one worker each module; skip them where there is no browser."""
    for item in items:
        if "tests/page/" in item.nodeid and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="there is no Chromium here: install it, or name it in CHROMIUM"))


@pytest.fixture(scope="session")
def built() -> None:
    """The page, built from its sources as they are."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "build_page.py")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"the page cannot be built here: {done.stderr[-300:]}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield running
        await running.close()


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripts of `page.scripts`."""
    return write_scripts(tmp_path_factory.mktemp("page-scripts"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory, scripts: Path, built: None) -> AsyncIterator[Running]:
    """A server with the provider `script`."""
    del built
    async with Running(tmp_path_factory.mktemp("page-server"), config(scripts=scripts)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session", params=[WIDE, NARROW], ids=["wide", "narrow"])
async def context(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser of a person's own, at a desk and on a telephone."""
    narrow = request.param is NARROW
    opened = await browser.new_context(
        viewport=request.param, color_scheme="dark" if narrow else "light", has_touch=narrow
    )
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(context: BrowserContext, server: Running) -> Desk:
    """The page, open at `/`."""
    return await Desk.at(context, server.url)
