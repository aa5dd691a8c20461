"""The LAM studio's stream, also as its front end's code reads it, and the turn in one piece."""

import json
from typing import Any

import pytest
from cutting import GOLDEN
from five_contracts import SESSION_KEY, contract_run, encoded, entries_of, parsed

from headrace.core import events
from headrace.core.events import Text
from headrace.formats.contract import Chunk, Thought
from headrace.formats.studio import Decoder, Done, Encoder, Message, Metadata, ReplyEncoder

STARTED = events.RunStarted(run_id="r", chat_id=1, user_message_id=123, assistant_message_id=124, model="lam/a")
QUESTION = Message(2, "user", "Hi", "2025-11-21T07:00:00Z")

WRITE_UP = (
    b'data: {"type": "metadata", "session_id": 1, "user_message_id": 123, "session_key": "user1-abc123"}\n\n'
    b'data: {"type": "chunk", "content": "Hello"}\n\n'
    b'data: {"type": "chunk", "content": "! I\'m"}\n\n'
    b'data: {"type": "chunk", "content": " doing"}\n\n'
    b'data: {"type": "chunk", "content": " well."}\n\n'
    b'data: {"type": "done", "assistant_message_id": 124, "full_content": "Hello! I\'m doing well."}\n\n'
)


class FrontEnd:
    """`chatbotAPI.sendMessageStream` and `handleSendMessage` of the write-up: the messages that the page shows."""

    def __init__(self) -> None:
        self.shown: dict[int, str] = {}
        self.error = ""

    def read(self, value: bytes) -> None:
        for data in parsed(value):
            match data["type"]:
                case "metadata":
                    self.shown[-1] = ""
                case "chunk":
                    self.shown[-1] += data["content"]
                case "done":
                    del self.shown[-1]
                    self.shown[data["assistant_message_id"]] = data["full_content"]
                case "error":
                    del self.shown[-1]
                    self.error = data["message"]
                case _:
                    pass


def encoder() -> Encoder:
    return Encoder(session_key=SESSION_KEY)


def replied(*entries: bytes) -> Any:
    one = ReplyEncoder(user_message=QUESTION, created_at="2025-11-21T07:00:01Z")
    one.skip(entries)
    return json.loads(one.reply())


def test_the_write_ups_stream_is_read() -> None:
    assert Decoder().feed(WRITE_UP) == [
        Metadata(1, 123, "user1-abc123"),
        Chunk("Hello"),
        Chunk("! I'm"),
        Chunk(" doing"),
        Chunk(" well."),
        Done(124, "Hello! I'm doing well."),
    ]


def test_chunks_are_the_write_ups_byte_for_byte() -> None:
    one = encoder()
    one.skip(entries_of(STARTED))
    stream = one.encode(1, entries_of(Text("Hello"), Text("! I'm"), Text(" doing"), Text(" well.")))
    assert stream in WRITE_UP


@pytest.mark.parametrize("run", ["answer", "thoughts", "empty"])
def test_the_front_end_shows_the_answer_under_its_real_id(run: str) -> None:
    page, one = FrontEnd(), encoder()
    for seq, entry in enumerate(contract_run(run)):
        page.read(one.encode(seq, [entry]))
    done = parsed((GOLDEN / "studio" / f"{run}.sse").read_bytes())[-1]
    assert page.shown == {done["assistant_message_id"]: done["full_content"]}


@pytest.mark.parametrize("run", ["failed", "interrupted", "refused"])
def test_the_front_end_clears_the_half_made_message_of_a_run_that_broke(run: str) -> None:
    page = FrontEnd()
    page.read(encoder().encode(0, contract_run(run)))
    assert page.shown == {}
    assert page.error


def test_the_metadata_comes_at_once() -> None:
    assert Decoder().feed(encoded(encoder(), STARTED)) == [Metadata(1, 123, SESSION_KEY, "r")]


def test_an_answer_that_was_cut_into_pieces_says_so() -> None:
    simulated = events.RunStarted(run_id="r", chat_id=1, user_message_id=2, simulated=True)
    [said] = parsed(encoded(encoder(), simulated))
    assert said["simulated"] is True


def test_an_answer_that_was_streamed_says_nothing_of_it() -> None:
    [said] = parsed(encoded(encoder(), STARTED))
    assert "simulated" not in said


def test_thoughts_are_events_of_their_own() -> None:
    _, thought = Decoder().feed(encoded(encoder(), STARTED, events.Reasoning("hm")))
    assert thought == Thought("hm")


def test_a_stopped_answer_has_the_text_so_far() -> None:
    *_, done = parsed(encoded(encoder(), STARTED, Text("Once"), events.RunStopped("user")))
    assert (done["type"], done["full_content"], done["stopped"]) == ("done", "Once", True)


def test_a_turn_in_one_piece_is_as_the_contract_says() -> None:
    one = ReplyEncoder(user_message=QUESTION, created_at="2025-11-21T07:00:01Z")
    one.skip(contract_run("answer"))
    assert one.reply() + b"\n" == (GOLDEN / "studio" / "answer.json").read_bytes()


def test_a_turn_in_one_piece_that_was_stopped_says_so_of_the_answer() -> None:
    answer = replied(*contract_run("stopped"))["assistant_message"]
    assert (answer["content"], answer["stopped"]) == ("Once upon", True)


def test_a_turn_in_one_piece_that_failed_is_the_error_event() -> None:
    assert replied(*contract_run("failed")) == parsed((GOLDEN / "studio" / "failed.sse").read_bytes())[-1]
