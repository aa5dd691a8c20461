"""Requests in the OpenAI chat completions format, against recorded ones and one by one."""

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cutting import GOLDEN
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import BadField, BadRequest, HeadraceError, NotAvailable
from headrace.core.messages import ImagePart, Request, TextPart
from headrace.formats.openai_chat import encode_request
from headrace.formats.openai_chat_asked import Question, decode_request

ASKED = GOLDEN / "openai_chat" / "asked"
PIXEL = "iVBORw0KGgo="
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def asked(content: Any = "Hello", **fields: Any) -> Question:
    return decode_request(
        json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields}).encode()
    )


def with_message(**message: Any) -> Question:
    return decode_request(json.dumps({"model": "m", "messages": [message]}).encode())


def path_of(error: HeadraceError) -> str:
    assert isinstance(error, BadField)
    return error.field


@pytest.mark.parametrize("path", sorted(ASKED.glob("*.request.json")), ids=lambda path: path.name.partition(".")[0])
def test_recorded_requests_are_read_as_recorded(path: Path) -> None:
    expected = json.loads(path.with_name(path.name.replace(".request.", ".question.")).read_bytes())

    assert json.loads(msgspec.json.encode(decode_request(path.read_bytes()))) == expected


@pytest.mark.parametrize("path", sorted(ASKED.glob("*.request.json")), ids=lambda path: path.name.partition(".")[0])
def test_a_server_of_the_same_format_is_asked_the_same(path: Path) -> None:
    body = {name: value for name, value in json.loads(path.read_bytes()).items() if value is not None}
    question = decode_request(path.read_bytes())
    request = Request(model=question.model, messages=question.messages, parameters=question.parameters)
    sent = json.loads(encode_request(request))

    body.pop("n", None)
    body["stream"] = True
    body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    assert sent == body


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"model": None}, "body"),
        ({"model": ""}, "model"),
        ({"messages": "x"}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages.0.tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": 1}]}]}, "messages.0.tool_calls.0.id"),
        ({"top_p": 2}, "top_p"),
        ({"stop": [1]}, "stop.0"),
        ({"tools": [1]}, "tools.0"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadField) as raised:
        asked(**fields)
    assert path_of(raised.value) == path


@pytest.mark.parametrize("n", [0, 2, -1])
def test_more_than_one_answer_is_not_to_be_had(n: int) -> None:
    with pytest.raises(NotAvailable) as raised:
        asked(n=n)
    assert path_of(raised.value) == "n"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"model":"\\ud83d"}', b"\xff", b"[" * 100_000, b'{"a":NaN}']
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_request(body)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x.png", "https://x/y.png", "file:///etc/passwd", "x.png", "//x/y", "HTTP://x", "ftp://x"]
)
def test_pictures_elsewhere_are_refused_by_name(url: str) -> None:
    with pytest.raises(NotAvailable) as raised:
        asked([{"type": "image_url", "image_url": {"url": url}}])
    assert path_of(raised.value) == "messages.0.content.0.image_url.url"


@pytest.mark.parametrize(
    "url", ["data:text/html;base64,QUJD", "data:image/svg+xml;base64,QUJD", "data:image/png,x", "data:"]
)
def test_what_is_no_picture_is_refused(url: str) -> None:
    with pytest.raises(BadField) as raised:
        asked([{"type": "image_url", "image_url": {"url": url}}])
    assert path_of(raised.value) == "messages.0.content.0.image_url.url"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "http://127.0.0.1/x"}},
        {"type": "file", "file": {"file_data": "http://127.0.0.1/x"}},
        {"type": "input_audio", "input_audio": {"data": [{"x": " HTTPS://x"}]}},
        {"type": "text", "text": "a", "image_url": {"url": "file:/etc/passwd"}},
    ],
)
def test_nothing_in_a_part_leads_elsewhere(part: dict[str, Any]) -> None:
    with pytest.raises(NotAvailable):
        asked([part])


@pytest.mark.parametrize(
    "field", ["api_base", "base_url", "api_key", "extra_headers", "extra_body", "custom_llm_provider"]
)
def test_fields_that_would_lead_a_router_elsewhere_are_refused_at_any_depth(field: str) -> None:
    for fields in ({field: "x"}, {"fallbacks": [{"a": {field: "x"}}]}):
        with pytest.raises(NotAvailable) as raised:
            asked(**fields)
        assert path_of(raised.value).endswith(field)


def test_addresses_in_words_are_words() -> None:
    question = asked("See https://example.org", tools=[{"type": "function", "function": {"name": "base_url"}}])

    assert question.messages[0].parts == (TextPart("See https://example.org"),)
    assert question.special == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.5, "stop": ["a"], "tool_choice": "auto", "max_completion_tokens": 7},
        {"logprobs": False, "parallel_tool_calls": True, "service_tier": "auto", "modalities": ["text"]},
        {"user": "ada", "metadata": {"a": "b"}, "store": True},
        {"anything": None},
    ],
)
def test_what_everybody_understands_is_not_special(fields: dict[str, Any]) -> None:
    assert asked(**fields).special == ()


@pytest.mark.parametrize(
    ("fields", "special"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"anything": False}, "anything"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"messages": [{"role": "user", "content": "x", "name": "ada"}]}, "messages.0.name"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache": 1}]}]},
            "messages.0.content.0.cache",
        ),
    ],
)
def test_what_only_the_same_format_has_is_named(fields: dict[str, Any], special: str) -> None:
    assert asked(**fields).special == (special,)


def test_a_picture_of_which_more_is_said_is_still_a_picture() -> None:
    question = asked([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "high"}}])

    assert question.messages[0].parts == (ImagePart("image/png", PIXEL),)
    assert question.special == ("messages.0.content.0.image_url.detail",)


@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "tools", "stop", "n", "stream", "x", "stream_options"]), VALUE
    )
)
def test_anything_is_read_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(BadField, BadRequest):
        assert decode_request(json.dumps(body).encode()).messages


@given(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id", "name", "reasoning"]), VALUE))
def test_any_message_is_read_or_refused(message: dict[str, Any]) -> None:
    for role in ("user", "assistant", "tool", "system"):
        with contextlib.suppress(BadField):
            assert len(with_message(**{**message, "role": role}).messages) == 1


@pytest.mark.parametrize(("depth", "refused"), [(190, False), (210, True), (900, True)])
def test_what_is_nested_too_deeply_is_malformed(depth: int, *, refused: bool) -> None:
    deep = b"[" * depth + b"]" * depth
    body = b'{"model":"m","x":%b,"messages":[{"role":"user","content":[{"type":"file","file":%b}]}]}' % (deep, deep)

    with pytest.raises(BadRequest) if refused else contextlib.nullcontext():
        assert decode_request(body).special == ("x", "messages.0.content.0.file")
