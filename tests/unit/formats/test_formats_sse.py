"""The framing of server-sent events, against the rules of the standard and a slow reading of them."""

import time

import pytest
from cutting import at_cuts, byte_by_byte, same_however_cut
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.errors import ProviderError
from headrace.formats import sse

Seen = list[tuple[str, bytes, bytes]]


def decoded(pieces: list[bytes], *, decoder: sse.Decoder | None = None) -> Seen:
    decoder = decoder or sse.Decoder()
    return [(frame.event, frame.data, frame.id) for piece in pieces for frame in decoder.feed(piece)]


def messages(*data: bytes) -> Seen:
    return [("message", each, b"") for each in data]


def lines_of(stream: bytes) -> list[bytes]:
    lines, line, at = [], b"", 0
    while at < len(stream):
        if stream[at : at + 1] in {b"\r", b"\n"}:
            at += 2 if stream[at : at + 2] == b"\r\n" else 1
            lines.append(line)
            line = b""
        else:
            line += stream[at : at + 1]
            at += 1
    return lines


def by_the_book(stream: bytes) -> Seen:
    """Read the whole stream as the standard words it, one line after the other, without any haste."""
    seen: Seen = []
    data, event, last_id = b"", "", b""
    for line in lines_of(stream.removeprefix(b"\xef\xbb\xbf")):
        if not line:
            if data:
                seen.append((event or "message", data[:-1], last_id))
            data, event = b"", ""
            continue
        if line.startswith(b":"):
            continue
        field, value = line, b""
        if b":" in line:
            field, value = line[: line.index(b":")], line[line.index(b":") + 1 :]
            value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            event = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            last_id = value
    return seen


CASES = {
    "one frame": (b"data: a\n\n", messages(b"a")),
    "no space after the colon": (b"data:a\n\n", messages(b"a")),
    "only one space is dropped": (b"data:  a\n\n", messages(b" a")),
    "CR ends lines": (b"data: a\r\rdata: b\r\r", messages(b"a", b"b")),
    "CRLF ends lines": (b"data: a\r\n\r\ndata: b\r\n\r\n", messages(b"a", b"b")),
    "line ends may be mixed": (b"data: a\r\ndata: b\rdata: c\n\r\n", messages(b"a\nb\nc")),
    "CR before CRLF is an empty line": (b"data: a\r\r\ndata: b\r\r\n\r\n", messages(b"a", b"b")),
    "CRLF with a lone CR within": (b"data: a\rdata: b\r\n\r\n", messages(b"a\nb")),
    "CR and CRLF are an empty line": (b"data: a\r\r\ndata: b\n\n", messages(b"a", b"b")),
    "several data lines": (b"data: a\ndata:\ndata: b\n\n", messages(b"a\n\nb")),
    "data without a colon": (b"data\n\n", messages(b"")),
    "two empty data lines are one line end": (b"data\ndata\n\n", messages(b"\n")),
    "comments": (b": hi\n:\n\ndata: a\n: in between\n\n", messages(b"a")),
    "a comment within a block": (b": ping\ndata: a\n\n", messages(b"a")),
    "unknown fields": (b"retry: 5\nfoo: bar\nDATA: x\n data: x\ndata x\ndata: a\n\n", messages(b"a")),
    "no data, no frame": (b"event: x\n\nid: 1\n\ndata: a\n\n", [("message", b"a", b"1")]),
    "event": (b"event: add\ndata: a\n\ndata: b\n\n", [("add", b"a", b""), ("message", b"b", b"")]),
    "an empty event is a message": (b"event: x\nevent:\ndata: a\n\n", messages(b"a")),
    "a colon in the value": (b"data: a: b\n\n", messages(b"a: b")),
    "id stays": (b"id: 1\ndata: a\n\ndata: b\n\n", [("message", b"a", b"1"), ("message", b"b", b"1")]),
    "an empty id resets": (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [("message", b"a", b"1"), ("message", b"b", b"")]),
    "an id with NUL is none": (b"id: 1\nid: 2\0\ndata: a\n\n", [("message", b"a", b"1")]),
    "NUL in data stays": (b"data: \0\n\n", messages(b"\0")),
    "BOM": (b"\xef\xbb\xbfdata: a\n\n", messages(b"a")),
    "a second BOM is a name": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", messages(b"b")),
    "a BOM later is no BOM": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", messages(b"a")),
    "half a BOM": (b"\xef\xbbdata: a\n\ndata: b\n\n", messages(b"b")),
    "the end discards what is unfinished": (b"data: a\n\ndata: b\n", messages(b"a")),
    "no other character ends a line": (
        "data: \x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029é👋\n\n".encode(),
        messages("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029é👋".encode()),
    ),
    "bytes that are no UTF-8 stay": (b"data: \xff\xc3\n\n", messages(b"\xff\xc3")),
    "a bad event name is replaced": (b"event: \xff\ndata: a\n\n", [("\ufffd", b"a", b"")]),
    "empty lines": (b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n", messages(b"a", b"b")),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", CASES)
def test_reads_as_the_standard_says_however_the_bytes_are_cut(name: str) -> None:
    stream, expected = CASES[name]
    assert by_the_book(stream) == expected
    assert same_however_cut(decoded, stream) == expected


@pytest.mark.parametrize("name", [name for name in CASES if "BOM" not in name])
def test_reads_the_same_between_frames_of_a_running_stream(name: str) -> None:
    stream, expected = CASES[name]
    assert same_however_cut(lambda pieces: decoded([b"data: 0\n\n", *pieces]), stream) == messages(b"0") + expected


PIECES = [
    b"data",
    b"event",
    b"id",
    b":",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"a",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"data: x\n\n",
    b"7",
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.lists(st.integers(0, 200), max_size=20))
def test_reads_any_stream_as_the_standard_says(stream: bytes, cuts: list[int]) -> None:
    expected = by_the_book(stream)
    assert decoded([stream]) == expected
    assert decoded(at_cuts(stream, [min(cut, len(stream)) for cut in cuts])) == expected
    assert decoded(byte_by_byte(stream)) == expected


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    decoder = sse.Decoder()
    piece = b"x" * 1000
    decoder.feed(b"data: ")
    started = time.perf_counter()
    for _ in range(10_000):
        assert decoder.feed(piece) == []
    [frame] = decoder.feed(b"\n\n")
    assert len(frame.data) == 10_000_000
    assert time.perf_counter() - started < 3  # it takes 20 ms; copying the line for each piece takes 50 GB of copies


@pytest.mark.parametrize(
    "stream",
    [
        b"data: a\n\ndata: 123456789\n\n",
        b"data: a\n\n: 12345678901234\n",
        b"data: a\n\ndata: 12345\ndata: 1234\n\n",
        b"data: a\n\ndata: 12345\nunknown: 1",
        b"data: a\n\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata",
    ],
)
def test_a_frame_above_the_bound_is_an_error_after_those_before_it(stream: bytes) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[bytes], str | None]:
        decoder = sse.Decoder(max_frame_bytes=14)
        frames: list[bytes] = []
        try:
            for piece in [*pieces, b""]:
                frames += [frame.data for frame in decoder.feed(piece)]
        except ProviderError as error:
            with pytest.raises(ProviderError):
                decoder.feed(b"\n\ndata: a\n\n")
            return frames, error.code
        return frames, None

    assert same_however_cut(outcome, stream) == ([b"a"], "upstream_garbled")


def test_many_frames_in_one_read_may_be_more_than_the_bound_together() -> None:
    stream = b"data: 12345678\n\n" * 5
    assert same_however_cut(
        lambda pieces: decoded(pieces, decoder=sse.Decoder(max_frame_bytes=14)), stream
    ) == messages(*[b"12345678"] * 5)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b" ", b":", b"\0", b"data: x", b"\xe2\x80\xa8"])).map(
        b"".join
    ),
    st.none() | st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")),
    st.none() | st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")),
)
def test_what_is_encoded_is_read_back_as_one_frame(data: bytes, event: str | None, last_id: str | None) -> None:
    stream = sse.encode(data, event, last_id)
    assert b"\r" not in stream
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert decoded([stream]) == [(event or "message", expected, (last_id or "").encode())]


def test_encodes_literally() -> None:
    assert sse.encode(b"a\nb", "add", "7") == b"id: 7\nevent: add\ndata: a\ndata: b\n\n"
    assert sse.encode(b"") == b"data: \n\n"


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_nothing_can_be_forged_through_event_id_or_comment(bad: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        sse.encode(b"", event=bad)
    with pytest.raises(ValueError, match="one line"):
        sse.encode(b"", id=bad)
    with pytest.raises(ValueError, match="one line"):
        sse.comment(bad)


def test_a_comment_ends_in_one_line_end_and_is_ignored() -> None:
    assert sse.comment("ping") == b": ping\n"
    assert decoded([sse.comment("ping"), b"data: a\n\n"]) == messages(b"a")
