"""This module calls the doors of the five contracts, in the words of the tests, and reads as their front ends do."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from system.calls import Caller
from system.wire import Wire

__all__ = ["CHATS", "DOORS", "Contract", "ended", "error_fields", "parsed", "run_as_written", "said_in", "until_said"]

CLOSING = {"run_id", "usage", "tokens_per_second", "finish_reason"}
USAGE = {"input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "estimated"}

_FRAME = re.compile(rb"(?:event: ([a-z]+)\n)?data: (\{[\x20-\x7e]*\})\n\n|: ping\n\n")


@dataclass(frozen=True)
class Contract:
    """One door that answers: where it is, what it takes and what it says.

    `chat` is the field of the body that names the chat, None where the path does (or nothing). `text` is the field of
    the closing event that has the whole text, `whole_text` that of the answer in one piece.
    """

    name: str
    format: str
    stream: str
    whole: str | None
    message: str
    chat: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    whole_text: str = "content"
    error: str = "message"
    thoughts: str | None = "thought"

    def path(self, chat_id: int, *, whole: bool = False) -> str:
        """Return the address of the streaming door, or of its sibling."""
        return ((self.whole if whole else self.stream) or "").format(chat=chat_id)

    def body(self, chat_id: int, content: str, **fields: Any) -> dict[str, Any]:
        """Return the body of a request."""
        named = {self.chat: chat_id} if self.chat is not None else {}
        return {self.message: content, **named, **self.more, **fields}

    async def open(
        self, caller: Caller, chat_id: int, content: str, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Wire:
        """Ask the streaming door."""
        body = self.body(chat_id, content, **fields)
        return await Wire.open(caller.url + self.path(chat_id), method="POST", headers=headers, json_body=body)

    async def said(self, caller: Caller, chat_id: int, content: str, **fields: Any) -> list[dict[str, Any]]:
        """Return all events of an answer that is streamed."""
        async with await self.open(caller, chat_id, content, **fields) as wire:
            assert wire.status == httpx.codes.OK, await wire.rest()
            return said_in(await wire.rest())

    async def ask(self, caller: Caller, chat_id: int, content: str, **fields: Any) -> httpx.Response:
        """Ask the sibling."""
        body = self.body(chat_id, content, **fields)
        return await caller.http.post(caller.url + self.path(chat_id, whole=True), json=body)

    def piece(self, event: Mapping[str, Any]) -> str:
        """Return the piece of the answer in an event."""
        if "type" not in event:
            return str(event.get("token", ""))
        return str(event["content"]) if event["type"] in {"token", "chunk"} else ""

    def pieces(self, events: Sequence[Mapping[str, Any]]) -> str:
        """Return the text that the events make."""
        return "".join(map(self.piece, events))

    def closing(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the closing event; that it has not all that every one has is an error."""
        assert event.keys() >= CLOSING, event
        assert event["usage"].keys() == USAGE, event
        assert not self.failed(event), event
        return event

    def failed(self, event: Mapping[str, Any]) -> bool:
        """Return whether this is the contract's error object."""
        if self.error == "error":
            return "error" in event and event.get("done") is True and "type" not in event
        return event.get("type") == "error" and "message" in event

    def whole_of(self, reply: httpx.Response) -> tuple[Mapping[str, Any], str]:
        """Return what the sibling's reply has of the closing event, and the text."""
        body = reply.json()
        if self.name == "studio":
            body = body["assistant_message"]
        return body, body[self.text or self.whole_text]


DOORS = {
    one.name: one
    for one in (
        Contract(
            "relay.generate",
            "relay",
            "/api/generate/stream",
            "/api/generate",
            "prompt",
            whole_text="response",
            error="error",
            thoughts=None,
        ),
        Contract("relay.chat", "relay", "/api/chat/stream", None, "message", chat="session_id", thoughts="reasoning"),
        Contract(
            "multimodel",
            "multimodel",
            "/api/chats/{chat}/generate-stream",
            "/api/chats/{chat}/generate",
            "content",
        ),
        Contract(
            "tutor",
            "tutor",
            "/chat/stream",
            "/chat",
            "user_message",
            chat="conversation_id",
            more={"language": "spanish", "difficulty_level": "A1"},
            text="full_text",
            error="error",
            thoughts=None,
        ),
        Contract(
            "documents",
            "documents",
            "/api/chat/sessions/{chat}/messages/stream",
            "/api/chat/sessions/{chat}/messages",
            "message",
            text="fullResponse",
        ),
        Contract(
            "studio",
            "studio",
            "/api/chatbot/messages/stream",
            "/api/chatbot/messages",
            "content",
            chat="session_id",
        ),
    )
}
"""Every door that answers."""

CHATS = [name for name in DOORS if name != "relay.generate"]
"""Those that answer in a chat."""


def parsed(read: bytes) -> list[dict[str, Any]]:
    """Return what the front ends make of one read: `decoder.decode(value).split('\\n')`, each part parsed alone."""
    return [json.loads(line[6:]) for line in read.decode().split("\n") if line.startswith("data: ")]


def said_in(data: bytes) -> list[dict[str, Any]]:
    """Return the events of a whole stream. Anything but events of one ASCII line each is an error, and so is no end."""
    at, events = 0, []
    while at < len(data):
        found = _FRAME.match(data, at)
        assert found is not None, f"this is no event: {data[at : at + 200]!r}"
        if found[2] is not None:
            events.append(json.loads(found[2]))
            assert found[1] is None or found[1].decode() == events[-1]["type"], found[0]
        at = found.end()
    assert [ended(event) for event in events] == [False] * (len(events) - 1) + [True], data[-500:]
    return events


def ended(event: Mapping[str, Any]) -> bool:
    """Return whether nothing follows this event."""
    return bool(event.get("done")) or event.get("type") in {"done", "complete", "error"}


async def until_said(wire: Wire, text: str, contract: Contract) -> None:
    """Read until the stream has said this."""
    while text not in contract.pieces(parsed(wire.body[: wire.body.rfind(b"\n\n") + 2])):
        assert not wire.ended, wire.body
        await wire.read()


def error_fields(contract: Contract, body: Mapping[str, Any]) -> tuple[str, str]:
    """Return code and message of a contract's error object; anything else is an error here."""
    assert contract.failed(body), body
    assert isinstance(body["retryable"], bool), body
    return body["code"], body[contract.error]


async def run_as_written(command: str, url: str) -> httpx.Response:
    """Do what a curl command of a write-up does, with this server in place of its own."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, headers, data, path = None, {}, None, ""
    for word in words:
        match word:
            case "-N" | "--no-buffer":
                pass
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                data = next(words)
            case _:
                path = urlsplit(word).path
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        return await http.request(method or ("POST" if data else "GET"), url + path, headers=headers, content=data)
