import json
from typing import Any

import msgspec
import pytest
from golden_exports import decoded, expected

from headrace.core.messages import Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats.export_chatgpt import decode
from headrace.formats.exported import BrokenChat, Chat


def chat_of(nodes: dict[str, Any], **more: Any) -> Chat:
    return decode(msgspec.Raw(json.dumps({"mapping": nodes, **more}).encode()))


def node(parent: str | None, role: str, content: Any, **more: Any) -> dict[str, Any]:
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    name = more.pop("name", None)
    return {"parent": parent, "message": {"author": {"role": role, "name": name}, "content": content, **more}}


def answer(*contents: dict[str, Any]) -> tuple[Part, ...]:
    """Return the parts of an answer that is made of these messages, each below the one before it."""
    nodes = {"0": node(None, "user", "?")}
    for number, content in enumerate(contents, 1):
        nodes[str(number)] = {**content, "parent": str(number - 1)}
    (_, answered) = chat_of(nodes).messages
    return answered.parts


def test_a_golden_export_is_read_as_it_is_meant() -> None:
    assert decoded("chatgpt") == expected("chatgpt")


def test_what_does_not_show_leaves_no_gap() -> None:
    hidden = {"is_visually_hidden_from_conversation": True}
    chat = chat_of(
        {
            "a": node(None, "user", "one"),
            "b": node("a", "user", "hidden", metadata=hidden),
            "c": node("b", "narrator", "unknown role"),
            "d": node("c", "assistant", ""),
            "e": node("d", "user", "two"),
            "f": {"parent": "e", "message": None},
        },
        current_node="f",
    )
    assert [(message.parent, message.parts) for message in chat.messages] == [
        (None, (TextPart("one"),)),
        (0, (TextPart("two"),)),
    ]
    assert chat.leaf == 1


def test_children_count_where_parents_are_missing() -> None:
    one, two = node(None, "user", "one"), node(None, "assistant", "two")
    chat = chat_of({"b": two, "a": {**one, "children": ["b"]}}, current_node="b")
    assert [message.parent for message in chat.messages] == [None, 0]


def test_an_answer_goes_on_in_one_message_until_it_branches() -> None:
    chat = chat_of(
        {
            "q": node(None, "user", "?"),
            "a": node("q", "assistant", "First."),
            "b": node("a", "assistant", "Second."),
            "c": node("b", "assistant", "Third, one way."),
            "d": node("b", "assistant", "Third, another way."),
        },
        current_node="b",
    )
    assert [(message.parent, message.parts) for message in chat.messages[1:]] == [
        (0, (TextPart("First.\n\nSecond."),)),
        (1, (TextPart("Third, one way."),)),
        (1, (TextPart("Third, another way."),)),
    ]
    assert chat.leaf == 1


def test_a_system_message_that_shows_is_kept() -> None:
    chat = chat_of({"s": node(None, "system", "Be kind."), "u": node("s", "user", "Hi")})
    assert [(message.role, message.parent) for message in chat.messages] == [("system", None), ("user", 0)]
    assert chat.leaf == 1


def test_the_model_is_the_one_that_answered_last_or_the_chats() -> None:
    nodes = {"q": node(None, "user", "?"), "a": node("q", "assistant", "x", metadata={"model_slug": "m1"})}
    nodes["b"] = node("a", "assistant", "y", metadata={"model_slug": None})
    assert chat_of(nodes, default_model_slug="m0").messages[1].model == "m1"
    nodes["a"].pop("message")
    assert chat_of(nodes, default_model_slug="m0").messages[-1].model == "m0"


def test_code_for_people_is_shown_as_code() -> None:
    assert answer(node(None, "assistant", {"content_type": "code", "language": "sql", "text": "SELECT 1"})) == (
        TextPart("```sql\nSELECT 1\n```"),
    )
    assert answer(node(None, "assistant", {"content_type": "code", "language": 7, "text": "x"})) == (
        TextPart("```\nx\n```"),
    )


def test_each_call_of_a_tool_has_one_result() -> None:
    def call(text: str, to: str) -> dict[str, Any]:
        return node(None, "assistant", {"content_type": "code", "text": text}, recipient=to)

    def result(text: str, name: str | None) -> dict[str, Any]:
        return node(None, "tool", {"content_type": "execution_output", "text": text}, name=name)

    assert answer(
        call('{"q": 1}', "web.search"),
        call("2+2", "python"),
        result("4", "python"),
        result("found", "web"),
        result("unasked", None),
        call("left", "python"),
    ) == (
        ToolCallPart("1-1", "web.search", '{"q": 1}'),
        ToolCallPart("1-2", "python", '{"input":"2+2"}'),
        ToolResultPart("1-2", "4"),
        ToolResultPart("1-1", "found"),
        ToolCallPart("1-3", "tool", "{}"),
        ToolResultPart("1-3", "unasked"),
        ToolCallPart("1-4", "python", '{"input":"left"}'),
        ToolResultPart("1-4", ""),
    )


def test_a_result_of_no_tool_that_was_asked_answers_the_first() -> None:
    assert answer(node(None, "assistant", "x", recipient="bio"), node(None, "tool", "ok", name="memory")) == (
        ToolCallPart("1-1", "bio", '{"input":"x"}'),
        ToolResultPart("1-1", "ok"),
    )


def test_adjacent_thoughts_are_one() -> None:
    def thoughts(*said: tuple[str | None, str | None]) -> dict[str, Any]:
        listed = [{"summary": summary, "content": content} for summary, content in said]
        return node(None, "assistant", {"content_type": "thoughts", "thoughts": listed})

    assert answer(
        thoughts(("Plan", "Do it.")), thoughts((None, "More.")), thoughts(), node(None, "assistant", "x")
    ) == (
        ReasoningPart("**Plan**\nDo it.\n\nMore."),
        TextPart("x"),
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}]}, "[image]"),
        ({"content_type": "multimodal_text", "parts": [{}, None, 7]}, "[part]"),
        ({"content_type": "system_error", "name": "e", "text": "It failed."}, "It failed."),
        ({"content_type": "sonic_webpage", "result": "A page."}, "A page."),
        ({"content_type": "unheard_of", "parts": ["text"]}, "text"),
    ],
)
def test_what_is_no_text_is_said_in_words(content: dict[str, Any], text: str) -> None:
    assert answer(node(None, "assistant", content)) == (TextPart(text),)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("a \ue200cite\ue202turn0\ue201b", "a b"),
        ('\ue200entity\ue202["city","Bern","x"]\ue201!', "Bern!"),
        ('\ue200entity\ue202["city"]\ue201!', "!"),
        ("\ue200entity\ue202nonsense\ue201!", "!"),
        ("never \ue200closed", "never \ue200closed"),
    ],
)
def test_marks_that_only_the_page_could_show_are_taken_out(marked: str, text: str) -> None:
    assert answer(node(None, "assistant", marked)) == (TextPart(text),)


def test_custom_instructions_are_the_chats_own() -> None:
    context = {"content_type": "user_editable_context", "user_profile": " Me. ", "user_instructions": None}
    assert chat_of({"c": node(None, "user", context)}).system_prompt == "Me."
    data = {"user_context_message_data": {"about_user_message": "I.", "about_model_message": "You."}}
    assert chat_of({"c": node(None, "system", "", metadata=data)}).system_prompt == "I.\n\nYou."
    assert chat_of({"c": node(None, "user", "x")}).system_prompt is None


def test_a_chat_without_messages_is_empty() -> None:
    chat = chat_of({"root": {"message": None}}, current_node="root")
    assert (chat.messages, chat.leaf) == ((), None)


@pytest.mark.parametrize(
    "nodes",
    [{"a": {"parent": "b"}, "b": {"parent": "a"}}, {"a": {"message": {"author": "me", "content": {}}}}, {"a": 7}],
)
def test_a_chat_that_makes_no_sense_is_broken(nodes: dict[str, Any]) -> None:
    with pytest.raises(BrokenChat):
        chat_of(nodes)
