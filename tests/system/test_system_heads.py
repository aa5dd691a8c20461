"""What of a request is no body is bounded before it is read: its first line, its headers, and what stands for more."""

import asyncio
import contextlib
import json
from itertools import repeat
from pathlib import Path

import pytest

from headrace.app import protocol
from headrace.app.protocol import MAX_HEAD
from system.calls import Caller
from system.inprocess import serving
from system.raw_requests import Reply, raw, request
from system.running import Running, config
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDLESS = 400_000
"""Pieces that are more than a server may take in; a client that is refused stops sending them."""


def is_refusal(reply: Reply) -> bool:
    head, _, body = reply.data.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert b"connection: close" in head.lower()
    return reply.statuses == [431] and json.loads(body)["error"]["code"] == "too_large"


def of_size(url: str, size: int) -> bytes:
    """Return a request whose head has so many bytes."""
    short = len(request(url, "/ready", "X: "))
    return request(url, "/ready", "X: " + "a" * (size - short))


@pytest.mark.parametrize("pieces", [1, 7, 5000])
async def test_a_head_is_taken_up_to_its_bound_and_no_further(server: Running, pieces: int) -> None:
    for size, status in ((MAX_HEAD, 200), (MAX_HEAD + 1, 431)):
        data = of_size(server.url, size)
        step = len(data) // pieces + 1

        reply = await raw(server.url, *(data[at : at + step] for at in range(0, len(data), step)))

        assert (size, reply.statuses) == (size, [status])
    assert not [line for line in server.log if line.get("logger") == "asyncio"]


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"GET /ready HTTP/1.1\r\nHost: localhost\r\n", b"X-Filler: 1234567890\r\n"),
        (b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-Filler: ", b"0123456789abcdef"),
        (b"GET /ready HTTP/1.1\r\nHost: localhost\r\nX-", b"Filler"),
        (b"GET /", b"0123456789abcdef"),
        (b"GET /?", b"a=0&b=1&"),
    ],
)
async def test_a_head_that_never_ends_is_refused(server: Running, begins: bytes, goes_on: bytes) -> None:
    assert is_refusal(await raw(server.url, begins, *repeat(goes_on, ENDLESS)))


async def test_a_head_that_comes_in_one_piece_with_a_body_is_judged_without_it(server: Running) -> None:
    body = b'{"title": "' + b"x" * (MAX_HEAD + 1000) + b'"}'
    headers = ("Content-Type: application/json", f"Content-Length: {len(body)}")

    reply = await raw(server.url, request(server.url, "/api/v1/chats", *headers, method="POST", body=body))

    assert reply.statuses == [422]  # the title is too long: the request was read to its end


async def test_a_connection_takes_many_heads_that_are_small(server: Running) -> None:
    kept = request(server.url, "/ready").replace(b"Connection: close", b"X-Filler: " + b"a" * 20_000)

    reply = await raw(server.url, *repeat(kept, 9), of_size(server.url, 1000))

    assert reply.statuses == [200] * 10


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [(b"2\r\n{}\r\n0\r\n", b"X-Filler: 1234567890\r\n"), (b"2\r\n{}\r\n0\r\nX-", b"Filler"), (b"2;", b"extension=1;")],
)
async def test_what_is_neither_head_nor_body_ends_the_connection_too(
    server: Running, begins: bytes, goes_on: bytes
) -> None:
    head = request(
        server.url, "/api/v1/chats", "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST"
    )

    reply = await raw(server.url, head, begins, *repeat(goes_on, ENDLESS))

    assert reply.statuses in ([], [431])


async def test_a_body_in_the_smallest_chunks_is_no_head(server: Running) -> None:
    head = request(
        server.url, "/api/v1/chats", "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST"
    )
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in b"{" + b" " * MAX_HEAD + b"}")

    reply = await raw(server.url, head, chunks, b"0\r\n\r\n")

    assert reply.statuses == [201]


async def test_a_body_without_end_is_refused_and_takes_no_memory(server: Running) -> None:
    head = request(
        server.url, "/api/v1/chats", "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST"
    )
    chunk = b"10000\r\n%b\r\n" % (b" " * 65_536)
    before = server.resident_bytes

    replies = await asyncio.gather(*(raw(server.url, head, *repeat(chunk, 4096)) for _ in range(8)))  # 256 MiB each

    # 0: whoever is still sending may lose the reply with the connection
    statuses = {reply.status for reply in replies}
    assert statuses <= {0, 413}
    assert server.resident_bytes - before < 64 << 20


@pytest.mark.parametrize("garbage", [b"\x00\r\n\r\n", b"GET /ready HTTP/1.1\r\nX: " + b"a" * 70_000])
async def test_nothing_is_written_into_an_answer_that_goes_on(caller: Caller, garbage: bytes) -> None:
    turn = await caller.turn(await caller.chat(), model="script/tokens-r20-n400")
    async with await Wire.open(f"{caller.url}/api/v1/runs/{turn.run_id}/events") as wire:
        await wire.until("text")
        await asyncio.get_running_loop().sock_sendall(wire._sock, garbage)

        await wire.cut_off()  # bytes that are no chunk would be an error
    await caller.http.post(f"/runs/{turn.run_id}/stop")


async def test_a_head_that_does_not_come_in_time_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with serving(tmp_path, config()) as url, asyncio.timeout(10):
        whole = request(url, "/ready")
        # nothing at all, half a head, and half a head after a whole request
        for data in (b"", whole[:-2], whole.replace(b"Connection: close\r\n", b"") + whole[:-2]):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(data)
            with contextlib.suppress(ConnectionError):
                while await reader.read(65_536):
                    pass
            writer.close()


async def test_an_answer_may_take_longer_than_a_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with serving(tmp_path, config()) as url, Caller(url) as caller:
        turn = await caller.answered(await caller.chat(), model="script/tokens-r20-n10")
        assert (await caller.frames(turn.run_id))[-1].event == "run.finished"
