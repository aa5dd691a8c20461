"""What an upstream says besides, through the journal, to a client that speaks the same format."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.events import Extra
from headrace.formats import native, sse
from headrace.formats.openai_chat import Decoder, Encoder
from headrace.formats.openai_chat_extras import Reader, joined


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more.pop("choice", {})}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice] if delta is not None else [], **more}


def frames(*chunks: dict[str, Any]) -> bytes:
    return (
        b"".join(sse.encode(json.dumps(each, separators=(",", ":")).encode()) for each in chunks) + b"data: [DONE]\n\n"
    )


def through(*chunks: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the chunks and the whole completion that a client sees of these."""
    decoder = Decoder(think=False, extras=True)
    happened = [*decoder.feed(frames(*chunks)), *decoder.close(), events.RunFinished("stop")]
    entries = [native.encode(each, 0) for each in happened]
    one, whole = (Encoder(completion_id="x", model="m", created=1, include_usage=True) for _ in range(2))
    stream = b"".join(one.encode(at, [entry]) for at, entry in enumerate(entries))
    whole.skip(entries)
    read = [json.loads(frame.data) for frame in sse.Decoder().feed(stream) if frame.data != b"[DONE]"]
    return read, json.loads(whole.reply())


def logprob(token: str) -> dict[str, Any]:
    return {"content": [{"token": token, "logprob": -0.5, "bytes": None, "top_logprobs": []}], "refusal": None}


def test_logprobs_come_with_their_token_and_all_of_them_with_the_whole() -> None:
    stream, whole = through(
        chunk({"content": "a"}, choice={"logprobs": logprob("a")}),
        chunk({"content": "b"}, choice={"logprobs": logprob("b")}),
        chunk({}, "stop"),
    )

    got = [(each["choices"][0]["delta"].get("content"), each["choices"][0]["logprobs"]) for each in stream]
    assert got == [("a", logprob("a")), ("b", logprob("b")), (None, None)]
    assert [each["token"] for each in whole["choices"][0]["logprobs"]["content"]] == ["a", "b"]


NAMES = ("content", "delta", "finish_reason", "id", "index", "logprobs", "message", "object", "usage", "x")
VALUES: st.SearchStrategy[Any] = (
    st.none() | st.integers(0, 2) | st.just({"content": "a"}) | st.just([]) | st.just({"y": 1})
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)


@given(said=OBJECTS, choices=st.none() | st.lists(st.none() | OBJECTS, max_size=3))
def test_a_chunk_in_which_all_is_known_is_read_as_any_other(said: dict[str, Any], choices: list[Any] | None) -> None:
    chunk = {**said, "choices": choices}
    # a name that nobody knows, with nothing to say, has it read name by name
    assert Reader().read(json.dumps(chunk).encode()) == Reader().read(json.dumps({**chunk, "nothing": None}).encode())


def test_a_field_of_the_chunk_may_hold_any_text() -> None:
    stream, _ = through(chunk({"content": "a"}, system_fingerprint="\0"), chunk({"content": "b"}), chunk({}, "stop"))

    got = [(each["choices"][0]["delta"].get("content"), each["system_fingerprint"]) for each in stream]
    assert got == [("a", "\0"), ("b", "\0"), (None, "\0")]


def test_what_stands_in_every_chunk_does_so_again() -> None:
    stream, whole = through(
        *(chunk({"content": text}, system_fingerprint="fp", citations=["x"]) for text in "abc"),
        chunk({}, "stop", system_fingerprint="fp"),
    )

    assert [each["system_fingerprint"] for each in stream] == ["fp"] * 4
    assert (whole["system_fingerprint"], whole["citations"]) == ("fp", ["x"])


def test_fields_of_the_message_and_of_the_usage_are_kept() -> None:
    stream, whole = through(
        chunk({"content": "a", "annotations": [1]}),
        chunk({"annotations": [2]}),
        chunk({"annotations": [3]}, "stop", choice={"native_finish_reason": "end"}),
        chunk(
            None,
            usage={"prompt_tokens": 1, "completion_tokens": 2, "cost": 3, "prompt_tokens_details": {"audio_tokens": 4}},
        ),
    )

    deltas = [each["choices"][0]["delta"] for each in stream if each["choices"]]
    assert deltas == [{"content": "a", "annotations": [1]}, {"annotations": [2]}, {"annotations": [3]}]
    assert stream[-2]["choices"][0]["native_finish_reason"] == "end"
    assert stream[-1]["usage"]["cost"] == whole["usage"]["cost"] == 3
    assert stream[-1]["usage"]["prompt_tokens_details"] == {"audio_tokens": 4, "cached_tokens": 0}
    assert whole["choices"][0]["message"]["annotations"] == [1, 2, 3]


def test_without_a_client_of_the_format_nothing_is_kept() -> None:
    happened = Decoder(think=False).feed(frames(chunk({"content": "a"}, system_fingerprint="fp"), chunk({}, "stop")))

    assert [type(each) for each in happened] == [events.Text]


def test_padding_and_nulls_are_nothing() -> None:
    assert (
        Reader().read(b'{"obfuscation":"abc","service_tier":null,"choices":[{"logprobs":null,"delta":{"x":null}}]}')
        == ()
    )


def test_a_chunk_like_the_one_before_is_known_by_its_bytes_and_no_other_is() -> None:
    reader = Reader()
    first = b'{"fp":1,"choices":[{"delta":{"content":"a"},"x":null}]}'

    assert reader.read(first) == (Extra(chunk={"fp": 1}),)
    assert reader.read(first.replace(b'"a"', b'"bc \\\\ d"')) == ()
    assert reader.read(first.replace(b"null", b"7")) == (Extra(choice={"x": 7}),)
    assert reader.read(first) == ()
    assert reader.read(first.replace(b'"a"', b'"a","y":"z"')) == (Extra(delta={"y": "z"}),)
    assert reader.read(first.replace(b'"a"', b'"say \\"x\\""')) == ()
    assert reader.read(b'{"fp":2,"choices":[{"delta":{"content":"a"},"x":null}]}') == (Extra(chunk={"fp": 2}),)


def test_what_is_no_json_says_nothing_besides() -> None:
    assert Reader().read(b"{") == ()
    assert Reader().read(b"[]") == ()


def test_of_two_the_lists_go_on_and_objects_are_joined() -> None:
    assert joined({"a": [1], "b": {"c": [2], "d": 1}, "e": 1}, {"a": [3], "b": {"c": [4]}, "e": 2}) == {
        "a": [1, 3],
        "b": {"c": [2, 4], "d": 1},
        "e": 2,
    }
