"""Runs as lines of Ollama's streams, against the recorded encodings and readers of the format."""

import json
from typing import Any

import pytest
from any_events import EVENT, RUNS, TEXT, golden_run
from cutting import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.events import Event, Reasoning, Text
from headrace.formats import native
from headrace.formats.ollama import ChatEncoder, Decoder, GenerateEncoder
from headrace.formats.port import StreamEncoder

ENCODED = GOLDEN / "ollama" / "encoded"
KINDS: dict[str, type[ChatEncoder | GenerateEncoder]] = {"chat": ChatEncoder, "generate": GenerateEncoder}


def encoder(kind: str = "chat") -> ChatEncoder | GenerateEncoder:
    return KINDS[kind](model="auto", created_ms=1763650000000)


def lines(*happened: Event, kind: str = "chat", t: int = 0) -> list[Any]:
    stream = encoder(kind).encode(0, [native.encode(event, t) for event in happened])
    return [json.loads(line) for line in stream.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", RUNS)
def test_golden_runs_are_encoded_as_recorded(run: str, kind: str) -> None:
    expected = (ENCODED / f"{run}.{kind}.ndjson").read_bytes()
    entries = golden_run(run)
    one: StreamEncoder = encoder(kind)
    assert one.start() + one.encode(0, entries) == expected
    single = encoder(kind)
    assert b"".join(single.encode(seq, [entry]) for seq, entry in enumerate(entries)) == expected


def test_a_golden_run_is_merged_as_recorded() -> None:
    stream = encoder().encode(0, golden_run("answer"), merge=True)
    assert stream == (ENCODED / "answer.merged.chat.ndjson").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("run", RUNS)
def test_a_reader_that_comes_back_gets_exactly_the_rest(run: str, kind: str) -> None:
    entries = golden_run(run)
    for seen in range(len(entries) + 1):
        first, second = encoder(kind), encoder(kind)
        first.encode(0, entries[:seen])
        second.skip(entries[:seen])
        assert second.start() == b""
        assert second.keepalive() == first.keepalive()
        assert second.encode(seen, entries[seen:]) == first.encode(seen, entries[seen:])


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENT, max_size=8), st.sampled_from(sorted(KINDS)), st.booleans())
def test_any_event_is_ascii_in_lines_that_every_client_splits_alike(run: list[Event], kind: str, merge: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    stream = encoder(kind).encode(0, [native.encode(event, 0) for event in run], merge=merge)
    assert stream.isascii()
    split = stream.decode().splitlines()  # as httpx does: at U+2028 and the like too
    assert split == stream.decode().split("\n")[:-1]
    assert all(isinstance(json.loads(line), dict) for line in split)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Text, TEXT) | st.builds(Reasoning, TEXT), max_size=12), st.booleans())
def test_a_reader_of_the_format_reads_the_same_words(run: list[Event], merge: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    def words(read: list[Event], kind: type[Event]) -> str:
        text = "".join(event.delta for event in read if isinstance(event, Text | Reasoning) and isinstance(event, kind))
        return str(json.loads(json.dumps(text))).encode("utf-8", "replace").decode()

    entries = [native.encode(event, 0) for event in [*run, events.RunFinished("length")]]
    decoder = Decoder(think=False)
    read = decoder.feed(encoder().encode(0, entries, merge=merge)) + decoder.close()
    assert decoder.finish_reason == "length"
    assert decoder.done
    for kind in (Text, Reasoning):
        assert words(read, kind).replace("\ufffd", "?") == words(run, kind).replace("\ufffd", "?")


def test_calls_are_read_as_they_were() -> None:
    happened: list[Event] = [
        Text("I look."),
        events.ToolCall("call_a", "f", '{"city":"Zürich"}'),
        events.ToolCall("call_b", "g", "{}"),
    ]
    stream = encoder().encode(0, [native.encode(event, 0) for event in [*happened, events.RunFinished("tool_calls")]])
    decoder = Decoder()
    assert decoder.feed(stream) == happened
    assert decoder.finish_reason == "tool_calls"


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_left_out_as_ollamas_client_refuses_them(kind: str) -> None:
    assert lines(events.Image("image/png", "iVBORw0KGgo="), kind=kind) == []


def test_arguments_that_are_no_object_are_not_lost() -> None:
    [line] = lines(events.ToolCall("c", "f", '{"a": '))
    assert line["message"]["tool_calls"][0]["function"]["arguments"] == {"arguments": '{"a": '}


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_in_the_lines_is_the_one_that_answers(kind: str) -> None:
    happened = (
        events.RunStarted(run_id="r"),
        Text("a"),
        events.ModelReady('m"\0'),
        Text("b"),
        events.ModelSwitched("m", "n", "why"),
        Text("c"),
    )
    assert [line["model"] for line in lines(*happened, kind=kind)] == ["auto", 'm"\0', "n"]


def test_a_line_tells_when_its_event_happened() -> None:
    assert [line["created_at"] for line in lines(Text("a"), t=61_007)] == ["2025-11-20T14:47:41.007Z"]
    one = encoder()
    one.encode(0, [native.encode(Text("a"), 1500)])
    assert json.loads(one.keepalive())["created_at"] == "2025-11-20T14:46:41.500Z"


@pytest.mark.parametrize(
    ("kind", "said"), [("chat", {"message": {"role": "assistant", "content": ""}}), ("generate", {"response": ""})]
)
def test_a_keepalive_is_a_line_without_text(kind: str, said: dict[str, Any]) -> None:
    one = encoder(kind)
    assert one.content_type == "application/x-ndjson"
    assert one.keepalive().count(b"\n") == 1
    assert json.loads(one.keepalive()) == {
        "model": "auto",
        "created_at": "2025-11-20T14:46:40.000Z",
        **said,
        "done": False,
    }


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("tool_calls", "stop")],
)
def test_the_reason_is_told_in_ollamas_words(reason: events.FinishReason, expected: str) -> None:
    [line] = lines(events.RunFinished(reason))
    assert (line["done"], line["done_reason"]) == (True, expected)


FIGURES = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)


@pytest.mark.parametrize(
    ("usage", "figures"),
    [
        (None, (9_000_000, None, None, None, None, None)),
        (events.Usage(input_tokens=7, output_tokens=0), (9_000_000, None, 7, None, 0, None)),
        (
            events.Usage(
                input_tokens=30,
                output_tokens=5,
                timings=events.Timings(
                    queued_ms=100,
                    loading_ms=1500,
                    first_token_ms=2000,
                    generation_ms=700,
                    total_ms=3000,
                    prompt_tokens_per_second=150.0,
                    tokens_per_second=10.0,
                ),
            ),
            (3_000_000_000, 1_500_000_000, 30, 200_000_000, 5, 500_000_000),
        ),
        (
            events.Usage(
                output_tokens=5,
                estimated=True,
                timings=events.Timings(
                    queued_ms=100, loading_ms=1500, first_token_ms=2000, generation_ms=700, total_ms=3000
                ),
            ),
            (3_000_000_000, 1_500_000_000, None, 400_000_000, 5, 700_000_000),
        ),
        (
            events.Usage(timings=events.Timings(first_token_ms=50, loading_ms=60, tokens_per_second=0.0)),
            (9_000_000, 60_000_000, None, 0, None, None),
        ),
    ],
)
def test_the_last_line_has_the_figures_that_are_known(
    usage: events.Usage | None, figures: tuple[int | None, ...]
) -> None:
    happened: list[Event] = [] if usage is None else [usage]
    [line] = lines(*happened, events.RunFinished("stop"), t=9)
    assert tuple(line.get(name) for name in FIGURES) == figures


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("terminal", "message"),
    [
        (events.RunFailed("upstream_closed", "why", retryable=True), "why"),
        (events.RunStopped("user"), "The answer was stopped."),
        (events.RunInterrupted("crash"), "The server went away in mid-answer."),
    ],
)
def test_a_failure_is_an_error_line_and_never_done(terminal: Event, message: str, kind: str) -> None:
    assert lines(Text("a"), terminal, kind=kind)[1:] == [{"error": message}]


def test_nothing_is_nothing() -> None:
    assert encoder().encode(0, []) == b""
    one = encoder()
    one.skip([])
    assert one.start() == b""
