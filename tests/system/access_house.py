"""This module holds a server with access control, and what its callers do there."""

from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx

from system.people import Person, client, invited
from system.running import Running

__all__ = ["NUMBERS", "TOOLS", "TYPING", "House", "chat_of", "refusal_of", "run_of", "turn"]

TOOLS = "https://tools.example"
TYPING = "script/tokens-r20-n400"
"""A model that types for 20 s."""
NUMBERS = count()


@dataclass(frozen=True)
class House:
    """A server with access on, and its first admin."""

    server: Running
    admin: Person

    @property
    def url(self) -> str:
        return self.server.url

    async def guest(self, role: str = "member") -> Person:
        """Return somebody new."""
        return await invited(self.admin, f"guest{next(NUMBERS)}", role)

    async def change(self, person: Person, **fields: Any) -> None:
        async with client(self.url, self.admin.bearer) as http:
            reply = await http.patch(f"/users/{person.id}", json=fields)
        assert reply.status_code == 200, reply.text


async def chat_of(http: httpx.AsyncClient) -> int:
    reply = await http.post("/chats", json={})
    assert reply.status_code == 201, reply.text
    return int(reply.json()["id"])


async def turn(http: httpx.AsyncClient, model: str = "script/hang", **headers: str) -> httpx.Response:
    """Start an answer in a chat of its own."""
    chat = await chat_of(http)
    return await http.post(f"/chats/{chat}/turns", json={"content": "x", "model": model}, headers=headers)


async def run_of(http: httpx.AsyncClient, model: str = "script/hang") -> str:
    reply = await turn(http, model)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["run_id"])


def refusal_of(reply: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    return error
