"""Runs as chat completion chunks, against the recorded encodings and a reader of the format."""

import json
from typing import Any

import pytest
from any_events import EVENT, RUNS, TEXT, golden_run
from cutting import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.errors import ProviderError
from headrace.core.events import Event, Reasoning, Text
from headrace.formats import native, sse
from headrace.formats.openai_chat import Decoder, Encoder
from headrace.formats.port import StreamEncoder


def encoder(*, include_usage: bool = False) -> Encoder:
    if not include_usage:
        return Encoder(completion_id="chatcmpl-golden", model="auto", created=1763650000)
    return Encoder(completion_id="chatcmpl-golden", model="auto", created=1763650000, include_usage=True)


THEIRS = {
    "unknown_model": "model_not_found",
    "context_too_long": "context_length_exceeded",
    "content_filtered": "content_filter",
}
"""The codes that OpenAI's clients look for."""


def payloads(stream: bytes) -> list[Any]:
    return [json.loads(frame.data) for frame in sse.Decoder().feed(stream) if frame.data != b"[DONE]"]


@pytest.mark.parametrize("run", RUNS)
def test_golden_runs_are_encoded_as_recorded(run: str) -> None:
    expected = (GOLDEN / "openai_chat" / "encoded" / f"{run}.sse").read_bytes()
    entries = golden_run(run)
    one: StreamEncoder = encoder(include_usage=True)
    assert one.start() + one.encode(0, entries) == expected
    single = encoder(include_usage=True)
    assert single.start() + b"".join(single.encode(seq, [entry]) for seq, entry in enumerate(entries)) == expected


def test_a_golden_run_is_merged_as_recorded() -> None:
    one = encoder()
    stream = one.start() + one.encode(0, golden_run("answer"), merge=True)
    assert stream == (GOLDEN / "openai_chat" / "encoded" / "answer.merged.sse").read_bytes()


@pytest.mark.parametrize("run", RUNS)
def test_a_reader_that_comes_back_gets_exactly_the_rest(run: str) -> None:
    entries = golden_run(run)
    for seen in range(1, len(entries) + 1):
        first, second = encoder(include_usage=True), encoder(include_usage=True)
        first.encode(0, entries[:seen])
        second.skip(entries[:seen])
        assert second.start() == b""
        assert second.encode(seen, entries[seen:]) == first.encode(seen, entries[seen:])


def test_skipping_nothing_is_a_start() -> None:
    one = encoder()
    one.skip([])
    assert b'"role":"assistant"' in one.start()


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENT, max_size=8), st.booleans())
def test_any_event_is_ascii_in_frames_of_one_line(run: list[Event], merge: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    stream = encoder(include_usage=True).encode(0, [native.encode(event, 0) for event in run], merge=merge)
    assert stream.isascii()
    assert b"\r" not in stream
    blocks = stream.split(b"\n\n")
    assert blocks.pop() == b""
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.builds(Text, TEXT) | st.builds(Reasoning, TEXT), max_size=12), st.booleans())
def test_a_reader_of_the_format_reads_the_same_words(run: list[Event], merge: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    def words(read: list[Event], kind: type[Event]) -> str:
        text = "".join(event.delta for event in read if isinstance(event, Text | Reasoning) and isinstance(event, kind))
        return json.loads(json.dumps(text)).encode("utf-8", "replace").decode()  # type: ignore[no-any-return]

    entries = [native.encode(event, 0) for event in [*run, events.RunFinished("length")]]
    decoder = Decoder(think=False)
    read = decoder.feed(encoder().encode(0, entries, merge=merge)) + decoder.close()
    assert decoder.finish_reason == "length"
    assert decoder.done
    for kind in (Text, Reasoning):
        assert words(read, kind).replace("\ufffd", "?") == words(run, kind).replace("\ufffd", "?")


def test_the_model_in_the_chunks_is_the_one_that_answers() -> None:
    one = encoder()
    entries = [
        native.encode(event, 0)
        for event in (
            events.RunStarted(run_id="r"),
            Text("a"),
            events.ModelReady('m"\0'),
            Text("b"),
            events.ModelSwitched("m", "n", "why"),
            Text("c"),
        )
    ]
    assert [chunk["model"] for chunk in payloads(one.encode(0, entries))] == ["auto", 'm"\0', "n"]


def test_usage_is_left_out_where_nobody_knows_it() -> None:
    entries = [native.encode(events.RunFinished("stop"), 0)]
    [finish] = payloads(encoder(include_usage=True).encode(0, entries))
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["usage"] is None


def test_usage_counts_nothing_as_zero() -> None:
    entries = [native.encode(event, 0) for event in (events.Usage(estimated=True), events.RunFinished("stop"))]
    *_, last = payloads(encoder(include_usage=True).encode(0, entries))
    assert last["usage"] == {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert last["choices"] == []
    assert all("usage" not in chunk for chunk in payloads(encoder().encode(0, entries)))


@pytest.mark.parametrize("code", [*ProviderError.CODES, "a code to come"])
def test_a_failure_is_an_error_frame_and_never_a_finish(code: str) -> None:
    stream = encoder().encode(0, [native.encode(events.RunFailed(code, "why", retryable=True), 0)])
    assert stream.endswith(b"data: [DONE]\n\n")
    [frame] = payloads(stream)
    assert frame["error"]["message"] == "why"
    assert frame["error"]["code"] == THEIRS.get(code, code)
    fault_of_the_request = {"unknown_model", "context_too_long", "content_filtered"}
    assert (frame["error"]["type"] == "invalid_request_error") == (code in fault_of_the_request)


def test_a_keepalive_has_no_blank_line() -> None:
    assert encoder().keepalive() == b": ping\n"
    assert encoder().content_type == "text/event-stream"


def test_nothing_is_nothing() -> None:
    assert encoder().encode(0, []) == b""
