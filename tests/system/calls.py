"""This module calls a server's own API, in the words of the tests."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import uuid4

import httpx

from fakes.upstream import FakeUpstream
from fakes.upstream_connection import Received
from system.wire import Frame, Wire, frames_of

__all__ = ["STREAM", "Caller", "Turn", "asked", "asked_for", "closed", "error_of", "marked", "streaming", "text_in"]

STREAM = {"Accept": "text/event-stream"}
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Turn:
    """A run that was started."""

    run_id: str
    question: int
    answer: int


class Caller:
    """A client of one server. `http` is for plain calls, below `/api/v1`; `stream` and `follow` open sockets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=_PATIENCE_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def get(self, path: str, **more: Any) -> Any:
        """Return the JSON of a GET that succeeds."""
        return _good(await self.http.get(path, **more)).json()

    async def root(self, path: str) -> httpx.Response:
        """Return the reply to a GET outside the base path."""
        return await self.http.get(self.url + path)

    async def chat(self, **fields: Any) -> int:
        """Make a chat and return its id."""
        return int(_good(await self.http.post("/chats", json=fields)).json()["id"])

    async def turn(self, chat_id: int, content: str = "Hello", **fields: Any) -> Turn:
        """Start a turn."""
        reply = await self.http.post(f"/chats/{chat_id}/turns", json={"content": content, **fields})
        return _turn(reply)

    async def answered(self, chat_id: int, content: str = "Hello", **fields: Any) -> Turn:
        """Start a turn and wait for its end."""
        turn = await self.turn(chat_id, content, **fields)
        await self.frames(turn.run_id)
        return turn

    async def regenerate(self, message_id: int, **fields: Any) -> Turn:
        """Make another answer."""
        return _turn(await self.http.post(f"/messages/{message_id}/regenerate", json=fields))

    async def resume(self, message_id: int, **fields: Any) -> Turn:
        """Go on with an answer."""
        return _turn(await self.http.post(f"/messages/{message_id}/continue", json=fields))

    async def stop(self, run_id: str) -> str:
        """Stop a run and return its status."""
        return str(_good(await self.http.post(f"/runs/{run_id}/stop")).json()["status"])

    async def message(self, message_id: int) -> dict[str, Any]:
        """Return a message."""
        message: dict[str, Any] = await self.get(f"/messages/{message_id}")
        return message

    async def follow(
        self, run_id: str, query: str = "", *, last: int | str | None = None, receive_buffer: int | None = None
    ) -> Wire:
        """Open a run's events; `last` is sent as `Last-Event-ID`."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        url = f"{self.url}/api/v1/runs/{run_id}/events{query}"
        return await Wire.open(url, headers=headers, receive_buffer=receive_buffer)

    async def body(self, run_id: str, query: str = "", *, last: int | str | None = None) -> bytes:
        """Return the bytes of a run's events to the end."""
        async with await self.follow(run_id, query, last=last) as wire:
            assert wire.status == httpx.codes.OK, wire.status
            return await wire.rest()

    async def frames(self, run_id: str, query: str = "", *, last: int | str | None = None) -> list[Frame]:
        """Return a run's events to the end."""
        return frames_of(await self.body(run_id, query, last=last))

    async def stream(
        self,
        chat_id: int,
        content: str = "Hello",
        *,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Wire:
        """Start a turn whose reply is its event stream."""
        url = f"{self.url}/api/v1/chats/{chat_id}/turns"
        body = {"content": content, **fields}
        return await Wire.open(url, method="POST", headers={**STREAM, **(headers or {})}, json_body=body)


def marked(text: str = "Hello") -> str:
    """Return a text that no other test sends."""
    return f"{text} {uuid4().hex}"


def asked_for(upstream: FakeUpstream, content: str | list[dict[str, Any]]) -> list[Received]:
    """Return the requests whose last message has this content."""
    return [
        each
        for each in upstream.requests
        if each.body.get("messages") and each.body["messages"][-1].get("content") == content
    ]


async def asked(upstream: FakeUpstream, content: str, count: int = 1) -> Received:
    """Wait until the model was asked so often with this content, and return the latest request."""
    await upstream.until(lambda: len(asked_for(upstream, content)) >= count)
    return asked_for(upstream, content)[-1]


async def closed(upstream: FakeUpstream, request: Received) -> float:
    """Wait until the other side has closed this request's connection; return when, in the loop's time."""
    await upstream.until(lambda: request.closed_at is not None)
    return request.closed_at or 0.0


async def streaming(caller: Caller, model: str) -> str:
    """Return the newest run that a model of `box` answers, once its first token is there."""
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            for run in (await caller.get("/runs?status=streaming"))["runs"]:
                if run["model"] == f"box/{model}":
                    return str(run["id"])
            await asyncio.sleep(0.01)


def text_in(message: Mapping[str, Any]) -> str:
    """Return the text of a message's parts."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def error_of(reply: httpx.Response) -> dict[str, Any]:
    """Return what the error envelope holds; anything else in the body is an error here."""
    body = reply.json()
    assert set(body) == {"error"}, body
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "details"}, body
    error: dict[str, Any] = body["error"]
    return error


def _turn(reply: httpx.Response) -> Turn:
    body = _good(reply).json()
    assert reply.status_code == httpx.codes.ACCEPTED, reply.status_code
    return Turn(body["run_id"], body["user_message_id"], body["assistant_message_id"])


def _good(reply: httpx.Response) -> httpx.Response:
    assert reply.is_success, f"{reply.status_code}: {reply.text}"
    return reply
