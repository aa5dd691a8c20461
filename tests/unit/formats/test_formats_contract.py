"""The rules that hold for all five contracts, over the encoder and the decoder of each."""

import json
from typing import Any

import msgspec
import pytest
from any_events import EVENT, TEXT
from cutting import byte_by_byte, many_cuts, same_however_cut
from five_contracts import BROKEN, DOORS, GOLDEN_RUNS, RUNS, Door, contract_run, encoded, entries_of, parsed, piece_of
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.errors import ProviderError
from headrace.core.events import Event, Reasoning, Text
from headrace.formats import contract, native, relay, tutor
from headrace.formats.port import StreamEncoder

EVERY = pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
A_DOOR = st.sampled_from(list(DOORS.values()))
FIGURES = {"run_id", "usage", "tokens_per_second", "finish_reason"}
THREE_TOKENS = b'data: {"token": "a"}\n\ndata: {"token": "b"}\n\ndata: {"token": "c"}\n\n'


def decoded(door: Door, pieces: list[bytes]) -> list[Any]:
    decoder = door.decoder()
    read = [each for piece in pieces for each in decoder.feed(piece)]
    decoder.close()
    return read


def outcome(decoder: contract.Decoder[Any], pieces: list[bytes]) -> tuple[list[Any], str]:
    """Return what a stream says, and how it failed."""
    read: list[Any] = []
    try:
        for piece in pieces:
            read += decoder.feed(piece)
        decoder.close()
    except ProviderError as error:
        return read, error.code
    return read, ""


def text_of(entries: list[bytes]) -> str:
    return "".join(event.delta for event in map(native.decode, entries) if isinstance(event, Text))


def written(text: str) -> str:
    """Return the text as it comes out of JSON: two halves of a pair that stand side by side are one character."""
    return str(json.loads(json.dumps(text)))


@pytest.mark.parametrize("run", RUNS)
def test_the_golden_runs_are_entries_as_the_journal_has_them(run: str) -> None:
    entries = contract_run(run)
    assert [native.encode(native.decode(entry), native.time_of(entry)) for entry in entries] == entries


@pytest.mark.parametrize(("name", "run"), GOLDEN_RUNS)
def test_golden_runs_are_encoded_as_the_contract_says(name: str, run: str) -> None:
    door, entries = DOORS[name], contract_run(run)
    whole: StreamEncoder = door.encoder()
    assert whole.content_type == "text/event-stream"
    assert whole.start() + whole.encode(0, entries) == door.stream(run)
    single = door.encoder()
    assert b"".join(single.encode(seq, [entry]) for seq, entry in enumerate(entries)) == door.stream(run)


@pytest.mark.parametrize(("name", "run"), GOLDEN_RUNS)
def test_golden_streams_are_decoded_to_what_they_say(name: str, run: str) -> None:
    door = DOORS[name]
    stream = door.stream(run)
    read = decoded(door, [stream])
    assert [json.loads(json.dumps(msgspec.to_builtins(each))) for each in read] == parsed(stream)
    assert decoded(door, byte_by_byte(stream)) == read


@EVERY
def test_a_stream_is_decoded_alike_however_it_is_cut(door: Door) -> None:
    run = "answer" if "searched" in door.golden else "failed"
    same_however_cut(lambda pieces: decoded(door, pieces), door.stream(run))


@pytest.mark.parametrize(("name", "run"), GOLDEN_RUNS)
def test_each_write_split_at_newlines_and_parsed_part_by_part_is_the_whole_stream(name: str, run: str) -> None:
    door = DOORS[name]
    encoder = door.encoder()
    writes = [encoder.encode(seq, [entry]) for seq, entry in enumerate(contract_run(run))]
    said = [each for write in writes for each in parsed(write)]
    assert said == parsed(door.stream(run))
    assert "".join(map(piece_of, said)) == text_of(contract_run(run))


@pytest.mark.parametrize(("name", "run"), GOLDEN_RUNS)
def test_a_reader_that_comes_back_gets_exactly_the_rest(name: str, run: str) -> None:
    door, entries = DOORS[name], contract_run(run)
    for seen in range(len(entries) + 1):
        first, second = door.encoder(), door.encoder()
        first.encode(0, entries[:seen])
        second.skip(entries[:seen])
        assert second.start() == b""
        assert second.encode(seen, entries[seen:]) == first.encode(seen, entries[seen:])


@settings(max_examples=200, deadline=None)
@given(A_DOOR, st.lists(EVENT, max_size=8), st.booleans())
def test_any_event_is_ascii_in_frames_with_one_line_of_data(door: Door, run: list[Event], merge: bool) -> None:  # noqa: FBT001 - hypothesis passes it
    stream = door.encoder().encode(0, entries_of(*run), merge=merge)
    assert stream.isascii()
    lines = stream.decode().split("\n")
    assert stream.decode().splitlines() == lines[:-1]
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == ""
    for block in blocks:
        *head, data = block.split("\n")
        said = json.loads(data.removeprefix("data: "))
        assert head == ([f"event: {said['type']}"] if door.golden.startswith("multimodel") else [])


@settings(max_examples=200, deadline=None)
@given(A_DOOR, st.lists(st.builds(Text, TEXT) | st.builds(Reasoning, TEXT), max_size=12), st.booleans(), st.data())
def test_what_is_decoded_has_the_text_that_was_encoded(
    door: Door,
    run: list[Event],
    merge: bool,  # noqa: FBT001 - hypothesis passes it
    data: st.DataObject,
) -> None:
    stream = door.encoder().encode(0, entries_of(*run, events.RunFinished("stop")), merge=merge)
    read = [msgspec.to_builtins(each) for each in decoded(door, data.draw(many_cuts(stream)))]
    text = "".join(event.delta for event in run if isinstance(event, Text))
    assert written("".join(map(piece_of, read))) == written(text)
    thoughts = "".join(event.delta for event in run if isinstance(event, Reasoning))
    seen = "".join(said["content"] for said in read if said.get("type") in {"thought", "reasoning"})
    assert written(seen) == (written(thoughts) if door.shows_thoughts else "")


@settings(max_examples=200, deadline=None)
@given(A_DOOR, st.lists(EVENT, max_size=8), st.data())
def test_any_stream_is_decoded_alike_however_it_is_cut(door: Door, run: list[Event], data: st.DataObject) -> None:
    stream = encoded(door.encoder(), *run)
    whole = outcome(door.decoder(), [stream])
    assert whole[1] in {"", "upstream_closed"}
    assert outcome(door.decoder(), data.draw(many_cuts(stream))) == whole
    assert outcome(door.decoder(), byte_by_byte(stream)) == whole


@EVERY
def test_a_reader_that_is_behind_gets_adjacent_text_as_one_piece(door: Door) -> None:
    entries = entries_of(Text("a"), Text("é"), Reasoning("t"), Text("b"), Text("c"))
    pieces = [piece_of(said) for said in parsed(door.encoder().encode(0, entries, merge=True))]
    assert [piece for piece in pieces if piece] == ["aé", "bc"]


@EVERY
def test_half_a_character_is_passed_on(door: Door) -> None:
    said = parsed(encoded(door.encoder(), Text("\ud83d"), Text("\ude00 é"), events.RunFinished("stop")))
    assert [piece for piece in map(piece_of, said) if piece] == ["\ud83d", "\ude00 é"]
    whole = [value for name, value in said[-1].items() if name.startswith("full")]
    assert whole in ([], ["😀 é"])


@EVERY
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_the_closing_event_tells_why_the_model_ended(door: Door, reason: events.FinishReason) -> None:
    last = parsed(encoded(door.encoder(), events.RunStarted(run_id="r"), events.RunFinished(reason)))[-1]
    assert last.keys() >= FIGURES
    assert last["finish_reason"] == reason
    assert "stopped" not in last


@EVERY
def test_the_closing_event_of_a_stopped_run_says_stopped_and_no_reason(door: Door) -> None:
    last = parsed(encoded(door.encoder(), Text("a"), events.RunStopped("user")))[-1]
    assert last.keys() >= FIGURES
    assert (last["stopped"], last["finish_reason"]) == (True, None)


@EVERY
def test_counts_that_nobody_made_are_null(door: Door) -> None:
    last = parsed(encoded(door.encoder(), events.RunFinished("stop")))[-1]
    assert last["usage"] == {
        "input_tokens": None,
        "output_tokens": None,
        "reasoning_tokens": None,
        "cached_tokens": None,
        "estimated": True,
    }
    assert last["tokens_per_second"] is None


@pytest.mark.parametrize("run", BROKEN)
@pytest.mark.parametrize("name", [name for name in DOORS if name != "documents.searched"])
def test_a_run_that_broke_ends_with_an_error_and_never_with_a_closing_event(name: str, run: str) -> None:
    *before, last = decoded(DOORS[name], [DOORS[name].stream(run)])
    assert isinstance(last, contract.Failed)
    assert not any(isinstance(each, contract.Closing | contract.Failed) for each in before)


@EVERY
@pytest.mark.parametrize("reason", ["crash", "shutdown"])
def test_an_interrupted_run_is_a_failure_that_can_be_tried_again(door: Door, reason: events.InterruptReason) -> None:
    last = parsed(encoded(door.encoder(), events.RunInterrupted(reason)))[-1]
    assert (last["code"], last["retryable"]) == ("interrupted", True)


@pytest.mark.parametrize(("name", "run"), GOLDEN_RUNS)
def test_the_first_event_with_fields_beside_a_token_names_the_run(name: str, run: str) -> None:
    pieces = ({"token"}, {"token", "done"}, {"type", "content"})
    first = next(said for said in parsed(DOORS[name].stream(run)) if said.keys() not in pieces)
    assert first["run_id"] == json.loads(contract_run(run)[0])["run_id"]


@EVERY
def test_what_a_contract_has_no_place_for_is_left_out(door: Door) -> None:
    unsaid = (
        events.RunQueued(1),
        events.PromptProgress(1, 2),
        events.Image("image/png", "aaaa"),
        events.ToolCall("c", "f", "{}"),
        events.ToolResult("c", "42"),
    )
    started = entries_of(events.RunStarted(run_id="r", model="m"), events.Sources([]))
    encoder = door.encoder()
    encoder.skip(started)
    assert encoder.encode(len(started), entries_of(*unsaid)) == b""


@EVERY
def test_a_keepalive_between_two_events_is_no_event(door: Door) -> None:
    encoder = door.encoder()
    keepalive = encoder.keepalive()
    assert keepalive == b": ping\n\n"
    first, last = encoder.encode(0, entries_of(Text("a"))), encoder.encode(1, entries_of(events.RunFinished("stop")))
    assert parsed(keepalive) == []
    assert decoded(door, [first, keepalive, last]) == decoded(door, [first, last])


@EVERY
def test_nothing_is_nothing(door: Door) -> None:
    encoder = door.encoder()
    encoder.skip([])
    assert encoder.start() == b""
    assert encoder.encode(0, []) == b""


@EVERY
def test_only_a_run_that_has_ended_has_a_reply(door: Door) -> None:
    encoder = door.encoder()
    encoder.skip(entries_of(events.RunStarted(run_id="r"), Text("a")))
    with pytest.raises(ValueError, match="ended"):
        encoder.reply()


@EVERY
@pytest.mark.parametrize("run", BROKEN)
def test_the_reply_of_a_run_that_broke_is_its_error_event(door: Door, run: str) -> None:
    encoder = door.encoder()
    encoder.skip(contract_run(run))
    assert json.loads(encoder.reply()) == parsed(encoded(door.encoder(), *map(native.decode, contract_run(run))))[-1]


@EVERY
@pytest.mark.parametrize("run", ["answer", "stopped", "empty"])
def test_the_reply_is_the_closing_event_with_the_text(door: Door, run: str) -> None:
    encoder = door.encoder()
    for entry in contract_run(run):
        encoder.skip([entry])
    reply = json.loads(encoder.reply())
    closing = parsed(encoded(door.encoder(), *map(native.decode, contract_run(run))))[-1]
    assert reply.items() >= closing.items()
    texts = {"response", "content", "full_text", "fullResponse", "full_content"} & reply.keys()
    assert [reply[name] for name in texts] == [text_of(contract_run(run))]


@EVERY
def test_a_refused_request_is_told_in_the_shape_of_the_error_event(door: Door) -> None:
    refusal = json.loads(door.encoder().refusal("There is no chat 9.", code="not_found"))
    failed = parsed(encoded(door.encoder(), events.RunFailed("internal", "x", retryable=True)))[-1]
    assert refusal.keys() == failed.keys() - {"run_id"}
    assert refusal.get("error", refusal.get("message")) == "There is no chat 9."
    assert (refusal["code"], refusal["retryable"]) == ("not_found", False)


@EVERY
def test_a_stream_that_just_ends_was_cut(door: Door) -> None:
    stream = encoded(door.encoder(), events.RunStarted(run_id="r", model="m"), Text("a"))
    read, code = outcome(door.decoder(), [stream])
    assert (len(read) > 0, code) == (True, "upstream_closed")


@EVERY
def test_nothing_is_read_after_the_last_event(door: Door) -> None:
    stream = door.stream("answer")
    assert decoded(door, [stream + stream]) == decoded(door, [stream, stream]) == decoded(door, [stream])


@EVERY
def test_a_client_ignores_what_it_does_not_know(door: Door) -> None:
    stream = encoded(door.encoder(), Text("a"), events.RunFinished("stop"))
    new = b'event: progress\ndata: {"type": "progress", "percent": 40}\n\n'
    assert decoded(door, [new + stream]) == decoded(door, [stream])
    more = stream.replace(b"}\n\n", b', "new": [1]}\n\n')
    assert decoded(door, [more]) == decoded(door, [stream])


@EVERY
@pytest.mark.parametrize("bad", [b"{", b"[1]", b'"\xff"', b"null", b'{"type": [], "error": 2}'])
def test_what_is_no_event_of_the_contract_is_an_error_after_the_events_before_it(door: Door, bad: bytes) -> None:
    stream = encoded(door.encoder(), Text("a"))
    before = outcome(door.decoder(), [stream])[0]
    garbled = stream + b"data: " + bad + b"\n\n" + stream
    assert outcome(door.decoder(), [garbled]) == (before, "upstream_garbled")
    assert outcome(door.decoder(), byte_by_byte(garbled)) == (before, "upstream_garbled")


@EVERY
def test_a_piece_that_is_no_text_is_an_error(door: Door) -> None:
    stream = encoded(door.encoder(), Text("a")).replace(b'"a"', b"5")
    assert outcome(door.decoder(), [stream])[1] == "upstream_garbled"


def test_a_failure_is_raised_again_and_nothing_more_is_read() -> None:
    decoder = tutor.Decoder()
    assert decoder.feed(THREE_TOKENS + b"data: {\n\n") == [tutor.Token("a"), tutor.Token("b"), tutor.Token("c")]
    for again in (lambda: decoder.feed(THREE_TOKENS), lambda: decoder.feed(b""), decoder.close):
        with pytest.raises(ProviderError) as raised:
            again()
        assert raised.value.code == "upstream_garbled"
    assert not decoder.done


def test_done_says_that_the_last_event_was_read() -> None:
    decoder = relay.GenerateDecoder()
    decoder.feed(THREE_TOKENS)
    assert not decoder.done
    decoder.feed(b'data: {"done": true}\n\n')
    assert decoder.done
