"""This module reads a chat of Open WebUI's export.

Source: exports as they are, of versions 0.1 to 0.11; there is no published schema. `history.messages` is a tree by
`parentId` (`childrenIds` may be missing), `history.currentId` its leaf; old chats have only a flat list of `messages`.
Thoughts and tools stand in an answer's text as `<details type="...">`, in newer chats in `output` as well.
"""

import html
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from headrace.core.events import Reasoning, Text
from headrace.core.messages import ImagePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats import think
from headrace.formats.exported import BrokenChat, Chat, Message, arrange, decode_as, source_id, to_ms, to_title

__all__ = ["decode"]

# what stands in an attribute is escaped: no angle bracket
_DETAILS = re.compile(r"<details\b([^<>]*)>(.*?)(?:</details>|\Z)", re.DOTALL)
_DETAIL_TYPES = frozenset({"reasoning", "tool_calls", "code_interpreter"})
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_SUMMARY = re.compile(r"\s*<summary>.*?</summary>", re.DOTALL)
_QUOTED = re.compile(r"^> ?", re.MULTILINE)
_IMAGE = re.compile(r"data:(image/(?:png|jpeg|webp|gif));base64,([A-Za-z0-9+/]+={0,2})")
_CODE = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)


class _File(msgspec.Struct):
    type: Any = None
    url: Any = None
    name: Any = None


class _Item(msgspec.Struct):
    """One item of `output`, which has the form of OpenAI's Responses API."""

    type: str = ""
    content: Any = None
    summary: Any = None
    id: Any = None
    call_id: Any = None
    name: Any = None
    arguments: Any = None
    output: Any = None


class _Message(msgspec.Struct):
    id: str | None = None
    parentId: str | None = None  # noqa: N815  the format's own name
    childrenIds: list[str] | None = None  # noqa: N815  the format's own name
    role: str | None = None
    content: Any = None
    model: Any = None
    timestamp: Any = None
    files: list[_File] | None = None
    output: list[_Item] | None = None
    error: Any = None


class _History(msgspec.Struct):
    messages: dict[str, _Message] = {}
    currentId: str | None = None  # noqa: N815  the format's own name


class _Params(msgspec.Struct):
    system: Any = None


class _Chat(msgspec.Struct):
    id: Any = None
    title: Any = None
    history: _History | None = None
    messages: list[_Message] | None = None
    params: _Params | None = None
    system: Any = None
    timestamp: Any = None


class _Export(msgspec.Struct):
    """A row of the export: the chat, and what the database says of it."""

    chat: _Chat | None = None
    id: Any = None
    title: Any = None
    created_at: Any = None
    updated_at: Any = None
    timestamp: Any = None


def decode(data: msgspec.Raw) -> Chat:
    """Return the chat. Raises `BrokenChat`."""
    row = decode_as(_Export, data)
    # a row of the database with the chat in it, or the chat itself
    chat = row.chat if row.chat is not None else decode_as(_Chat, data)
    at = to_ms(row.timestamp) or to_ms(chat.timestamp)
    nodes, current = _nodes(chat)
    messages, places = _messages(nodes)
    system = (chat.params.system if chat.params is not None else None) or chat.system
    return Chat(
        source_id=source_id("open-webui", [row.id, chat.id], sha256(data).hexdigest()),
        title=to_title(row.title) or to_title(chat.title),
        messages=messages,
        leaf=places.get(current or "", len(messages) - 1 if messages else None),
        system_prompt=system if isinstance(system, str) and system.strip() else None,
        created_at=to_ms(row.created_at) or at,
        updated_at=to_ms(row.updated_at) or at,
    )


def _nodes(chat: _Chat) -> tuple[dict[str, _Message], str | None]:
    """Return the messages by id, with their parents, and the id of the leaf."""
    if chat.history is not None and chat.history.messages:
        nodes = chat.history.messages
        by_children = {child: one for one, node in nodes.items() for child in node.childrenIds or ()}
        linked = {
            one: node if node.parentId in nodes else msgspec.structs.replace(node, parentId=by_children.get(one))
            for one, node in nodes.items()
        }
        return linked, chat.history.currentId
    flat = {str(number): node for number, node in enumerate(chat.messages or ())}
    chained = {
        one: msgspec.structs.replace(node, parentId=str(int(one) - 1) if one != "0" else None)
        for one, node in flat.items()
    }
    return chained, str(len(flat) - 1)


def _messages(nodes: dict[str, _Message]) -> tuple[tuple[Message, ...], dict[str, int | None]]:
    """Return the messages, parents first, and for each id its place, or that of the nearest message above it."""
    order = arrange(
        {one: node.parentId for one, node in nodes.items()},
        {one: to_ms(node.timestamp) for one, node in nodes.items()},
    )
    messages: list[Message] = []
    places: dict[str, int | None] = {}
    for one in order:
        node = nodes[one]
        parent = places.get(node.parentId or "")
        message = _message(one, node, parent)
        if message is not None:
            messages.append(message)
        places[one] = len(messages) - 1 if message is not None else parent
    return tuple(messages), places


def _message(one: str, node: _Message, parent: int | None) -> Message | None:
    """Return a message; None for one that says nothing."""
    at = to_ms(node.timestamp)
    content = node.content if isinstance(node.content, str) else _content(node.content)
    match node.role:
        case "user":
            parts = (*([TextPart(content)] if content else []), *_files(node))
            return Message(parent=parent, role="user", parts=parts, created_at=at) if parts else None
        case "assistant":
            model = node.model if isinstance(node.model, str) else None
            parts = (*_answer(one, content, node.output or ()), *_files(node))
            return Message(parent=parent, role="assistant", parts=parts, model=model, created_at=at) if parts else None
        case "system":
            said = (TextPart(content),)
            return Message(parent=parent, role="system", parts=said, created_at=at) if content else None
        case None if not content:
            return None  # what an answer left that was never made
        case role:
            raise BrokenChat(f"a message of it is by {role!r}"[:200])


def _content(content: Any) -> str:
    """Return the text of a content in parts, as OpenAI's API has it."""
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _files(node: _Message) -> Iterator[Part]:
    for file in node.files or ():
        image = _IMAGE.fullmatch(file.url) if isinstance(file.url, str) else None
        if image is not None:
            yield ImagePart(image[1], image[2])
        else:
            name = next((each for each in (file.name, file.url) if isinstance(each, str) and each), "")
            yield TextPart(f"\n[{'image' if file.type == 'image' else 'file'}: {name[:200]}]")


def _answer(one: str, content: str, output: Sequence[_Item]) -> tuple[Part, ...]:
    """Return the parts of an answer. What `output` says beside the text counts where the text does not say it."""
    in_text = tuple(_told(one, content))
    said = "".join(part.text for part in in_text if isinstance(part, TextPart))
    if len(in_text) > 1 or not output:
        return in_text
    beside = tuple(_items(one, output))
    if "".join(part.text for part in beside if isinstance(part, TextPart)).strip() == said.strip():
        return beside
    # the text was edited, and is what counts
    return (*(part for part in beside if not isinstance(part, TextPart)), *in_text)


def _told(one: str, content: str) -> Iterator[Part]:
    """Take an answer's text apart."""
    at = 0
    for number, found in enumerate(_DETAILS.finditer(content)):
        attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(found[1])}
        if attributes.get("type") not in _DETAIL_TYPES:
            continue  # the answer's own
        yield from _thought(content[at : found.start()], first=at == 0)
        yield from _details(f"{one}-{number}", attributes, html.unescape(_SUMMARY.sub("", found[2], count=1)))
        at = found.end()
    yield from _thought(content[at:], first=at == 0)


def _details(call_id: str, attributes: dict[str, str], body: str) -> Iterator[Part]:
    match attributes["type"]:
        case "reasoning":
            thought = _QUOTED.sub("", body).strip()
            if thought:
                yield ReasoningPart(thought)
        case "tool_calls":
            yield ToolCallPart(call_id, attributes.get("name") or "tool", _arguments(attributes.get("arguments", "")))
            yield ToolResultPart(call_id, _decoded(attributes.get("result", "")))
        case _:
            code = _CODE.fullmatch(body)
            yield ToolCallPart(call_id, "code_interpreter", _arguments(code[1] if code else body.strip()))
            yield ToolResultPart(call_id, attributes.get("output", ""))


def _thought(text: str, *, first: bool) -> Iterator[Part]:
    """Return a piece of text; at the beginning of an answer there may be `<think>...</think>` in it."""
    text = text.strip("\n") if text.strip() else ""
    if not text:
        return
    splitter = think.Splitter()
    events = [*splitter.feed(text), *splitter.close()] if first else [Text(text)]
    thoughts = "".join(event.delta for event in events if isinstance(event, Reasoning)).strip()
    said = "".join(event.delta for event in events if isinstance(event, Text))
    if thoughts:
        yield ReasoningPart(thoughts)
    if said:
        yield TextPart(said)


def _items(one: str, output: Sequence[_Item]) -> Iterator[Part]:
    """Return what `output` says; a tool's call that has no output has an empty one."""
    results = {item.call_id: _texts(item.output) for item in output if item.type == "function_call_output"}
    for number, item in enumerate(output):
        match item.type:
            case "message":
                text = _texts(item.content)
                if text:
                    yield TextPart(text)
            case "reasoning":
                text = (_texts(item.content) or _texts(item.summary)).strip()
                if text:
                    yield ReasoningPart(text)
            case "function_call":
                call_id = f"{one}-{number}"
                name = item.name if isinstance(item.name, str) and item.name else "tool"
                arguments = item.arguments if isinstance(item.arguments, str) else ""
                yield ToolCallPart(call_id, name, _arguments(arguments))
                yield ToolResultPart(call_id, results.get(item.call_id, ""))
            case _:
                pass  # the output of a call stands with the call; other items say nothing to people


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _arguments(text: str) -> str:
    """Return what a tool was asked as a JSON object, which it may be in quotes, or not be at all."""
    for candidate in (text, _decoded(text)):
        try:
            msgspec.json.decode(candidate, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            continue
        return candidate
    return msgspec.json.encode({"input": text} if text else {}).decode()


def _decoded(text: str) -> str:
    """Return what a JSON string says; any other text as it is."""
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, RecursionError):
        return text
