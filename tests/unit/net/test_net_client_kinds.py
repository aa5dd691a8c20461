"""What both clients promise: the fast one, and aiohttp's."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from fakes.raw import Peer, RawServer, reply_once
from headrace.core.errors import ProviderError, SettingsError
from headrace.net import http, https
from headrace.net.port import Exchange, Transport

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(params=[http.Client, https.Client])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    transport: Transport = request.param()
    yield transport
    await transport.close()


async def received(exchange: Exchange) -> bytes:
    """Return the whole body as the callback got it, and close."""
    pieces: list[bytes] = []
    exchange.receive(pieces.append)
    try:
        await exchange.finished()
    finally:
        exchange.close()
    return b"".join(pieces)


async def failure(client: Transport, *reply: bytes) -> tuple[ProviderError, bytes]:
    """Return the error of an exchange with a server that sends this, and the body up to it."""
    pieces: list[bytes] = []

    async def exchange_it() -> None:
        exchange = await client.open("GET", server.url)
        exchange.receive(pieces.append)
        try:
            await exchange.finished()
        finally:
            exchange.close()

    async with RawServer(reply_once(*reply)) as server:
        with pytest.raises(ProviderError) as caught:
            await exchange_it()
        assert f"127.0.0.1:{server.port}" in caught.value.message
    return caught.value, b"".join(pieces)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome bytes",
        CHUNKED + b"5\r\nsome \r\n5;x=y\r\nbytes\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nsome bytes",
        b"HTTP/1.0 200 OK\r\n\r\nsome bytes",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome bytes",
    ],
    ids=["length", "chunked", "until the end", "HTTP/1.0", "after an interim reply"],
)
async def test_a_body_is_handed_over_whole(client: Transport, reply: bytes) -> None:
    async with RawServer(reply_once(reply)) as server:
        exchange = await client.open("GET", server.url)
        assert exchange.status == 200
        assert await received(exchange) == b"some bytes"


async def test_a_body_in_any_pieces_is_handed_over_in_order(client: Transport) -> None:
    reply = CHUNKED + b"".join(b"%x\r\n%d,\r\n" % (len(b"%d," % n), n) for n in range(20)) + b"0\r\n\r\n"
    async with RawServer(reply_once(*(reply[at : at + 1] for at in range(len(reply))))) as server:
        exchange = await client.open("GET", server.url)
        assert await received(exchange) == b"".join(b"%d," % n for n in range(20))


async def test_an_empty_body_ends_at_once(client: Transport) -> None:
    async with RawServer(reply_once(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        exchange = await client.open("DELETE", server.url)
        assert (exchange.status, await received(exchange)) == (204, b"")


async def test_headers_have_lower_case_names_and_repeated_ones_are_joined(client: Transport) -> None:
    head = b"HTTP/1.1 418 Teapot\r\nX-One: 1\r\nX-Many: a\r\nx-many: b\r\nContent-Length: 0\r\n\r\n"
    async with RawServer(reply_once(head)) as server:
        exchange = await client.open("GET", server.url)
        exchange.close()
    assert exchange.status == 418
    assert {"x-one": "1", "x-many": "a, b"}.items() <= dict(exchange.headers).items()


async def test_a_request_goes_out_as_it_was_asked_for(client: Transport) -> None:
    came: list[tuple[bytes, bytes]] = []

    async def serve(peer: Peer) -> None:
        came.append(await peer.request())
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with RawServer(serve) as server:
        exchange = await client.open("POST", server.url + "/x?y=1", headers={"X-Key": "k"}, body=b'{"a": 1}')
        exchange.close()
    (head, body) = came[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/x?y=1 HTTP/1.1"
    assert {f"Host: 127.0.0.1:{server.port}", "X-Key: k", "Accept-Encoding: identity"} <= set(lines)
    assert not any(line.lower().startswith("cookie") for line in lines)
    assert body == b'{"a": 1}'


async def test_a_large_request_arrives_whole(client: Transport) -> None:
    sizes: list[int] = []

    async def serve(peer: Peer) -> None:
        sizes.append(len((await peer.request())[1]))
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with RawServer(serve) as server:
        exchange = await client.open("POST", server.url, body=bytes(8_000_000))
        exchange.close()
    assert sizes == [8_000_000]


@pytest.mark.parametrize(
    "reply",
    [CHUNKED + b"4\r\nsome\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome"],
    ids=["chunked", "length"],
)
async def test_a_short_body_is_closed_after_what_arrived(client: Transport, reply: bytes) -> None:
    error, body = await failure(client, reply)
    assert (error.code, body) == ("upstream_closed", b"some")


async def test_a_reset_in_mid_answer_is_closed_after_what_arrived(client: Transport) -> None:
    arrived = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(CHUNKED + b"4\r\nsome\r\n")
        await arrived.wait()  # an RST overtakes what was not read yet
        peer.reset()

    def take(piece: bytes) -> None:
        assert piece == b"some"
        arrived.set()

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(take)
        with pytest.raises(ProviderError) as caught:
            await exchange.finished()
        exchange.close()
    assert (caught.value.code, arrived.is_set()) == ("upstream_closed", True)


async def test_no_reply_at_all_is_closed(client: Transport) -> None:
    error, _ = await failure(client)
    assert error.code == "upstream_closed"


async def test_half_a_head_is_closed(client: Transport) -> None:
    error, _ = await failure(client, b"HTTP/1.1 200 OK\r\nX-Half")
    assert error.code == "upstream_closed"


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: x\r\n" * 10_000 + b"\r\n",
    ],
    ids=["ssh", "tls", "bad length", "gzip", "long header", "many headers"],
)
async def test_what_is_not_http_as_asked_for_is_garbled(client: Transport, reply: bytes) -> None:
    error, _ = await failure(client, reply)
    assert error.code == "upstream_garbled"


async def test_garbage_within_a_body_is_garbled(client: Transport) -> None:
    error, _ = await failure(client, CHUNKED + b"4\r\nsome\r\nzz\r\n")
    assert error.code == "upstream_garbled"


async def test_a_port_where_nothing_listens_is_refused_with_its_address(client: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ProviderError) as caught:
            await client.open("GET", f"http://127.0.0.1:{port}/v1")
    assert caught.value.code == "upstream_refused"
    assert f"127.0.0.1:{port}: nothing listens there" in caught.value.message
    assert "base_url" in caught.value.message


async def test_an_unknown_host_is_refused_by_name(client: Transport) -> None:
    with pytest.raises(ProviderError, match=r"no-such-host\.invalid:80.*not known") as caught:
        await client.open("GET", "http://no-such-host.invalid/v1")
    assert caught.value.code == "upstream_refused"


@pytest.mark.parametrize("kind", [http.Client, https.Client])
async def test_connecting_is_bounded_in_time(kind: type[http.Client | https.Client]) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.create_connection(address):  # takes the only place in the queue
            client = kind(connect_timeout_s=0.05)
            with pytest.raises(ProviderError, match="no answer in time") as caught:
                await client.open("GET", f"http://127.0.0.1:{address[1]}/v1")
            await client.close()
    assert caught.value.code == "upstream_refused"


async def test_a_redirect_is_not_followed_and_the_key_stays_here(client: Transport) -> None:
    async with RawServer(reply_once(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as elsewhere:
        head = f"HTTP/1.1 307 Elsewhere\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(reply_once(head.encode())) as server:
            exchange = await client.open("POST", server.url, headers={"Authorization": "Bearer k"})
            exchange.close()
        assert (exchange.status, elsewhere.connections) == (307, 0)


@pytest.mark.parametrize("headers", [{"X-Key": "a\r\nX-Evil: b"}, {"Host": "elsewhere"}])
async def test_a_header_that_could_change_the_request_is_never_sent(client: Transport, headers: dict[str, str]) -> None:
    async with RawServer(reply_once()) as server:
        with pytest.raises(SettingsError):
            await client.open("GET", server.url, headers=headers)
        assert server.connections == 0


async def test_a_url_with_a_line_break_is_never_sent(client: Transport) -> None:
    with pytest.raises(SettingsError):
        await client.open("GET", "http://127.0.0.1:1/v1 HTTP/1.1\r\nX-Evil: b")


async def test_an_error_of_the_receiver_ends_the_exchange_with_it(client: Transport) -> None:
    class Full(Exception):
        pass

    def refuse(_piece: bytes) -> None:
        raise Full

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        await peer.gone()

    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(refuse)
        with pytest.raises(Full):
            await exchange.finished()
        await server.until(lambda: server.left == 1)


async def silent(peer: Peer) -> None:
    """Send a head and the first bytes, then nothing, until the other side goes."""
    await peer.request()
    await peer.send(CHUNKED + b"4\r\nsome\r\n")
    await peer.gone()


async def test_closing_an_exchange_closes_its_connection_at_once(client: Transport) -> None:
    async with RawServer(silent) as server:
        exchange = await client.open("GET", server.url)
        exchange.close()
        exchange.close()
        await server.until(lambda: server.left == 1)


async def test_cancelling_the_wait_for_the_end_leaves_closing_to_the_caller(client: Transport) -> None:
    got = asyncio.Event()
    async with RawServer(silent) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(lambda _piece: got.set())
        waiting = asyncio.create_task(exchange.finished())
        await got.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert (waiting.cancelled(), server.left) == (True, 0)
        exchange.close()
        await server.until(lambda: server.left == 1)


async def test_cancelling_the_wait_for_the_head_closes_the_connection(client: Transport) -> None:
    asked = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()

    async with RawServer(serve) as server:
        opening = asyncio.create_task(client.open("GET", server.url))
        await asked.wait()
        opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled()
        await server.until(lambda: server.left == 1)


async def test_closing_the_client_cuts_its_exchanges(client: Transport) -> None:
    async with RawServer(silent) as server:
        exchange = await client.open("GET", server.url)
        got = asyncio.Event()
        exchange.receive(lambda _piece: got.set())
        waiting = asyncio.create_task(exchange.finished())
        await got.wait()
        await client.close()
        with pytest.raises(ProviderError) as caught:
            await waiting
        await server.until(lambda: server.left == 1)
        exchange.close()
    assert caught.value.code == "upstream_closed"


async def test_a_short_body_is_read_whole(client: Transport) -> None:
    async with RawServer(reply_once(CHUNKED + b"4\r\nsome\r\n0\r\n\r\n")) as server:
        exchange = await client.open("GET", server.url)
        assert await exchange.read(4) == b"some"
        exchange.close()


async def test_a_body_over_the_limit_is_garbled(client: Transport) -> None:
    async with RawServer(silent) as server:
        exchange = await client.open("GET", server.url)
        with pytest.raises(ProviderError, match="more than 3 bytes") as caught:
            await exchange.read(3)
        exchange.close()
    assert caught.value.code == "upstream_garbled"


async def test_a_connection_is_used_again(client: Transport) -> None:
    async def serve(peer: Peer) -> None:
        for number in range(3):
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        await peer.gone()

    async with RawServer(serve) as server:
        bodies = [await received(await client.open("POST", server.url, body=b"x")) for _ in range(3)]
        assert (bodies, server.connections) == ([b"0", b"1", b"2"], 1)


async def test_a_kept_connection_that_dies_as_it_is_used_is_replaced_once(client: Transport) -> None:
    bodies: list[bytes] = []

    async def serve(peer: Peer) -> None:
        bodies.append((await peer.request())[1])
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        bodies.append((await peer.request())[1])  # and hangs up

    async with RawServer(serve) as server:
        for body in (b"first", b"second"):
            exchange = await client.open("POST", server.url, body=body)
            assert await received(exchange) == b"ok"
        assert (bodies, server.connections) == ([b"first", b"second", b"second"], 2)


async def test_a_kept_connection_that_dies_within_the_reply_is_not_replaced(client: Transport) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")

    async with RawServer(serve) as server:
        assert await received(await client.open("POST", server.url, body=b"first")) == b"ok"
        with pytest.raises(ProviderError) as caught:
            await received(await client.open("POST", server.url, body=b"second"))
        assert (caught.value.code, server.connections) == ("upstream_closed", 1)


async def test_a_new_connection_that_dies_is_not_replaced(client: Transport) -> None:
    async with RawServer(reply_once()) as server:
        with pytest.raises(ProviderError):
            await client.open("POST", server.url, body=b"x")
        assert server.connections == 1


async def test_a_paused_exchange_makes_the_server_wait(client: Transport) -> None:
    megabyte = bytes(1_000_000)
    sent = 0

    async def serve(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
        for _ in range(40):
            await peer.send(megabyte)
            sent += 1

    total = 0

    def take(piece: bytes) -> None:
        nonlocal total
        total += len(piece)
        if total == len(piece):
            exchange.pause()
            exchange.pause()
            paused.set()

    paused = asyncio.Event()
    async with RawServer(serve) as server:
        exchange = await client.open("GET", server.url)
        exchange.receive(take)
        finished = asyncio.create_task(exchange.finished())
        await paused.wait()
        for _ in range(200):
            await asyncio.sleep(0)
        assert (total < 20_000_000, sent < 40) == (True, True)
        exchange.resume()
        exchange.resume()
        await finished
        exchange.close()
    assert total == 40_000_000


async def test_a_path_and_its_query_go_over_the_wire_as_they_are(client: Transport) -> None:
    heads: list[bytes] = []

    async def serve(peer: Peer) -> None:
        head, _ = await peer.request()
        heads.append(head)
        await peer.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    path = "/a%2Fb%27c%7E/?Signature=x%2By~z%3D&name=%E6%97%A5"
    async with RawServer(serve) as server:
        for target in (path, "?only=a%20query"):
            exchange = await client.open("GET", server.url.removesuffix("/v1") + target)
            exchange.close()
    assert heads[0].startswith(f"GET {path} HTTP/1.1\r\n".encode())
    assert heads[1].startswith(b"GET /?only=a%20query HTTP/1.1\r\n")
