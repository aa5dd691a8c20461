import asyncio
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import ProviderError
from headrace.net.connection import Connection, Reply
from headrace.net.origin import Origin

BODY = 'data: {"a": "Zürich 🚆\u2028"}\n\ndata: [DONE]\n\n'.encode()
REPLIES = {
    "chunked": b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:6], BODY[6:]))
    + b"0\r\n\r\n",
    "length": b"HTTP/1.1 103 Hints\r\nX-B: c\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: %d\r\n\r\n%b"
    % (len(BODY), BODY),
}


class Wire(asyncio.Transport):
    """A transport whose bytes the test brings by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True

    def resume_reading(self) -> None:
        pass


def receive(pieces: Sequence[bytes]) -> tuple[Reply, list[bytes], list[Connection]]:
    """Return the reply, the body as it was handed over, and who was released."""
    released: list[Connection] = []
    connection = Connection(Origin("http", "box", 80), released.append, lambda _connection: None)
    connection.connection_made(Wire())
    reply = connection.ask(b"")
    got: list[bytes] = []
    reply.receive(got.append)
    for piece in pieces:
        connection.data_received(piece)
    return reply, got, released


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(ends) if start < end]


@given(kind=st.sampled_from(sorted(REPLIES)), places=st.lists(st.integers(0, 10_000), max_size=30))
def test_a_reply_is_the_same_however_it_is_cut(kind: str, places: list[int]) -> None:
    reply, got, released = receive(cuts(REPLIES[kind], places))
    assert (reply.status, reply.headers["x-a"], "x-b" in reply.headers) == (200, "b", False)
    assert (b"".join(got), len(released)) == (BODY, 1)


DATA = (
    b"a",
    b"\r\n",
    b"1\r\nx\r\n",
    b"5\r\nhel",
    b"c\r\n" + b"x" * 12 + b"\r\n",
    b"0\r\n\r\n",
    b"y" * 300,
    b"z" * 5000,
)
SIZES = ("%x\r\n", "%X\r\n", "0%x\r\n", "%x;a=b\r\n")


@given(
    chunks=st.lists(
        st.tuples(st.sampled_from(DATA), st.sampled_from(SIZES), st.sampled_from((0, 0, 0, None, -3, -2, -1, 1, 2, 3))),
        max_size=12,
    )
)
def test_a_body_is_the_same_wherever_near_its_chunks_it_is_cut(chunks: list[tuple[bytes, str, int | None]]) -> None:
    data, places = REPLIES["chunked"].partition(b"\r\n\r\n")[0] + b"\r\n\r\n", []
    for part, size, nudge in chunks:
        places += [] if nudge is None else [len(data) + nudge]
        data += (size % len(part)).encode() + part + b"\r\n"
    _, got, released = receive(cuts(data + b"0\r\n\r\n", [*places, len(data)]))
    assert (b"".join(got), len(released)) == (b"".join(part for part, _, _ in chunks), 1)


HEAD = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
LIKE_A_CHUNK = b"c\r\n" + b"x" * 12 + b"\r\n"


@pytest.mark.parametrize(
    ("pieces", "body"),
    [
        ([HEAD + b"1", LIKE_A_CHUNK, b"y" * 14 + b"\r\n0\r\n\r\n"], b"a" + LIKE_A_CHUNK[3:] + b"y" * 14),
        ([HEAD + b"1c\r\n", LIKE_A_CHUNK, b"y" * 11 + b"\r\n0\r\n\r\n"], b"a" + LIKE_A_CHUNK + b"y" * 11),
        ([HEAD, LIKE_A_CHUNK, b"0\r\n\r\n"], b"a" + b"x" * 12),
    ],
    ids=["after a part of the size", "after the size", "a chunk"],
)
def test_what_looks_like_a_chunk_is_one_only_where_one_begins(pieces: list[bytes], body: bytes) -> None:
    _, got, released = receive(pieces)
    assert (b"".join(got), len(released)) == (body, 1)


async def test_a_chunk_that_is_longer_than_its_size_says_is_an_error() -> None:
    reply, got, _ = receive([HEAD, LIKE_A_CHUNK[:-2] + b"xx"])
    with pytest.raises(ProviderError, match="does not speak HTTP as it should") as caught:
        async with asyncio.timeout(5):
            await reply.finished()
    assert (b"".join(got), caught.value.code) == (b"a" + b"x" * 12, "upstream_garbled")


def test_all_pieces_of_one_read_are_handed_over_in_one_call() -> None:
    _, got, _ = receive([REPLIES["chunked"]])
    assert got == [BODY]


def test_two_replies_come_over_one_connection() -> None:
    released: list[Connection] = []
    connection = Connection(Origin("http", "box", 80), released.append, lambda _connection: None)
    connection.connection_made(Wire())
    for kind in ("chunked", "length"):
        got: list[bytes] = []
        connection.ask(b"").receive(got.append)
        connection.data_received(REPLIES[kind])
        assert got == [BODY]
    assert len(released) == 2
