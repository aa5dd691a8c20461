"""The multi-model chat's stream: who answers, what becomes of the model, and the text."""

import json
from typing import Any

import pytest
from cutting import GOLDEN
from five_contracts import contract_run, encoded, entries_of, parsed

from headrace.core import events
from headrace.core.events import Event, ModelLoading, ModelReady, ModelSwitched, Text
from headrace.formats.contract import Chunk, Error, Thought
from headrace.formats.multimodel import Complete, Decoder, Encoder, Model, ModelState, Route, Start

BOX_A = Model("box/a", "a", "box")
BOX_B = Model("box/b", "b", "box")
STARTED = events.RunStarted(
    run_id="r", chat_id=1, user_message_id=2, assistant_message_id=3, model="box/a", route=events.Route("code", "why")
)
UNKNOWN = events.RunStarted(run_id="r", chat_id=1, user_message_id=2, assistant_message_id=3)


def read(*happened: Event) -> list[Any]:
    return Decoder().feed(encoded(Encoder(), *happened))


def buffered(stream: bytes) -> list[tuple[str, Any]]:
    """Return what a front end reads that keeps a buffer and splits it at blank lines."""
    said = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        said.append((fields["event"], json.loads(fields["data"])))
    return said


def test_a_chunk_is_an_event_line_and_a_data_line() -> None:
    encoder = Encoder()
    encoder.skip(entries_of(STARTED))
    frame = encoder.encode(1, entries_of(Text("Hi")))
    assert frame == b'event: chunk\ndata: {"type": "chunk", "content": "Hi"}\n\n'


def test_thoughts_are_events_of_their_own() -> None:
    encoder = Encoder()
    encoder.skip(entries_of(STARTED))
    frame = encoder.encode(1, entries_of(events.Reasoning("hm")))
    assert frame == b'event: thought\ndata: {"type": "thought", "content": "hm"}\n\n'
    assert Decoder().feed(frame) == [Thought("hm")]


@pytest.mark.parametrize("run", ["answer", "thoughts", "stopped", "failed", "interrupted", "empty", "refused"])
def test_the_data_repeats_the_events_name(run: str) -> None:
    said = buffered((GOLDEN / "multimodel" / f"{run}.sse").read_bytes())
    assert [name for name, _ in said] == [data["type"] for _, data in said]


def test_the_start_tells_who_answers_and_why() -> None:
    assert read(STARTED) == [Start(BOX_A, Route("code", "why"), 2, 3, "r")]


def test_a_run_without_a_route_says_nothing_of_one() -> None:
    [start] = parsed(encoded(Encoder(), events.RunStarted(run_id="r", model="box/a")))
    assert start["route"] == {"category": "", "reason": ""}


def test_the_start_waits_until_it_is_known_who_answers() -> None:
    assert read(UNKNOWN, events.RunQueued(1)) == []
    assert read(UNKNOWN, events.RunQueued(1), ModelReady("box/b")) == [Start(BOX_B, Route(), 2, 3, "r")]


def test_the_start_comes_before_all_else_even_where_nobody_answers() -> None:
    nobody = Start(Model(None, None, None), Route(), 2, 3, "r")
    error = Error("No.", code="unknown_model", retryable=False, run_id="r")
    assert read(UNKNOWN, events.RunFailed("unknown_model", "No.", retryable=False)) == [nobody, error]
    assert read(UNKNOWN, Text("a")) == [nobody, Chunk("a")]


@pytest.mark.parametrize(
    ("model_id", "model"),
    [
        ("box/a", BOX_A),
        ("hub/meta-llama/Llama-3", Model("hub/meta-llama/Llama-3", "meta-llama/Llama-3", "hub")),
        ("bare", Model("bare", "bare", None)),
    ],
)
def test_a_model_is_its_id_its_name_and_its_provider(model_id: str, model: Model) -> None:
    [start] = read(events.RunStarted(run_id="r", model=model_id))
    assert start.model == model


def test_loading_is_told_with_its_progress_where_it_is_known() -> None:
    _, *said = parsed(encoded(Encoder(), STARTED, ModelLoading("box/a"), ModelLoading("box/a", 0.5)))
    assert [(each["state"], each.get("progress", "unknown")) for each in said] == [
        ("loading", "unknown"),
        ("loading", 0.5),
    ]


def test_a_model_that_was_loading_is_ready() -> None:
    assert read(STARTED, ModelLoading("box/a"), ModelReady("box/a"))[2:] == [ModelState("ready", BOX_A)]


def test_a_model_that_is_there_already_is_not_spoken_of() -> None:
    assert read(STARTED, ModelReady("box/a"))[1:] == []
    assert read(STARTED, ModelLoading("box/a"), ModelReady("box/a"), ModelReady("box/a"))[3:] == []


def test_another_model_than_said_before_is_a_switch() -> None:
    assert read(STARTED, ModelReady("box/b"))[1:] == [ModelState("switched", BOX_B)]


def test_a_switch_tells_from_what_and_why() -> None:
    _, said = parsed(encoded(Encoder(), STARTED, ModelSwitched("box/a", "box/b", "no room")))
    assert said == {
        "type": "model",
        "state": "switched",
        "model": {"id": "box/b", "name": "b", "provider": "box"},
        "from": {"id": "box/a", "name": "a", "provider": "box"},
        "reason": "no room",
    }


def test_after_a_switch_the_new_model_is_not_told_again() -> None:
    assert read(STARTED, ModelSwitched("box/a", "box/b", "no room"), ModelReady("box/b"))[2:] == []


def test_the_end_has_the_real_ids_and_the_model_that_answered() -> None:
    *_, last = read(STARTED, ModelReady("box/b"), Text("a"), events.RunFinished("stop"))
    assert isinstance(last, Complete)
    assert (last.user_message_id, last.assistant_message_id, last.model) == (2, 3, BOX_B)


def test_what_was_streamed_is_not_sent_again_at_the_end() -> None:
    *_, last = parsed(encoded(Encoder(), STARTED, Text("a"), events.RunFinished("stop")))
    assert "content" not in last


def test_an_error_has_the_fields_that_the_contract_lists() -> None:
    *_, last = parsed(encoded(Encoder(), STARTED, events.RunFailed("overloaded", "Full.", retryable=True)))
    assert last.items() >= {"type": "error", "message": "Full.", "code": "overloaded", "retryable": True}.items()


def test_an_answer_in_one_piece_is_as_the_contract_says() -> None:
    encoder = Encoder()
    encoder.skip(contract_run("answer"))
    assert encoder.reply() + b"\n" == (GOLDEN / "multimodel" / "answer.json").read_bytes()
