"""This module has people who use a server with access control: how each signs in, and what each shows with a call.

admin = await first_admin(server)
ada = await invited(admin, "ada")
async with client(server.url, ada.bearer) as http: ...
"""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from system.running import Running, command, environment

__all__ = [
    "COOKIE",
    "Person",
    "client",
    "cookie_in",
    "first_admin",
    "invitation",
    "invited",
    "now_ms",
    "office",
    "shown",
]

COOKIE = "headrace_session"

_LINK = re.compile(r"^http://[^/]+/#signin=(hri_[A-Za-z0-9_-]{43})$", re.MULTILINE)
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in at one server, and has a token there that is good for all that the user may."""

    url: str
    id: int
    name: str
    cookie: str
    token: str
    token_id: int

    @property
    def bearer(self) -> dict[str, str]:
        """What a program of theirs sends."""
        return shown(self.token)

    @property
    def page(self) -> dict[str, str]:
        """What their browser sends from the server's own page."""
        return {"Cookie": f"{COOKIE}={self.cookie}", "Origin": self.url}

    async def make_token(self, name: str = "laptop", **fields: Any) -> tuple[int, str]:
        """Make one more token; return its id and its secret."""
        return await _token(self.url, self.bearer, name=name, **fields)


def shown(token: str) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def client(url: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.AsyncClient:
    """Return a client of a server's own API that sends these headers with every call."""
    return httpx.AsyncClient(
        base_url=f"{url}/api/v1", headers=dict(headers or {}), trust_env=False, timeout=_PATIENCE_S, **more
    )


def now_ms() -> int:
    """Return the time, as the server has it."""
    return time.time_ns() // 1_000_000


def cookie_in(reply: httpx.Response) -> str:
    """Return the session that a reply sets."""
    found = re.match(rf"{COOKIE}=([^;]+);", reply.headers["set-cookie"])
    assert found is not None, reply.headers["set-cookie"]
    return found[1]


async def office(server: Running, *arguments: str) -> str:
    """Run a command on the server's data folder in a process of its own; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments, "--config", str(server.config), "--data-dir", str(server.data)),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, notes = await process.communicate()
    assert process.returncode == 0, notes.decode()
    return out.decode()


async def first_admin(server: Running) -> Person:
    """Sign in by the link that the server's first start wrote."""
    link = await server.until(lambda: _LINK.search(server.text))
    return await _signed_in(server.url, link=link[1])


async def invitation(admin: Person, **fields: Any) -> str:
    """Return the secret of an invitation of this admin's."""
    async with client(admin.url, admin.bearer) as http:
        reply = await http.post("/invitations", json=fields)
    assert reply.status_code == httpx.codes.CREATED, reply.text
    return str(reply.json()["secret"])


async def invited(admin: Person, name: str, role: str = "member") -> Person:
    """Return somebody who came by an invitation of this admin's."""
    return await _signed_in(admin.url, link=await invitation(admin, name=name, role=role))


async def _signed_in(url: str, **what: str) -> Person:
    async with client(url) as http:
        reply = await http.post("/session", json=what)
    assert reply.status_code == httpx.codes.OK, reply.text
    cookie, who = cookie_in(reply), reply.json()
    page = {"Cookie": f"{COOKIE}={cookie}", "Origin": url}
    token_id, token = await _token(url, page, name="laptop")
    return Person(url, who["user_id"], who["name"], cookie, token, token_id)


async def _token(url: str, headers: Mapping[str, str], **fields: Any) -> tuple[int, str]:
    async with client(url, headers) as http:
        reply = await http.post("/tokens", json=fields)
    assert reply.status_code == httpx.codes.CREATED, reply.text
    made = reply.json()
    return int(made["token"]["id"]), str(made["secret"])
