"""The door that serves the page, without a browser: what is there for whom, and in which form."""

import gzip
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from headrace.doors import errors, page

INDEX = "<!doctype html><title>The page</title>"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A page as the build leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "assets" / "index-abc.js").write_text("run()")
    (tmp_path / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(b"run()"))
    (tmp_path / "secret.txt").write_text("no file of the page's")
    return tmp_path


def client(folder: Path) -> httpx.AsyncClient:
    app = FastAPI()
    page.install(app, folder)
    errors.install(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


@pytest.mark.parametrize("path", ["/", "/chat", "/chat/17"])
async def test_the_page_stands_at_each_of_its_addresses(dist: Path, path: str) -> None:
    async with client(dist) as http:
        reply = await http.get(path)
    assert reply.text == INDEX
    assert reply.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in reply.headers["content-security-policy"]


async def test_an_asset_is_kept_for_ever_and_comes_compressed_to_who_can_read_that(dist: Path) -> None:
    async with client(dist) as http:
        zipped = await http.get("/page/assets/index-abc.js")
        plain = await http.get("/page/assets/index-abc.js", headers={"accept-encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.text == plain.text == "run()"
    assert plain.headers["cache-control"].endswith("immutable")
    assert plain.headers["content-type"].startswith("text/javascript")


async def test_what_a_browser_has_is_not_sent_again(dist: Path) -> None:
    async with client(dist) as http:
        first = await http.get("/")
        again = await http.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == httpx.codes.NOT_MODIFIED
    assert again.content == b""


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/secret.txt", "/page/../index.html", "/page/%2e%2e/x", "/chat/x"]
)
async def test_nothing_else_is_there(dist: Path, path: str) -> None:
    async with client(dist) as http:
        assert (await http.get(path)).status_code == httpx.codes.NOT_FOUND


async def test_where_no_page_was_built_there_is_one_that_signs_in(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        for path in ("/", "/chat", "/chat/17"):
            assert "/welcome.js" in (await http.get(path)).text


@pytest.mark.parametrize("path", ["/", "/chat", "/chat/17", "/page/assets/index-abc.js"])
def test_the_pages_paths_are_open_to_everyone(path: str) -> None:
    assert page.is_open(path)


@pytest.mark.parametrize("path", ["/api/v1/chats", "/chatter", "/pages", "/docs", "/api/chat/sessions"])
def test_no_other_path_is(path: str) -> None:
    assert not page.is_open(path)
