"""The stream of the chat about documents: sources, chunks, and the end."""

from typing import Any

import pytest
from cutting import GOLDEN
from five_contracts import contract_run, encoded, entries_of, parsed

from headrace.core import events
from headrace.core.events import Sources, Text
from headrace.formats.contract import Chunk, Error, Thought
from headrace.formats.documents import Decoder, Done, Encoder, Start

SOURCE = {"id": 1, "document_id": 5, "title": "Größe", "page": 4, "snippet": "Say hello.", "score": 0.5}
STARTED = events.RunStarted(run_id="r", chat_id=1, user_message_id=2, assistant_message_id=3, model="box/a")

WRITE_UP = (
    b'data: {"type": "start", "userMessageId": 1, "sources": []}\n\n'
    b'data: {"type": "chunk", "content": "This document"}\n\n'
    b'data: {"type": "chunk", "content": " is about"}\n\n'
    b'data: {"type": "chunk", "content": " risk management"}\n\n'
    b'data: {"type": "done", "assistantMessageId": 2, "fullResponse": "...", "sources": []}\n\n'
)


def read(*happened: events.Event, searches: bool = False) -> list[Any]:
    return Decoder().feed(encoded(Encoder(searches=searches), *happened))


def test_the_write_ups_stream_is_read() -> None:
    assert Decoder().feed(WRITE_UP) == [
        Start(1, []),
        Chunk("This document"),
        Chunk(" is about"),
        Chunk(" risk management"),
        Done(2, "...", []),
    ]


def test_chunks_are_the_write_ups_byte_for_byte() -> None:
    encoder = Encoder()
    encoder.skip(entries_of(STARTED))
    stream = encoder.encode(1, entries_of(Text("This document"), Text(" is about"), Text(" risk management")))
    assert stream in WRITE_UP


def test_the_front_end_gets_chunks_and_one_completion() -> None:
    encoder = Encoder()
    reads = [encoder.encode(seq, [entry]) for seq, entry in enumerate(contract_run("answer"))]
    said = [each for each_read in reads for each in parsed(each_read)]
    chunks = [each["content"] for each in said if each["type"] == "chunk"]
    [done] = [each for each in said if each["type"] == "done"]
    assert "".join(chunks) == done["fullResponse"]
    assert (done["assistantMessageId"], done["sources"]) == (3, [SOURCE])


def test_the_start_comes_at_once_where_nothing_is_searched() -> None:
    assert read(STARTED) == [Start(2, [], "r")]


def test_sources_that_come_after_the_start_are_in_the_end() -> None:
    start, done = read(STARTED, Sources([SOURCE]), events.RunFinished("stop"))
    assert (start.sources, done.sources) == ([], [SOURCE])


def test_the_start_of_a_search_waits_for_its_sources() -> None:
    assert read(STARTED, events.RunQueued(1), searches=True) == []
    assert read(STARTED, events.RunQueued(1), Sources([SOURCE]), searches=True) == [Start(2, [SOURCE], "r")]


def test_a_search_that_finds_nothing_starts_too() -> None:
    assert read(STARTED, Sources([]), searches=True) == [Start(2, [], "r")]


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (Text("a"), Chunk("a")),
        (events.Reasoning("hm"), Thought("hm")),
        (
            events.RunFailed("internal", "No.", retryable=True),
            Error("No.", code="internal", retryable=True, run_id="r"),
        ),
    ],
)
def test_a_search_that_never_tells_its_sources_starts_before_the_first_thing_said(
    happened: events.Event, said: Any
) -> None:
    assert read(STARTED, happened, searches=True) == [Start(2, [], "r"), said]


def test_a_search_is_encoded_as_the_contract_says() -> None:
    stream = Encoder(searches=True).encode(0, contract_run("answer"))
    assert stream == (GOLDEN / "documents" / "answer.searched.sse").read_bytes()


def test_a_stopped_answer_has_the_text_so_far() -> None:
    *_, done = parsed(encoded(Encoder(), STARTED, Text("Once"), events.RunStopped("user")))
    assert (done["type"], done["fullResponse"], done["stopped"]) == ("done", "Once", True)


def test_an_answer_in_one_piece_is_as_the_contract_says() -> None:
    encoder = Encoder()
    encoder.skip(contract_run("answer"))
    assert encoder.reply() + b"\n" == (GOLDEN / "documents" / "answer.json").read_bytes()
