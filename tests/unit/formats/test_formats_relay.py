"""Relay's two streams, and the answer in one piece."""

import json

from cutting import GOLDEN
from five_contracts import contract_run, encoded, parsed

from headrace.core import events
from headrace.core.events import Reasoning, Text
from headrace.formats.contract import Counts, Failure
from headrace.formats.relay import (
    ChatDecoder,
    ChatDone,
    ChatEncoder,
    ChatError,
    ChatReasoning,
    ChatToken,
    Done,
    GenerateDecoder,
    GenerateEncoder,
    Token,
)

HELLO = (Text("Hello"), Text(" there"), Text("!"))

WRITE_UP_GENERATE = (
    b'data: {"token": "Hello", "done": false}\n\n'
    b'data: {"token": " there", "done": false}\n\n'
    b'data: {"token": "!", "done": false}\n\n'
)
WRITE_UP_CHAT = (
    b'data: {"type": "token", "content": "Hello"}\n\n'
    b'data: {"type": "token", "content": " there"}\n\n'
    b'data: {"type": "token", "content": "!"}\n\n'
)


def test_a_completions_tokens_are_the_write_ups_byte_for_byte() -> None:
    assert encoded(GenerateEncoder(), *HELLO) == WRITE_UP_GENERATE


def test_a_chats_tokens_are_the_write_ups_byte_for_byte() -> None:
    assert encoded(ChatEncoder(), *HELLO) == WRITE_UP_CHAT


def test_the_write_ups_completion_is_read() -> None:
    stream = WRITE_UP_GENERATE + b'data: {"done": true}\n\n'
    assert GenerateDecoder().feed(stream) == [Token("Hello"), Token(" there"), Token("!"), Done()]


def test_the_write_ups_chat_is_read() -> None:
    assert ChatDecoder().feed(WRITE_UP_CHAT) == [ChatToken("Hello"), ChatToken(" there"), ChatToken("!")]


def test_a_completion_ends_with_done_and_the_figures() -> None:
    *_, last = GenerateDecoder().feed((GOLDEN / "relay" / "answer.generate.sse").read_bytes())
    counts = Counts(input_tokens=12, output_tokens=9, reasoning_tokens=0, cached_tokens=4, estimated=False)
    assert last == Done(run_id="run_7", usage=counts, tokens_per_second=45.5, finish_reason="stop")


def test_a_completion_leaves_thoughts_out() -> None:
    assert encoded(GenerateEncoder(), Reasoning("hm")) == b""


def test_a_chat_calls_thoughts_reasoning() -> None:
    stream = encoded(ChatEncoder(), Reasoning("“hm”\n"))
    assert stream == b'data: {"type": "reasoning", "content": "\\u201chm\\u201d\\n"}\n\n'
    assert ChatDecoder().feed(stream) == [ChatReasoning("“hm”\n")]


def test_every_event_of_a_completion_says_whether_it_is_the_last() -> None:
    for run in ("answer", "stopped", "failed", "interrupted", "empty", "refused"):
        said = parsed(GenerateEncoder().encode(0, contract_run(run)))
        assert [each["done"] for each in said] == [False] * (len(said) - 1) + [True]


def test_a_failed_completion_is_an_error_and_done() -> None:
    failed = events.RunFailed("bad_key", "No key.", retryable=False)
    [read] = GenerateDecoder().feed(encoded(GenerateEncoder(), events.RunStarted(run_id="r"), failed))
    assert read == Failure("No key.", done=True, code="bad_key", retryable=False, run_id="r")


def test_a_chats_end_tells_the_chat() -> None:
    [read] = ChatDecoder().feed(
        encoded(ChatEncoder(), events.RunStarted(run_id="r", chat_id=9), events.RunFinished("stop"))
    )
    assert isinstance(read, ChatDone)
    assert read.session_id == 9


def test_a_chats_error_tells_the_chat_that_the_request_may_have_made() -> None:
    failed = events.RunFailed("bad_key", "No key.", retryable=False)
    [read] = ChatDecoder().feed(encoded(ChatEncoder(), events.RunStarted(run_id="r", chat_id=9), failed))
    assert read == ChatError("No key.", 9, code="bad_key", retryable=False, run_id="r")


def test_a_completion_in_one_piece_is_as_the_contract_says() -> None:
    encoder = GenerateEncoder()
    encoder.skip(contract_run("answer"))
    assert encoder.reply() + b"\n" == (GOLDEN / "relay" / "answer.generate.json").read_bytes()


def test_a_completion_in_one_piece_names_the_model_that_answered() -> None:
    encoder = GenerateEncoder()
    happened = (
        events.RunStarted(run_id="r", model="box/a"),
        events.ModelReady("box/b"),
        events.RunFinished("stop"),
    )
    encoded(encoder, *happened)
    assert json.loads(encoder.reply())["model"] == "box/b"
