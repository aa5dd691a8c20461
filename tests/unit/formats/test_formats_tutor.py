"""The tutor's stream, also as its front end's code reads it."""

from typing import Any

import pytest
from cutting import GOLDEN
from five_contracts import contract_run, encoded, parsed

from headrace.core import events
from headrace.core.events import Corrections, Text
from headrace.formats.contract import Failure
from headrace.formats.tutor import Decoder, Done, Encoder, Token

CORRECTION = {
    "original": "Ola",
    "corrected": "Hola",
    "explanation": "«h» is silent",
    "category": "spelling",
    "start": 0,
    "end": 3,
}


def front_end(reads: list[bytes]) -> tuple[str, list[tuple[Any, Any]]]:
    """Return the tokens together and the calls of `onComplete`: `sendMessageStream` of the write-up."""
    full_text = ""
    completed = []
    for data in [each for read in reads for each in parsed(read)]:
        if data.get("token"):
            full_text += data["token"]
        if data.get("done"):
            completed.append((data.get("full_text"), data.get("corrections")))
    return full_text, completed


def last_of(*happened: events.Event) -> Any:
    return parsed(encoded(Encoder(), *happened))[-1]


def test_tokens_are_the_write_ups_byte_for_byte() -> None:
    stream = encoded(Encoder(), Text("¡"), Text("Hola"), Text("!"))
    assert stream == b'data: {"token": "\\u00a1"}\n\ndata: {"token": "Hola"}\n\ndata: {"token": "!"}\n\n'


def test_the_write_ups_stream_is_read() -> None:
    stream = 'data: {"token": "¡"}\n\ndata: {"done": true, "full_text": "¡Hola! ¿Cómo estás?"}\n\n'
    assert Decoder().feed(stream.encode()) == [Token("¡"), Done(done=True, full_text="¡Hola! ¿Cómo estás?")]


def test_the_front_end_gets_the_text_twice_and_the_corrections_once() -> None:
    entries = contract_run("answer")
    encoder = Encoder()
    text, [(full_text, corrections)] = front_end([encoder.encode(seq, [entry]) for seq, entry in enumerate(entries)])
    assert text == full_text == 'Grüße, Привет 你好 مرحبا👩‍👧\r\n\r\u2028"q" \\ data: {}\n\n'
    assert corrections == [CORRECTION]


def test_the_front_end_completes_a_failed_answer_without_a_text() -> None:
    assert front_end([Encoder().encode(0, contract_run("failed"))]) == ("Half an", [(None, None)])


def test_no_thought_is_shown() -> None:
    assert encoded(Encoder(), events.Reasoning("hm")) == b""


@pytest.mark.parametrize("corrections", [[CORRECTION], [], None])
def test_corrections_are_those_of_the_run(corrections: list[dict[str, Any]] | None) -> None:
    assert last_of(Text("a"), Corrections(corrections), events.RunFinished("stop"))["corrections"] == corrections


def test_corrections_that_nobody_made_are_null() -> None:
    assert last_of(Text("a"), events.RunFinished("stop"))["corrections"] is None


def test_corrections_are_never_streamed_on_their_own() -> None:
    assert encoded(Encoder(), Corrections([CORRECTION])) == b""


def test_the_end_names_the_message() -> None:
    started = events.RunStarted(run_id="r", chat_id=1, user_message_id=2, assistant_message_id=3)
    assert last_of(started, events.RunFinished("stop"))["message_id"] == 3


def test_a_stopped_answer_has_the_text_so_far() -> None:
    last = last_of(Text("Once"), Text(" upon"), events.RunStopped("user"))
    assert (last["done"], last["full_text"], last["stopped"]) == (True, "Once upon", True)


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failure_says_whether_to_retry(retryable: bool) -> None:  # noqa: FBT001 - pytest passes it
    failed = events.RunFailed("upstream_error", "No.", retryable)
    [read] = Decoder().feed(encoded(Encoder(), events.RunStarted(run_id="r"), failed))
    assert read == Failure("No.", done=True, code="upstream_error", retryable=retryable, run_id="r")


def test_an_answer_in_one_piece_is_as_the_contract_says() -> None:
    encoder = Encoder()
    encoder.skip(contract_run("answer"))
    assert encoder.reply() + b"\n" == (GOLDEN / "tutor" / "answer.json").read_bytes()
