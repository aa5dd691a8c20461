"""A chunk that repeats the one before but for its text is known by its bytes, and says what it would say if decoded."""

import json
from typing import Any

import pytest
from chat_chunks import STOP, chunk, read, stream
from cutting import byte_by_byte
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.errors import ProviderError
from headrace.core.events import Event, Extra, Text
from headrace.formats.openai_chat import Decoder
from headrace.formats.openai_chat_repeat import Repeat

HEAD: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
FRAME = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
TEXTS = [
    "a",
    " b",
    "é",
    "👋",
    'say "no"',
    "back\\slash",
    "line\nline",
    "\u2028",
    "\x7f",
    "\ud83d",
    "\udc4b",
    "",
    "<think>",
]
HOSTILE = [
    b"a",
    b'"',
    b"\\",
    b"\\n",
    b"\\u00e9",
    b"\xff",
    b"\xc3\xa9",
    b"\x00",
    b"\r",
    b"\n",
    b'"},"finish_reason":"stop',
    b'","x":"y',
]


def outcome(pieces: list[bytes], *, extras: bool) -> tuple[list[Event], str]:
    decoder = Decoder(think=False, extras=extras)
    said: list[Event] = []
    try:
        for piece in pieces:
            said += decoder.feed(piece)
        said += decoder.flush()
        said += decoder.close()
    except ProviderError as error:
        return said, str(error)
    return said, str(decoder.finish_reason)


@pytest.mark.parametrize("extras", [False, True])
@given(frames=st.lists(st.lists(st.sampled_from(HOSTILE), max_size=4).map(b"".join), max_size=12))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_the_place_of_the_text_means_what_it_means_byte_by_byte(
    *, extras: bool, frames: list[bytes]
) -> None:
    whole = [FRAME % text for text in [b"first", b"second", *frames]]
    assert outcome(whole, extras=extras) == outcome(byte_by_byte(b"".join(whole)), extras=extras)


@pytest.mark.parametrize("extras", [False, True])
@given(
    chunks=st.lists(
        st.tuples(
            st.sampled_from(TEXTS),
            st.sampled_from([{}, {"created": 2}, {"usage": {"prompt_tokens": 3}}, {"system_fingerprint": "f"}]),
            st.sampled_from([{}, {"role": "assistant"}, {"reasoning_content": "hm"}, {"annotations": [1]}]),
            st.booleans(),
        ),
        max_size=12,
    )
)
@settings(max_examples=300, deadline=None)
def test_chunks_of_every_kind_in_turn_mean_what_they_mean_byte_by_byte(
    *, extras: bool, chunks: list[tuple[str, dict[str, Any], dict[str, Any], bool]]
) -> None:
    whole = [
        b"data: %b\n\n"
        % json.dumps(chunk({"content": text, **delta}, **{**HEAD, **rest}), ensure_ascii=ascii_only).encode(
            errors="replace"
        )
        for text, rest, delta, ascii_only in [("first", {}, {}, True), ("second", {}, {}, True), *chunks]
    ]
    assert outcome(whole, extras=extras) == outcome(byte_by_byte(b"".join(whole)), extras=extras)


def test_a_text_that_stands_in_the_chunk_twice_is_read_where_it_is_the_answer() -> None:
    bodies = [
        stream({"note": {"content": note}, **chunk({"content": text})}, done=False)
        for note, text in [("a", "a"), ("a", "a"), ("b", "a"), ("a", "c")]
    ]
    assert read([*bodies, stream(STOP)])[0] == [Text("a"), Text("a"), Text("a"), Text("c")]


def test_what_a_chunk_says_anew_is_told_though_the_ones_around_it_repeat() -> None:
    bodies = [
        stream(chunk({"content": "a"}, **HEAD, system_fingerprint=fingerprint), done=False)
        for fingerprint in ("one", "one", "one", "two", "one", "one")
    ]
    decoder = Decoder(extras=True)
    said = [event for body in bodies for event in decoder.feed(body)]
    assert [event.chunk for event in said if isinstance(event, Extra)] == [
        {"system_fingerprint": name} for name in ("one", "two", "one")
    ]


def test_a_frame_that_was_begun_before_is_not_taken_for_a_repeat() -> None:
    decoder = Decoder(think=False)
    assert decoder.feed(FRAME % b"a") == [Text("a")]
    assert decoder.feed(b"event: error\n") == []
    with pytest.raises(ProviderError):
        decoder.feed(FRAME % b"b")


@pytest.mark.parametrize(
    "end", [DONE, (FRAME % b"").replace(b"null", b'"stop"') + DONE], ids=["without a reason", "with one"]
)
def test_what_repeats_after_the_end_is_not_read(end: bytes) -> None:
    decoder = Decoder(think=False)
    assert decoder.feed(FRAME % b"a") == [Text("a")]
    assert decoder.feed(FRAME % b"b" + end) == [Text("b")]
    assert (decoder.done, decoder.repeat.text(FRAME % b"c")) == (True, "")


def test_what_repeats_after_the_body_was_closed_is_not_read() -> None:
    decoder = Decoder(think=False)
    assert decoder.feed(FRAME % b"a") == [Text("a")]
    with pytest.raises(ProviderError):
        decoder.close()
    assert decoder.repeat.text(FRAME % b"b") == ""


def test_a_repeated_chunk_is_known_without_being_decoded() -> None:
    repeat = Repeat(lambda data: str(json.loads(data)["choices"][0]["delta"]["content"]))
    assert repeat.text(FRAME % b"a") == ""
    repeat.learn((FRAME % b"a")[6:-2], "a")
    assert repeat.text(FRAME % "é👋".encode()) == "é👋"
    repeat.forget()
    assert repeat.text(FRAME % b"a") == ""


@pytest.mark.parametrize("text", [b"", b'"', b"\\n", b"\xff", b"\x7f", b"\n\ndata: x", "\u2028".encode()])
def test_a_text_that_is_not_plain_is_left_to_the_decoder(text: bytes) -> None:
    repeat = Repeat(lambda data: str(json.loads(data)["choices"][0]["delta"]["content"]))
    repeat.learn((FRAME % b"a")[6:-2], "a")
    assert repeat.text(FRAME % text) == ""


def test_a_server_whose_chunks_never_repeat_is_not_studied_for_ever() -> None:
    asked: list[bytes] = []
    decode = Decoder(think=False)

    def text_alone(data: bytes) -> str:
        asked.append(data)
        return str(json.loads(data)["choices"][0]["delta"]["content"])

    repeat = Repeat(text_alone)
    for number in range(50):
        body = stream(chunk({"content": "a"}, created=number), done=False)
        assert decode.feed(body) == [Text("a")]
        assert repeat.text(body) == ""
        repeat.learn(body[6:-2], "a")
    assert 0 < len(asked) < 20
