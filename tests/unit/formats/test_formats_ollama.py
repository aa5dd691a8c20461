"""Answers in Ollama's format, as many versions send them, become events."""

import json
from typing import Any

import msgspec
import pytest
from cutting import GOLDEN, at_cuts, byte_by_byte, same_however_cut
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.errors import ProviderError
from headrace.core.events import Event, Text, Usage
from headrace.formats.ollama import Decoder

CASES = sorted(path.stem for path in (GOLDEN / "ollama").glob("*.ndjson"))
End = dict[str, Any]

STOP = {"done": True, "done_reason": "stop"}


def read(pieces: list[bytes]) -> tuple[list[Event], End]:
    """Return the events and the end, for a caller that does as the docstrings say."""
    decoder = Decoder()
    events: list[Event] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
            if decoder.done:
                break
        events += decoder.flush()
        events += decoder.close()
    except ProviderError as error:
        return events, {"error": {"code": error.code, "message": error.message}}
    return events, {"finish_reason": decoder.finish_reason}


def recorded(case: str) -> tuple[bytes, tuple[list[Event], End]]:
    *lines, end = (GOLDEN / "ollama" / f"{case}.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=Event) for line in lines]
    return (GOLDEN / "ollama" / f"{case}.ndjson").read_bytes(), (events, json.loads(end))


def stream(*lines: Any) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def said(text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def code_of(end: End) -> str:
    return str(end["error"]["code"])


@pytest.mark.parametrize("case", CASES)
def test_recorded_answers_give_the_events_expected_however_they_are_cut(case: str) -> None:
    body, expected = recorded(case)
    assert same_however_cut(read, body) == expected


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", [b"\r\n", b"\n\n", b"\n \r\n\t\n"])
def test_recorded_answers_may_have_other_line_ends_and_blank_lines(case: str, end: bytes) -> None:
    body, expected = recorded(case)
    body = body.replace(b"\n", end)
    assert read([body]) == expected
    assert read(byte_by_byte(body)) == expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CASES), st.lists(st.integers(0, 4000), max_size=40))
def test_recorded_answers_are_the_same_in_many_pieces(case: str, cuts: list[int]) -> None:
    body, expected = recorded(case)
    assert read(at_cuts(body, [cut % (len(body) + 1) for cut in cuts])) == expected


def test_a_small_answer_is_the_same_with_every_two_cuts() -> None:
    body = '{"message":{"content":"é\u2028"},"done":true,"done_reason":"length"}\r\n'.encode()
    assert len(body) <= 80
    assert same_however_cut(read, body) == ([Text("é\u2028")], {"finish_reason": "length"})


def test_a_line_of_a_megabyte_is_one_event() -> None:
    text = "x👋" * 200_000
    body = stream(said(text), STOP)
    expected: tuple[list[Event], End] = ([Text(text)], {"finish_reason": "stop"})
    assert len(body) > 1_000_000
    assert read([body]) == expected
    assert read(at_cuts(body, list(range(0, len(body), 1021)))) == expected


@pytest.mark.parametrize("before", [[], [said("a")]])
def test_a_line_above_the_bound_is_garbled_after_what_was_said(before: list[Any]) -> None:
    body = stream(*before) + b"x" * (16 * 1024 * 1024 + 1)
    for pieces in ([body], at_cuts(body, [30, 60, 90])):
        events, end = read(pieces)
        assert events == [Text("a")] * len(before)
        assert code_of(end) == "upstream_garbled"


def test_nothing_at_all_is_no_answer() -> None:
    assert code_of(read([])[1]) == "upstream_closed"
    assert code_of(read([b"\n\r\n"])[1]) == "upstream_closed"


@pytest.mark.parametrize(
    ("rest", "events", "end"),
    [
        (stream(STOP).rstrip(), [], "stop"),
        (stream(said("b") | STOP).rstrip(), [Text("b")], "stop"),
        (stream(said("b")).rstrip(), [Text("b")], "upstream_closed"),
        (stream(said("b"))[:20], [], "upstream_closed"),
        (b"{", [], "upstream_closed"),
        (b"\r", [], "upstream_closed"),
        (b'{"error":"boom"}', [], "upstream_error"),
        (b'{"error":"boo', [], "upstream_closed"),
        (b"<html>502</html>", [], "upstream_garbled"),
        (b"[]", [], "upstream_garbled"),
    ],
)
def test_a_last_line_without_its_end_counts_where_it_is_whole(rest: bytes, events: list[Event], end: str) -> None:
    made, ended = same_however_cut(read, stream(said("a")) + rest)
    assert made == [Text("a"), *events]
    assert ended.get("finish_reason", ended.get("error", {}).get("code")) == end


def test_what_comes_after_the_last_line_is_not_read() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(said("a"), STOP, said("b"))) == [Text("a")]
    assert decoder.done
    assert decoder.feed(b"no json\n") == []
    assert decoder.flush() == []
    assert decoder.close() == []
    assert decoder.finish_reason == "stop"


def test_a_failure_is_raised_once_the_events_before_it_were_returned() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(said("a"), {"error": "boom"}, said("b"))) == [Text("a")]
    assert decoder.done
    for data in (b"", stream(STOP)):
        with pytest.raises(ProviderError, match="boom"):
            decoder.feed(data)
    with pytest.raises(ProviderError, match="boom"):
        decoder.close()


def test_a_failure_with_nothing_before_it_is_raised_at_once() -> None:
    decoder = Decoder()
    with pytest.raises(ProviderError, match="boom"):
        decoder.feed(stream({"error": "boom"}))
    assert decoder.done


def test_closing_again_says_the_same() -> None:
    whole = Decoder()
    assert whole.feed(stream(STOP | {"eval_count": 3})) == [Usage(output_tokens=3)]
    assert (whole.close(), whole.close()) == ([], [])
    broken = Decoder()
    for _ in range(2):
        with pytest.raises(ProviderError) as raised:
            broken.close()
        assert raised.value.code == "upstream_closed"
        assert broken.done


def test_closing_returns_what_nobody_flushed() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(said("a"), STOP).rstrip()) == [Text("a")]
    assert decoder.close() == []
    held = Decoder()
    held.feed(stream(said("<thi") | STOP).rstrip())
    assert held.close() == [Text("<thi")]


def test_what_was_held_back_is_returned_at_a_broken_end() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(said(" <thi"))) == []
    assert decoder.flush() == [Text(" <thi")]
    assert decoder.flush() == []
    with pytest.raises(ProviderError):
        decoder.close()


def test_what_was_held_back_is_returned_before_an_error() -> None:
    events, end = read([stream(said(" <thi"), {"error": "boom"})])
    assert events == [Text(" <thi")]
    assert code_of(end) == "upstream_error"


def test_a_tag_is_text_when_the_caller_says_so() -> None:
    assert Decoder(think=False).feed(stream(said("<think>a</think>"))) == [Text("<think>a</think>")]
