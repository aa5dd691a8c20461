"""This module reads a conversation of ChatGPT's data export, `conversations.json`.

Source: exports as they are, from 2023 to 2026; there is no published schema. `mapping` is a tree of nodes, some without
a message, some hidden. What the model thought, asked tools and was told by them are messages of their own there; here
they are parts of the one answer to which they belong. Some exports leave out `children`, some parts of `metadata`.
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec

from headrace.core.messages import Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats.exported import Chat, Message, arrange, decode_as, source_id, to_ms, to_title

__all__ = ["decode"]

_ALL = "all"  # whom a message is for, unless it is for a tool
_VISIBLE = frozenset({"user", "assistant", "tool", "system"})
_CONTEXT = frozenset({"user_editable_context", "model_editable_context"})
_NOTES = frozenset({*_CONTEXT, "reasoning_recap"})  # `Thought for 8 seconds`, and what is no message at all
# marks in the private use area, for what the page shows as links and pictures
_MARK = re.compile("\ue200([^\ue200\ue201]*)\ue201")
_MARK_FIELD = "\ue202"


class _Author(msgspec.Struct):
    role: str = ""
    name: str | None = None


class _Thought(msgspec.Struct):
    summary: str | None = None
    content: str | None = None


class _Content(msgspec.Struct):
    content_type: str = ""
    parts: list[Any] | None = None
    text: Any = None
    language: Any = None
    thoughts: list[_Thought] | None = None
    result: Any = None
    title: Any = None
    url: Any = None
    user_profile: Any = None
    user_instructions: Any = None


class _Attachment(msgspec.Struct):
    id: Any = None
    name: Any = None


class _Instructions(msgspec.Struct):
    about_user_message: Any = None
    about_model_message: Any = None


class _Metadata(msgspec.Struct):
    is_visually_hidden_from_conversation: bool | None = None
    model_slug: str | None = None
    attachments: list[_Attachment] | None = None
    user_context_message_data: _Instructions | None = None


class _Message(msgspec.Struct):
    author: _Author
    content: _Content
    create_time: Any = None
    metadata: _Metadata | None = None
    recipient: str | None = None


class _Node(msgspec.Struct):
    message: _Message | None = None
    parent: str | None = None
    children: list[str] | None = None


class _Conversation(msgspec.Struct):
    mapping: dict[str, _Node]
    id: Any = None
    conversation_id: Any = None
    title: Any = None
    create_time: Any = None
    update_time: Any = None
    current_node: str | None = None
    default_model_slug: str | None = None


class _Call(msgspec.Struct):
    """What a tool was asked."""

    name: str
    arguments: str


class _Result(msgspec.Struct):
    """What a tool said."""

    name: str
    text: str


_Piece = TextPart | ReasoningPart | _Call | _Result


class _Said(msgspec.Struct):
    """A node that shows: the nearest one above it that shows too, who said it, and what it says."""

    parent: str | None
    message: _Message
    pieces: list[_Piece]

    @property
    def is_answer(self) -> bool:
        return self.message.author.role in {"assistant", "tool"}


def decode(data: msgspec.Raw) -> Chat:
    """Return the conversation. Raises `BrokenChat`."""
    conversation = decode_as(_Conversation, data)
    said, nearest = _said(conversation.mapping)
    groups = _groups(said)
    places: dict[str, int] = {}
    messages: list[Message] = []
    for group in groups:
        places.update(dict.fromkeys(group, len(messages)))
        messages.append(_message(group, said, places, conversation.default_model_slug))
    leaf = nearest.get(conversation.current_node or "")
    return Chat(
        source_id=source_id("chatgpt", [conversation.conversation_id, conversation.id], sha256(data).hexdigest()),
        title=to_title(conversation.title),
        messages=tuple(messages),
        leaf=places.get(leaf or "", len(messages) - 1 if messages else None),
        system_prompt=_instructions(conversation.mapping.values()),
        created_at=to_ms(conversation.create_time),
        updated_at=to_ms(conversation.update_time),
    )


def _said(mapping: dict[str, _Node]) -> tuple[dict[str, _Said], dict[str, str | None]]:
    """Return the nodes that show, parents first, and for each node the nearest one that shows, itself or above it."""
    by_children = {child: one for one, node in mapping.items() for child in node.children or ()}
    parents = {one: node.parent if node.parent in mapping else by_children.get(one) for one, node in mapping.items()}
    times = {one: to_ms(node.message.create_time) for one, node in mapping.items() if node.message is not None}
    said: dict[str, _Said] = {}
    nearest: dict[str, str | None] = {}
    for one in arrange(parents, times):
        above = nearest.get(parents[one] or "")
        message = mapping[one].message
        pieces = _pieces(message) if message is not None and _shows(message) else []
        if message is not None and pieces:
            said[one] = _Said(above, message, pieces)
        nearest[one] = one if pieces else above
    return said, nearest


def _shows(message: _Message) -> bool:
    hidden = message.metadata is not None and message.metadata.is_visually_hidden_from_conversation
    return not hidden and message.author.role in _VISIBLE and message.content.content_type not in _NOTES


def _groups(said: dict[str, _Said]) -> list[list[str]]:
    """Put what follows each other in one answer together: where there is no other way to go on."""
    children: dict[str | None, int] = {}
    for node in said.values():
        children[node.parent] = children.get(node.parent, 0) + 1
    groups: list[list[str]] = []
    group_of: dict[str, list[str]] = {}
    for one, node in said.items():
        above = said.get(node.parent or "")
        if above is not None and above.is_answer and node.is_answer and children[node.parent] == 1:
            group = group_of[node.parent or ""]
        else:
            group = []
            groups.append(group)
        group.append(one)
        group_of[one] = group
    return groups


def _message(group: list[str], said: dict[str, _Said], places: dict[str, int], default_model: str | None) -> Message:
    nodes = [said[one] for one in group]
    parts = tuple(_joined(_parts(group[0], (piece for node in nodes for piece in node.pieces))))
    created_at = to_ms(nodes[0].message.create_time)
    parent = places.get(nodes[0].parent or "")
    if not nodes[0].is_answer:
        is_user = nodes[0].message.author.role == "user"
        return Message(parent=parent, role="user" if is_user else "system", parts=parts, created_at=created_at)
    slugs = [node.message.metadata.model_slug for node in nodes if node.message.metadata is not None]
    model = next(filter(None, reversed(slugs)), default_model)
    return Message(parent=parent, role="assistant", parts=parts, model=model, created_at=created_at)


def _pieces(message: _Message) -> list[_Piece]:
    """Return what a message says; nothing for one that is empty."""
    content, role = message.content, message.author.role
    text = _text(message)
    if role == "tool":
        return [_Result(message.author.name or "tool", text)] if text else []
    if content.content_type == "thoughts":
        return [ReasoningPart(text)] if text else []
    if role == "assistant" and message.recipient not in {None, "", _ALL}:
        return [_Call(message.recipient or "", _arguments(text))]
    if content.content_type == "code" and text:
        language = content.language if isinstance(content.language, str) and content.language != "unknown" else ""
        return [TextPart(f"```{language}\n{text}\n```")]
    return [TextPart(text)] if text else []


def _text(message: _Message) -> str:
    content = message.content
    match content.content_type:
        case "text" | "multimodal_text":
            lines = [*_lines(content.parts or ()), *_attachments(message)]
        case "thoughts":
            lines = [
                "\n".join(filter(None, (thought.summary and f"**{thought.summary}**", thought.content)))
                for thought in content.thoughts or ()
            ]
        case "tether_quote":
            lines = [content.title, content.url, content.text]
        case _:
            lines = [content.text, content.result, *_lines(content.parts or ())]
    said = "\n\n".join(line for line in lines if isinstance(line, str) and line.strip())
    return _MARK.sub(_unmarked, said)


def _lines(parts: Iterable[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            yield _described(part)


def _described(part: dict[str, Any]) -> str:
    """Return what stands for a picture or a recording, whose bytes lie elsewhere; the text of any other part."""
    kind = str(part.get("content_type") or "part")
    text = part.get("text")
    if isinstance(text, str) and text:
        return text
    inner = part.get("audio_asset_pointer")
    pointer = part.get("asset_pointer") or (inner.get("asset_pointer") if isinstance(inner, dict) else None)
    name = kind.removesuffix("_asset_pointer").replace("_", " ")
    return f"[{name}: {pointer}]" if isinstance(pointer, str) else f"[{name}]"


def _attachments(message: _Message) -> Iterator[str]:
    shown = str(message.content.parts)
    for attachment in (message.metadata.attachments if message.metadata is not None else None) or ():
        # a picture is a part already
        if isinstance(attachment.name, str) and not (isinstance(attachment.id, str) and attachment.id in shown):
            yield f"[file: {attachment.name}]"


def _unmarked(mark: re.Match[str]) -> str:
    """Return what a mark shows: the name of a thing; nothing of a link, whose target is not in the export."""
    kind, _, rest = mark[1].partition(_MARK_FIELD)
    if kind != "entity":
        return ""
    try:
        fields = msgspec.json.decode(rest, type=list[Any])
    except msgspec.DecodeError:
        return ""
    return next((field for field in fields[1:2] if isinstance(field, str)), "")


def _arguments(text: str) -> str:
    """Return what a tool was asked as JSON, which it is not when it is code."""
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode({"input": text}).decode()
    return text


def _parts(prefix: str, pieces: Iterable[_Piece]) -> Iterator[Part]:
    """Give each call of a tool exactly one result: without one a model server refuses the whole conversation."""
    number = 0
    waiting: list[tuple[str, str]] = []  # id and name of the calls without a result
    for piece in pieces:
        match piece:
            case _Call(name, arguments):
                number += 1
                waiting.append((f"{prefix}-{number}", name))
                yield ToolCallPart(f"{prefix}-{number}", name, arguments)
            case _Result(name, text):
                if not waiting:
                    number += 1
                    waiting.append((f"{prefix}-{number}", name))
                    yield ToolCallPart(f"{prefix}-{number}", name, "{}")
                same = [call for call in waiting if call[1].partition(".")[0] == name.partition(".")[0]]
                call = (same or waiting)[0]
                waiting.remove(call)
                yield ToolResultPart(call[0], text)
            case _:
                yield from (ToolResultPart(call[0], "") for call in waiting)
                waiting.clear()
                yield piece
    yield from (ToolResultPart(call[0], "") for call in waiting)


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Make one part of adjacent texts, which the program shows one below the other."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(last, TextPart) and isinstance(part, TextPart):
            joined[-1] = TextPart(f"{last.text}\n\n{part.text}")
        elif isinstance(last, ReasoningPart) and isinstance(part, ReasoningPart):
            joined[-1] = ReasoningPart(f"{last.text}\n\n{part.text}")
        else:
            joined.append(part)
    return joined


def _instructions(nodes: Iterable[_Node]) -> str | None:
    """Return the custom instructions, which are a hidden message at the beginning."""
    for node in nodes:
        if node.message is None:
            continue
        content, metadata = node.message.content, node.message.metadata
        given = [content.user_profile, content.user_instructions]
        if metadata is not None and metadata.user_context_message_data is not None:
            context = metadata.user_context_message_data
            given = [context.about_user_message, context.about_model_message]
        text = "\n\n".join(one.strip() for one in given if isinstance(one, str) and one.strip())
        if text:
            return text
    return None
