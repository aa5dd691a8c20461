import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.formats import export_file
from headrace.formats.export_file import Broken, NoExport, read
from headrace.formats.exported import Chat

# deeper than Python's own calls may go, but not than the parser's, which are counted apart from 3.12 on
DEEP = 900 if sys.version_info < (3, 12) else 2_000

WEBUI = {"id": "w", "title": "W", "chat": {"messages": [{"role": "user", "content": "x"}]}}
CHATGPT = {
    "id": "c",
    "title": "C",
    "mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["x"]}}}},
}


def chats(data: bytes) -> list[Chat | Broken]:
    return list(read(memoryview(data)))


def sources(data: bytes) -> list[str]:
    return [chat.source_id if isinstance(chat, Chat) else chat.reason for chat in chats(data)]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([WEBUI, CHATGPT], ["open-webui:w", "chatgpt:c"]),
        (WEBUI, ["open-webui:w"]),
        (CHATGPT, ["chatgpt:c"]),
        (WEBUI["chat"], None),
        ({"id": "h", "history": {}}, ["open-webui:h"]),
        ([], []),
    ],
)
def test_the_program_is_told_from_what_is_in_the_file(content: Any, found: list[str] | None) -> None:
    said = sources(json.dumps(content).encode())
    assert said == found if found is not None else said[0].startswith("open-webui:")


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b" \r\n\t", b"\xef\xbb\xbf  "])
def test_what_stands_before_the_list_is_no_matter(before: bytes) -> None:
    assert sources(before + json.dumps([WEBUI]).encode()) == ["open-webui:w"]


def test_one_broken_chat_spoils_no_other_and_is_named() -> None:
    content = [WEBUI, {"title": "Bad\n one", "mapping": 7}, {"title": 7, "mapping": 7}, 7, CHATGPT]
    first, *broken, last = chats(json.dumps(content).encode())
    assert isinstance(first, Chat)
    assert isinstance(last, Chat)
    assert [one.title for one in broken if isinstance(one, Broken)] == (
        ["Bad one", "chat 3 of the file", "chat 4 of the file"]
    )


def test_a_chat_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file, "_CHAT_BYTES", 150)
    content = [WEBUI, {**CHATGPT, "title": "x" * 200}]
    first, last = chats(json.dumps(content).encode())
    assert isinstance(first, Chat)
    assert isinstance(last, Broken)
    assert "MiB" in last.reason


def test_halves_of_characters_are_replaced() -> None:
    data = json.dumps([WEBUI, CHATGPT]).replace('"x"', '"a\\ud83d b\\ud83d\\ude00"').encode()
    texts = [chat.messages[0].parts for chat in chats(data) if isinstance(chat, Chat)]
    assert [[getattr(part, "text", None) for part in parts] for parts in texts] == [["a� b\U0001f600"]] * 2
    assert sources(b'{"id": "w\\ud83d", "chat": {"n": [1, null]}}')[0].startswith("open-webui:w")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"PK\x03\x04",
        b"[1, 2",
        b'[{"chat": {}}] more',
        b"[" * 100_000,
        b'[{"mapping": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001 + b"]",
        b'[{"chat": {"title": "\\ud83d", "x": ' + b"[" * DEEP + b"]" * DEEP + b"}}]",
        b'["\xff"]',
        b'[{"a": 1}, 2]',
        b'{"a": 1}',
        b'"text"',
    ],
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(NoExport):
        chats(data)


def test_json_that_must_be_mended_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file, "_MENDABLE_BYTES", 10)
    with pytest.raises(NoExport, match="not JSON"):
        chats(b'[{"chat": {"title": "\\ud83d"}}]')


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["mapping", "chat", "history", "messages", "message", "author", "role", "content", "parts", "a"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(["mapping", "chat", "history", "title"]), _JSON), max_size=3))
def test_no_json_whatever_makes_it_fail_otherwise(content: Any) -> None:
    try:
        found = chats(json.dumps(content).encode())
    except NoExport:
        return
    assert len(found) == len(content)
