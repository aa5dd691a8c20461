"""This module finds out what listens on a port of this machine: one small request, and what comes back.

Many things listen on port 8080. A server is taken for what it is by what only it says: Ollama by its version, llama.cpp
by its name (in the head of every reply, and as the owner of its models), LM Studio by a list that no other has.
"""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Literal

import msgspec

from headrace.core.errors import ProviderError
from headrace.net.port import Transport

__all__ = ["Met", "probe"]

Met = Literal["nobody", "stranger", "locked", "found"]
"""Who answers: nobody, something else, the server itself but only to who has its key, the server itself."""

_TIMEOUT_S = 1.0  # on loopback; a server that is too busy to answer is found the next time
_MAX_BYTES = 1024 * 1024  # a list of some hundred models


class _Reply(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: Any
    """What the JSON says; None where it is none."""

    def get(self, key: str) -> Any:
        """Return a value of the object that the body is; None where there is none."""
        return self.body.get(key) if isinstance(self.body, dict) else None


async def probe(server: str, port: int, transport: Transport) -> Met:
    """Return who answers on this port of 127.0.0.1, where `server` (of `providers.presets`) is looked for.

    Takes a second at most. Never raises for what the other side does.
    """
    path, judge = _PROBES[server]
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reply = await _ask(transport, f"http://127.0.0.1:{port}{path}")
    except ProviderError as error:
        return "nobody" if error.code == "upstream_refused" else "stranger"
    except TimeoutError:
        return "stranger"
    return judge(reply)


async def _ask(transport: Transport, url: str) -> _Reply:
    exchange = await transport.open("GET", url, headers={"Accept": "application/json"})
    try:
        content = await exchange.read(_MAX_BYTES)
    finally:
        exchange.close()
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        body = None
    return _Reply(exchange.status, exchange.headers, body)


def _ollama(reply: _Reply) -> Met:
    return "found" if reply.status == HTTPStatus.OK and isinstance(reply.get("version"), str) else "stranger"


def _llamacpp(reply: _Reply) -> Met:
    listed = reply.get("data")
    models = listed if isinstance(listed, list) else []
    owners = [model.get("owned_by") for model in models if isinstance(model, dict)]
    if "llamacpp" not in owners and reply.headers.get("server") != "llama.cpp":
        return "stranger"
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "locked"
    # 503: it is loading its model, and will be up
    return "found" if reply.status in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE} else "stranger"


def _lmstudio(reply: _Reply) -> Met:
    listed = reply.get("data")
    if reply.status == HTTPStatus.OK and isinstance(listed, list):
        own = all(isinstance(model, dict) and {"id", "type", "state"} <= model.keys() for model in listed)
        return "found" if own else "stranger"
    # before 0.3.6 it had no such list, and says so in words that no other has
    return "found" if str(reply.get("error")).startswith("Unexpected endpoint or method.") else "stranger"


# What to ask is something that the server knows: LM Studio shows each request for anything else as an error.
_PROBES: dict[str, tuple[str, Callable[[_Reply], Met]]] = {
    "llamacpp": ("/v1/models", _llamacpp),
    "lmstudio": ("/api/v0/models", _lmstudio),
    "ollama": ("/api/version", _ollama),
}
