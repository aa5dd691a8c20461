"""Behind an nginx that nobody has told of streams, the five contracts' doors still show each token as it is made."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, marked
from system.contracts import DOORS, parsed, said_in
from system.proxies import STOCK, nginx
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKENS = 60  # of `script/steady`, 20 ms apart
PACKED = {"Accept-Encoding": "gzip"}

ALL = pytest.mark.parametrize("name", DOORS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxied(
    tmp_path_factory: pytest.TempPathFactory, caller: Caller, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Caller]:
    """A client of the same server, through the proxy."""
    port = unused_tcp_port_factory()
    text = STOCK.format(port=port, server=caller.url)
    async with nginx(tmp_path_factory.mktemp("nginx"), port, text) as url, Caller(url) as calling:
        yield calling


async def pieces_by_read(wire: Wire, name: str) -> list[str]:
    """Read to the end; return the text of each read that had any, as a front end would show it."""
    unpack = zlib.decompressobj(wbits=31).decompress if "content-encoding" in wire.headers else bytes
    texts = []
    while not wire.ended:
        texts.append(DOORS[name].pieces(parsed(unpack(await wire.read()))))
    return [text for text in texts if text]


@pytest.mark.parametrize("headers", [{}, PACKED], ids=["plain", "gzip"])
async def test_tokens_come_one_by_one_through_stock_nginx(
    caller: Caller, proxied: Caller, headers: dict[str, str]
) -> None:
    async def shown(name: str) -> list[str]:
        door, chat = DOORS[name], await caller.chat()
        async with await door.open(proxied, chat, "Hello", headers, model="script/steady") as wire:
            assert (wire.status, wire.headers.get("content-encoding")) == (200, "gzip" if headers else None)
            assert "no-transform" in wire.headers["cache-control"]
            return await pieces_by_read(wire, name)

    for pieces in await asyncio.gather(*map(shown, DOORS)):
        assert "".join(pieces) == "".join(f"{number} " for number in range(TOKENS))
        assert len(pieces) > TOKENS / 2, "nearly each token came alone"


@ALL
async def test_the_head_does_not_wait_for_the_model_behind_stock_nginx(
    caller: Caller, proxied: Caller, upstream: FakeUpstream, name: str
) -> None:
    content = marked()
    async with await DOORS[name].open(proxied, await caller.chat(), content, model="box/silent") as wire:
        assert wire.status == 200
        assert (await asked(upstream, content)).sent == 0
        run_id = wire.headers["headrace-run"]

        assert await caller.stop(run_id) == "stopped"

        assert said_in(await wire.rest())[-1]["stopped"] is True


@ALL
async def test_hanging_up_on_stock_nginx_stops_the_answer(
    caller: Caller, proxied: Caller, upstream: FakeUpstream, name: str
) -> None:
    content = marked()
    wire = await DOORS[name].open(proxied, await caller.chat(), content, model="box/silent-after-2")
    request = await asked(upstream, content)

    wire.close()

    await upstream.until(lambda: request.closed_at is not None)
    assert (await caller.frames(wire.headers["headrace-run"]))[-1].data["by"] == "disconnect"
