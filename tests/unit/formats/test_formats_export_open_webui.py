import json
from typing import Any

import msgspec
import pytest
from golden_exports import decoded, expected

from headrace.core.messages import ImagePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats.export_open_webui import decode
from headrace.formats.exported import BrokenChat, Chat


def chat_of(messages: dict[str, Any], **more: Any) -> Chat:
    """Return a chat whose export is the chat itself."""
    return decode(msgspec.Raw(json.dumps({"history": {"messages": messages}, **more}).encode()))


def answer(content: Any, **more: Any) -> tuple[Part, ...]:
    (message,) = chat_of({"a": {"role": "assistant", "content": content, **more}}).messages
    return message.parts


def test_a_golden_export_is_read_as_it_is_meant() -> None:
    assert decoded("open_webui") == expected("open_webui")


def test_parents_count_before_children() -> None:
    chat = chat_of(
        {
            "a": {"role": "user", "content": "1", "childrenIds": ["b", "c"]},
            "b": {"role": "assistant", "content": "2"},
            "c": {"role": "user", "content": "3", "parentId": "b"},
        }
    )
    assert [message.parent for message in chat.messages] == [None, 0, 1]
    assert chat.leaf == 2


def test_what_says_nothing_leaves_no_gap() -> None:
    chat = decode(
        msgspec.Raw(
            json.dumps(
                {
                    "chat": {
                        "history": {
                            "currentId": "c",
                            "messages": {
                                "a": {"role": "user", "content": "1"},
                                "b": {"role": "assistant", "content": "", "parentId": "a"},
                                "c": {"parentId": "b"},
                                "d": {"role": "system", "content": "", "parentId": "c"},
                                "e": {"role": "user", "parentId": "d", "content": None},
                                "f": {"role": "system", "content": "Be kind.", "parentId": "e"},
                            },
                        }
                    }
                }
            ).encode()
        )
    )
    assert [(message.role, message.parent) for message in chat.messages] == [("user", None), ("system", 0)]
    assert chat.leaf == 0


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url"}, "?", {"type": "text", "text": "two"}]
    assert answer(parts) == (TextPart("one\n\ntwo"),)


def test_only_pictures_that_can_be_shown_become_pictures() -> None:
    files = [
        {"type": "image", "url": "data:image/webp;base64,AAAA"},
        {"type": "image", "url": "data:image/svg+xml;base64,AAAA"},
        {"type": "image", "url": "data:image/png;base64,<script>"},
        {"type": "file", "url": None, "name": "a.pdf"},
        {},
    ]
    parts = answer("x", files=files)
    assert parts[1] == ImagePart("image/webp", "AAAA")
    assert [part.text for part in parts if isinstance(part, TextPart)] == [
        "x",
        "\n[image: data:image/svg+xml;base64,AAAA]",
        "\n[image: data:image/png;base64,<script>]",
        "\n[file: a.pdf]",
        "\n[file: ]",
    ]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("<think>hm</think>Yes.", [ReasoningPart("hm"), TextPart("Yes.")]),
        ("<think>never closed", [ReasoningPart("never closed")]),
        ("No <think>tag</think>.", [TextPart("No <think>tag</think>.")]),
        ('<details type="reasoning" done="true">\n<summary>T</summary>\n> a\n>b\n</details>', [ReasoningPart("a\nb")]),
        ('<details type="reasoning" done="false">\n> cut off', [ReasoningPart("cut off")]),
        ('<details type="reasoning">\n<summary>T</summary>\n</details>\nYes.', [TextPart("Yes.")]),
        (
            'A.\n<details type="reasoning">\n> b\n</details>\nC.',
            [TextPart("A."), ReasoningPart("b"), TextPart("C.")],
        ),
        ("<details><summary>S</summary>x</details>", [TextPart("<details><summary>S</summary>x</details>")]),
        ('<details type="other">x</details>', [TextPart('<details type="other">x</details>')]),
        (
            '<details type="tool_calls" name="f" arguments="&quot;{\\&quot;a\\&quot;: 1}&quot;" result="r"></details>',
            [ToolCallPart("a-0", "f", '{"a": 1}'), ToolResultPart("a-0", "r")],
        ),
        (
            '<details type="tool_calls" arguments="[1]"></details>',
            [ToolCallPart("a-0", "tool", '{"input":"[1]"}'), ToolResultPart("a-0", "")],
        ),
        (
            '<details type="code_interpreter">\nno fence\n</details>',
            [ToolCallPart("a-0", "code_interpreter", '{"input":"no fence"}'), ToolResultPart("a-0", "")],
        ),
    ],
)
def test_thoughts_and_tools_are_told_from_the_answer(content: str, parts: list[Part]) -> None:
    assert answer(content) == tuple(parts)


def test_a_text_full_of_openings_is_read_in_no_time() -> None:
    content = "<details " * 100_000
    assert answer(content) == (TextPart(content),)


def item(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


def test_what_output_says_beside_the_text_is_kept_where_the_text_was_edited() -> None:
    output = [
        item("reasoning", summary=[{"type": "summary_text", "text": "I think."}]),
        item("function_call", call_id="1", name=None, arguments=None),
        item("message", content=[{"type": "output_text", "text": "Old."}]),
        item("image_generation_call"),
    ]
    assert answer("Edited.", output=output) == (
        ReasoningPart("I think."),
        ToolCallPart("a-1", "tool", "{}"),
        ToolResultPart("a-1", ""),
        TextPart("Edited."),
    )


def test_the_text_counts_where_it_says_all_by_itself() -> None:
    output = [item("reasoning", content="Twice."), item("message", content="Yes.")]
    assert answer("<think>Once.</think>Yes.", output=output) == (ReasoningPart("Once."), TextPart("Yes."))


def test_output_without_words_changes_nothing() -> None:
    output = [item("reasoning"), item("message"), item("function_call_output", call_id="9", output="x")]
    assert answer("Yes.", output=output) == (TextPart("Yes."),)


def test_times_and_titles_are_found_where_versions_have_put_them() -> None:
    old = {"id": "1", "title": "T", "timestamp": 1_700_000_000, "chat": {"messages": []}}
    chat = decode(msgspec.Raw(json.dumps(old).encode()))
    assert (chat.title, chat.created_at, chat.updated_at) == ("T", 1_700_000_000_000, 1_700_000_000_000)
    bare = chat_of({}, title="Bare", timestamp=1_700_000_000_123, id="x", system="Be kind.")
    assert (bare.title, bare.created_at, bare.source_id) == ("Bare", 1_700_000_000_123, "open-webui:x")
    assert bare.system_prompt == "Be kind."
    assert chat_of({}, params={"system": " "}).system_prompt is None


@pytest.mark.parametrize(
    "messages",
    [
        {"a": {"role": "wizard", "content": "x"}},
        {"a": {"content": "x"}},
        {"a": {"role": "user", "content": "x", "parentId": "a"}},
        {"a": []},
    ],
)
def test_a_chat_that_makes_no_sense_is_broken(messages: dict[str, Any]) -> None:
    with pytest.raises(BrokenChat):
        chat_of(messages)
