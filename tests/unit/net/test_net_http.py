"""What the fast client does beyond what both do: keeping connections, and mistrust of what comes over them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.raw import Peer, RawServer, reply_once
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError, SettingsError
from headrace.net import http
from headrace.net.port import Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
async def client() -> AsyncIterator[http.Client]:
    client = http.Client()
    yield client
    await client.close()


async def body(exchange: Exchange) -> bytes:
    try:
        return await exchange.read(1_000_000)
    finally:
        exchange.close()


async def test_https_is_not_for_this_client(client: http.Client) -> None:
    with pytest.raises(SettingsError, match="Only http URLs"):
        await client.open("GET", "https://127.0.0.1:1/v1")


@pytest.mark.parametrize("method", ["HEAD", "CONNECT", "get", "GET /evil HTTP/1.1\r\nX: "])
async def test_a_method_whose_reply_it_could_not_read_is_refused(client: http.Client, method: str) -> None:
    with pytest.raises(SettingsError, match="Not a method"):
        await client.open(method, "http://127.0.0.1:1/v1")


async def test_what_arrived_before_there_was_a_receiver_is_handed_over_at_once(client: http.Client) -> None:
    async with RawServer(reply_once(OK)) as server:
        exchange = await client.open("GET", server.url)
        await exchange.finished()
        pieces: list[bytes] = []
        exchange.receive(pieces.append)
        assert pieces == [b"ok"]


async def test_an_error_of_the_receiver_over_what_had_arrived_comes_out_at_the_end(client: http.Client) -> None:
    def refuse(_piece: bytes) -> None:
        raise KeyError

    async with RawServer(reply_once(OK)) as server:
        exchange = await client.open("GET", server.url)
        await exchange.finished()
        exchange.receive(refuse)
        with pytest.raises(KeyError):
            await exchange.finished()


async def later(peer: Peer, begun: asyncio.Event) -> None:
    """Send a head, and the whole body in one piece once the receiver is there."""
    await peer.request()
    await peer.send(OK[:-2])
    await begun.wait()
    await peer.send(OK[-2:])
    await peer.gone()


async def test_an_error_of_the_receiver_over_what_comes_later_ends_the_exchange(client: http.Client) -> None:
    def refuse(_piece: bytes) -> None:
        raise KeyError

    begun = asyncio.Event()
    async with RawServer(lambda peer: later(peer, begun)) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(refuse)
        begun.set()
        with pytest.raises(KeyError):
            await exchange.finished()
        await server.until(lambda: server.left == 1)


async def test_a_receiver_may_close_its_exchange(client: http.Client) -> None:
    begun = asyncio.Event()
    async with RawServer(lambda peer: later(peer, begun)) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(lambda _piece: exchange.close())
        begun.set()
        with pytest.raises(ProviderError):
            await exchange.finished()
        await server.until(lambda: server.left == 1)


async def test_a_body_without_a_receiver_makes_the_server_wait(client: http.Client) -> None:
    sent = 0

    async def serve(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
        for _ in range(40):
            await peer.send(bytes(1_000_000))
            sent += 1

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        for _ in range(300):
            await asyncio.sleep(0)
        assert sent < 40
        assert len(await exchange.read(40_000_000)) == 40_000_000


async def test_a_reset_is_no_end_of_a_body_that_ends_with_its_connection(client: http.Client) -> None:
    arrived = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await arrived.wait()
        peer.reset()

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(lambda _piece: arrived.set())
        with pytest.raises(ProviderError) as caught:
            await exchange.finished()
    assert caught.value.code == "upstream_closed"


async def test_closing_the_client_is_no_end_of_a_body_that_ends_with_its_connection(client: http.Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await peer.gone()

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        await client.close()
        with pytest.raises(ProviderError) as caught:
            await exchange.finished()
    assert caught.value.code == "upstream_closed"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"more",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["close", "HTTP/1.0", "surplus", "a second reply"],
)
async def test_a_connection_is_not_used_again_after(client: http.Client, reply: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply)
        await peer.gone()

    async with RawServer(serve) as server:
        for _ in range(2):
            assert await body(await client.open("GET", server.url)) == b"ok"
        assert server.connections == 2


async def test_bytes_that_nobody_asked_for_end_a_kept_connection(client: http.Client) -> None:
    evil = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await evil.wait()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.gone()

    async with RawServer(serve) as server:
        assert await body(await client.open("GET", server.url)) == b"ok"
        evil.set()
        await server.until(lambda: server.left == 1)
        assert await body(await client.open("GET", server.url)) == b"ok"
        assert server.connections == 2


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(client: http.Client) -> None:
    async with RawServer(reply_once(OK)) as server:
        for _ in range(2):
            assert await body(await client.open("GET", server.url)) == b"ok"
        assert server.connections == 2


async def test_a_reply_that_ends_while_it_is_paused_leaves_a_connection_that_reads(client: http.Client) -> None:
    waiting = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK[:-2])
        await waiting.wait()
        await peer.send(OK[-2:])
        await peer.request()
        await peer.send(OK)

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(lambda _piece: exchange.pause())
        waiting.set()
        await exchange.finished()
        assert await body(await client.open("GET", server.url)) == b"ok"
        assert server.connections == 1


async def test_a_connection_is_kept_for_a_while_only() -> None:
    client = http.Client(idle_s=0.2)
    async with FakeUpstream() as upstream:
        await body(await client.open("GET", f"{upstream.base_url}/models"))
        assert upstream.open_connections == 1
        await upstream.until(lambda: upstream.open_connections == 0)
    await client.close()


async def test_at_most_256_connections_are_kept(client: http.Client) -> None:
    async with FakeUpstream() as upstream:
        url = f"{upstream.base_url}/models"
        exchanges = await asyncio.gather(*(client.open("GET", url) for _ in range(260)))
        await asyncio.gather(*(body(exchange) for exchange in exchanges))
        assert upstream.connections == 260
        await upstream.until(lambda: upstream.open_connections == 256)


async def test_connections_are_kept_for_their_own_server_only(client: http.Client) -> None:
    async with FakeUpstream() as one, FakeUpstream() as other:
        for upstream in (one, other, one, other):
            await body(await client.open("GET", f"{upstream.base_url}/models"))
        assert (one.connections, other.connections) == (1, 1)


@pytest.mark.parametrize(
    "endless",
    [b"X-More: x\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"],
    ids=["headers", "interim replies"],
)
async def test_a_head_without_end_is_garbled(client: http.Client, endless: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        if endless.startswith(b"X"):
            await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(endless)

    async with RawServer(serve) as server:
        with pytest.raises(ProviderError) as caught:
            await client.open("GET", server.url)
    assert caught.value.code == "upstream_garbled"


async def test_a_trailer_without_end_is_garbled(client: http.Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
        while True:
            await peer.send(b"X-More: x\r\n")

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        with pytest.raises(ProviderError) as caught:
            await body(exchange)
    assert caught.value.code == "upstream_garbled"


async def test_three_hundred_exchanges_go_on_side_by_side(client: http.Client) -> None:
    async with FakeUpstream() as upstream:
        url = f"{upstream.base_url}/chat/completions"
        exchanges = await asyncio.gather(
            *(client.open("POST", url, body=b'{"model": "text-r0-n20"}') for _ in range(300))
        )
        bodies = await asyncio.gather(*(body(exchange) for exchange in exchanges))
        assert upstream.connections == 300
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"data: ") == 24
