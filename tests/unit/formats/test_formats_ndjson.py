"""The framing of NDJSON."""

import time

import pytest
from cutting import same_however_cut

from headrace.core.errors import ProviderError
from headrace.formats import ndjson


def decoded(pieces: list[bytes]) -> tuple[list[bytes], bytes | None]:
    decoder = ndjson.Decoder()
    return [line for piece in pieces for line in decoder.feed(piece)], decoder.close()


@pytest.mark.parametrize(
    ("stream", "lines", "rest"),
    [
        (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], None),
        (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}'], None),
        (b"\n\r\n1\n\n\r\n2\n", [b"1", b"2"], None),
        (b"1\n2", [b"1"], b"2"),
        (b"1\n2\r", [b"1"], b"2"),
        (b"1\n\r", [b"1"], None),
        (b"1\r2\n", [b"1\r2"], None),
        ('"\x85\u2028\u2029é👋"\n'.encode(), ['"\x85\u2028\u2029é👋"'.encode()], None),
        (b"", [], None),
    ],
)
def test_lines_are_the_same_however_the_bytes_are_cut(stream: bytes, lines: list[bytes], rest: bytes | None) -> None:
    assert same_however_cut(decoded, stream) == (lines, rest)


def test_closing_again_returns_nothing() -> None:
    decoder = ndjson.Decoder()
    decoder.feed(b"1")
    assert decoder.close() == b"1"
    assert decoder.close() is None


@pytest.mark.parametrize("stream", [b"1\n123456789\n", b"1\n123456789"])
def test_a_line_above_the_bound_is_an_error_after_those_before_it(stream: bytes) -> None:
    def outcome(pieces: list[bytes]) -> tuple[list[bytes], str | None]:
        decoder = ndjson.Decoder(max_line_bytes=8)
        lines: list[bytes] = []
        try:
            for piece in [*pieces, b""]:
                lines += decoder.feed(piece)
        except ProviderError as error:
            with pytest.raises(ProviderError):
                decoder.close()
            return lines, error.code
        return lines, None

    assert same_however_cut(outcome, stream) == ([b"1"], "upstream_garbled")


def test_a_line_may_be_as_long_as_the_bound() -> None:
    decoder = ndjson.Decoder(max_line_bytes=8)
    assert decoder.feed(b"12345678\n12345678") == [b"12345678"]
    assert decoder.feed(b"\n") == [b"12345678"]


def test_a_long_line_in_small_pieces_takes_linear_time() -> None:
    decoder = ndjson.Decoder()
    started = time.perf_counter()
    for _ in range(10_000):
        decoder.feed(b"x" * 1000)
    [line] = decoder.feed(b"\n")
    assert len(line) == 10_000_000
    assert time.perf_counter() - started < 3


def test_encodes_one_line() -> None:
    assert ndjson.encode(b'{"a":1}') == b'{"a":1}\n'


@pytest.mark.parametrize("bad", [b"1\n2", b"1\r2"])
def test_what_would_be_two_lines_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        ndjson.encode(bad)
