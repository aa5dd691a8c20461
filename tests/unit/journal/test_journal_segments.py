import contextlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.events import Text
from headrace.formats import native
from headrace.journal.segments import Piece, Torn, decode_chunk, decode_segment, encode_chunk, encode_segment

entries = st.text().map(lambda delta: native.encode(Text(delta), 0))
pieces = st.lists(st.tuples(st.integers(1, 2**40), st.integers(0, 2**31), st.lists(entries)))


@given(pieces)
def test_a_segment_is_read_as_it_was_written(written: list[Piece]) -> None:
    assert decode_segment(encode_segment(written)) == written


@given(st.lists(entries, min_size=1))
def test_a_chunk_is_read_as_it_was_written(written: list[bytes]) -> None:
    assert decode_chunk(encode_chunk(written), len(written)) == written


@given(pieces, st.data())
def test_a_flipped_bit_in_a_segment_is_noticed(written: list[Piece], data: st.DataObject) -> None:
    stored = bytearray(encode_segment(written))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Torn):
        decode_segment(bytes(stored))


@given(st.lists(entries, min_size=1), st.data())
def test_a_flipped_bit_in_a_chunk_is_noticed_or_without_effect(written: list[bytes], data: st.DataObject) -> None:
    stored = bytearray(encode_chunk(written))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(Torn):
        assert decode_chunk(bytes(stored), len(written)) == written  # zlib has padding bits that mean nothing


@given(pieces, st.data())
def test_a_segment_that_breaks_off_is_noticed(written: list[Piece], data: st.DataObject) -> None:
    stored = encode_segment(written)
    with pytest.raises(Torn):
        decode_segment(stored[: data.draw(st.integers(0, len(stored) - 1))])


@given(st.lists(entries, min_size=1), st.data())
def test_a_chunk_that_breaks_off_is_noticed(written: list[bytes], data: st.DataObject) -> None:
    stored = encode_chunk(written)
    with pytest.raises(Torn):
        decode_chunk(stored[: data.draw(st.integers(0, len(stored) - 1))], len(written))


def test_a_whole_segment_of_something_else_is_noticed() -> None:
    data = b"\x93\x01\x02\x03"
    with pytest.raises(Torn, match="cannot be read"):
        decode_segment(zlib.crc32(data).to_bytes(4, "big") + data)


def test_a_chunk_with_another_number_of_entries_is_noticed() -> None:
    with pytest.raises(Torn, match="another number"):
        decode_chunk(encode_chunk([b"{}", b"{}"]), 3)


def test_damage_is_this_servers_fault_and_has_its_own_code() -> None:
    with pytest.raises(Torn) as caught:
        decode_segment(b"")
    assert (caught.value.code, caught.value.status) == ("journal_damaged", 500)
