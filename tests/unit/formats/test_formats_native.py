"""Headrace's own format: entries, frames, and the way back."""

import json
from itertools import groupby
from typing import get_args

import pytest
from any_events import EVENT, KINDS, RUNS, TEXT, golden_run
from cutting import GOLDEN, byte_by_byte, many_cuts, same_however_cut
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.errors import ProviderError, ServerError
from headrace.core.events import TERMINAL, Event, Text
from headrace.formats import native
from headrace.formats.port import StreamEncoder

T = st.integers(0, 10**12)


def followed(pieces: list[bytes]) -> list[tuple[int, Event]]:
    decoder = native.Decoder()
    return [each for piece in pieces for each in decoder.feed(piece)]


def test_the_generated_events_are_all_there_are() -> None:
    assert set(KINDS) == set(get_args(Event))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_entry_says_everything_about_its_event(kind: type) -> None:
    @settings(max_examples=40, deadline=None)
    @given(KINDS[kind], T)
    def check(event: Event, t: int) -> None:
        entry = native.encode(event, t)
        assert native.decode(entry) == event
        assert native.time_of(entry) == t
        assert native.type_of(entry) == events.type_of(event)
        assert native.is_terminal(entry) == isinstance(event, TERMINAL)
        assert not set(entry) & set(b"\r\n\0")

    check()


def test_an_entry_is_written_time_first() -> None:
    assert native.encode(Text('a "\n\0é'), 12) == '{"t":12,"type":"text","delta":"a \\"\\n\\u0000é"}'.encode()


def test_half_a_character_survives() -> None:
    entry = native.encode(Text("a\ud83d"), 3)
    assert entry == b'{"t":3,"type":"text","delta":"a\\ud83d"}'
    assert native.decode(entry) == Text("a\ud83d")
    assert native.decode_all([native.encode(Text("b"), 2), entry]) == [Text("b"), Text("a\ud83d")]


@pytest.mark.parametrize(
    "bad", [b"", b"{", b'{"t":1,"type":"text"}', b'{"t":1,"type":"new.one"}', b"[1]", b'"\xff"', b"[" * 100_000]
)
def test_what_is_no_entry_is_an_error(bad: bytes) -> None:
    with pytest.raises(ServerError) as raised:
        native.decode(bad)
    assert raised.value.code == "bad_entry"


@pytest.mark.parametrize("run", RUNS)
def test_golden_runs_are_framed_as_recorded(run: str) -> None:
    entries = golden_run(run)
    expected = (GOLDEN / "native" / f"{run}.sse").read_bytes()
    assert native.frames(0, entries) == expected
    assert native.Encoder().encode(0, entries) == expected
    assert b"".join(native.frame(seq, entry) for seq, entry in enumerate(entries)) == expected
    decoded = [(seq, native.decode(entry)) for seq, entry in enumerate(entries)]
    assert same_however_cut(followed, expected) == decoded
    assert [native.encode(event, native.time_of(entries[seq])) for seq, event in decoded] == entries


def test_golden_runs_hold_every_event() -> None:
    entries = [entry for run in RUNS for entry in golden_run(run)]
    assert {type(native.decode(entry)) for entry in entries} == set(KINDS)


def test_a_golden_run_is_merged_as_recorded() -> None:
    entries = golden_run("answer")
    expected = (GOLDEN / "native" / "answer.merged.sse").read_bytes()
    assert native.merge(0, entries) == expected
    assert native.Encoder().encode(0, entries, merge=True) == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(st.builds(Text, TEXT) | EVENT, max_size=12), st.integers(0, 10**6))
def test_merging_loses_no_text_and_no_number(run: list[Event], start: int) -> None:
    expected: list[tuple[int, Event]] = []
    seq = start
    for kind, group in groupby(run, key=type):
        same = list(group)
        if kind is Text:
            text = "".join(event.delta for event in same if isinstance(event, Text))
            expected.append((seq + len(same) - 1, Text(json.loads(json.dumps(text)))))
        else:
            expected += enumerate(same, seq)
        seq += len(same)
    assert followed([native.merge(start, [native.encode(event, 0) for event in run])]) == expected


def test_gathered_text_has_the_time_of_its_last_piece() -> None:
    entries = [native.encode(Text("a"), 1), native.encode(Text("b"), 2), native.encode(events.RunStopped("user"), 3)]
    assert native.gather(entries) == [(2, native.encode(Text("ab"), 2)), (1, entries[2])]
    assert native.gather(entries[:1]) == [(1, entries[0])]
    assert native.gather([]) == []


def test_the_delta_of_a_text_is_its_json_string() -> None:
    assert native.raw_delta(native.encode(Text('é"'), 12)) == '"é\\""'.encode()
    assert native.raw_delta(native.encode(events.Reasoning("a"), 12)) is None


def test_the_encoder_needs_no_start_and_forgets_what_it_skips() -> None:
    encoder: StreamEncoder = native.Encoder()
    entries = golden_run("answer")
    encoder.skip(entries[:5])
    assert encoder.content_type == "text/event-stream"
    assert encoder.start() == b""
    assert encoder.encode(5, entries[5:]) == native.frames(5, entries[5:])
    assert encoder.encode(5, []) == b""


def test_readers_at_the_same_place_share_one_encoding() -> None:
    encoder = native.Encoder()
    entries = golden_run("answer")
    shared = encoder.encode(3, entries[3:6])
    assert encoder.encode(3, entries[3:6]) is shared
    for seq, part in (
        (4, entries[3:6]),
        (3, entries[3:5]),
        (3, entries[2:6]),
        (3, [entries[3]] * 3),
        (3, [entries[3]]),
    ):
        assert encoder.encode(seq, part) == native.frames(seq, part)
        assert encoder.encode(3, entries[3:6]) == shared


def test_a_keepalive_is_no_event() -> None:
    assert followed([native.Encoder().keepalive(), native.frame(0, native.encode(Text("a"), 0))]) == [(0, Text("a"))]


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENT, max_size=20), st.data())
def test_a_reader_gets_the_same_however_the_bytes_are_cut(run: list[Event], data: st.DataObject) -> None:
    stream = native.frames(3, [native.encode(event, 0) for event in run])
    expected = list(enumerate(run, 3))
    assert followed(data.draw(many_cuts(stream))) == expected
    assert followed(byte_by_byte(stream)) == expected


@pytest.mark.parametrize(
    "bad",
    [b'data: {"t":1,"type":"text","delta":"a"}\n\n', b"id: 1\ndata: {}\n\n", b"id: x\ndata: {}\n\n"],
)
def test_a_frame_that_is_no_event_is_an_error(bad: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        followed([bad])
    assert raised.value.code == "upstream_garbled"
