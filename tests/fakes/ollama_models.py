"""This module is the models of `fakes.ollama`: a model's name says how it behaves.

Those of `fakes.upstream_models`, in Ollama's words: `text`, `text-rR-nN`, `echo`, `reset-after-K`,
`eof-after-K`, `short-after-K`, `error-frame-after-K`, `garbage-after-K`, `silent-after-K`, `status-S`, `silent`,
`no-headers`, `not-http`, `redirect`, `gzip`, `lingering`, `json`, `json-error`, `think`, `tool`, `slow-byte`,
`utf8-cut`, `crlf`; and

| model | what it does |
|---|---|
| `thinking` | thoughts apart from the text |
| `loading-N` | is not loaded; answers as `text` a moment after it was asked N times which models are |
| `fails-to-load-N` | likewise, but then HTTP 500 |
| `refuses-to-load-N` | likewise, but at once, with HTTP 400 |
| `no-reason`, `no-newline` | the last line without `done_reason`, as old versions have it; without its end, and `length` |
| `no-tools`, `signed-out` | HTTP 400, as the model has no tools; 401, as the cloud wants an account |

Any other name is 404 `model not found`.
"""

import asyncio
import re

from fakes import upstream_models
from fakes.behaviours import Behaviours
from fakes.ollama_connection import FIGURES, HEAD, OllamaConnection
from fakes.upstream_connection import Received, for_ever
from fakes.upstream_models import Behaviour

__all__ = ["behaviour", "short"]

_SHARED = re.compile(
    r"text(-r\d+-n\d+)?|echo|think|no-headers|not-http|redirect|gzip"
    r"|(reset|eof|short|silent|error-frame|garbage)-after-\d+|status-\d+"
)
"""What these do in `fakes.upstream_models` they do here too: only the words differ."""

_LOADING_S = 0.25  # well above the time below which a wait is none

_BEHAVIOURS = Behaviours()
_named = _BEHAVIOURS.named


def behaviour(model: str) -> Behaviour:
    """Return what answers a request for this model."""
    name = short(model)
    return _BEHAVIOURS.of(name) or upstream_models.behaviour(name if _SHARED.fullmatch(name) else "status-404")


def short(name: str) -> str:
    """Return a model's name without the tag that needs not be said."""
    return name.removesuffix(":latest")


@_named("silent")
async def _silent(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    await for_ever()


@_named(r"loading-(\d+)")
async def _loading(connection: OllamaConnection, request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(_LOADING_S)
    await behaviour("text")(connection, request)


@_named(r"fails-to-load-(\d+)")
async def _fails_to_load(connection: OllamaConnection, _request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(_LOADING_S)
    message = "model requires more system memory (9.1 GiB) than is available (3.2 GiB)"
    connection.reply(500, {"error": message})


@_named(r"refuses-to-load-(\d+)")
async def _refuses_to_load(connection: OllamaConnection, _request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(0.02)  # that the model is not loaded is known by then
    connection.error(400)


async def _asked(connection: OllamaConnection, times: int) -> None:
    ollama = connection.upstream
    await ollama.until(lambda: len(ollama.asked("/api/ps")) >= times)


@_named("no-reason")
async def _no_reason(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.line(done=True)
    connection.end()


@_named("no-newline")
async def _no_newline(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.body_bytes(connection.last("length").removesuffix(b"\n"))
    connection.end()


@_named("no-tools")
async def _no_tools(connection: OllamaConnection, _request: Received) -> None:
    connection.reply(400, {"error": '"no-tools" does not support tools'})


@_named("signed-out")
async def _signed_out(connection: OllamaConnection, _request: Received) -> None:
    connection.reply(401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect?name=a&key=b"})


@_named("lingering")
async def _lingering(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.body_bytes(connection.last())
    await for_ever()


@_named("json")
async def _json(connection: OllamaConnection, _request: Received) -> None:
    message = {"role": "assistant", "content": "a whole reply", "thinking": "hm"}
    payload = {"model": "json", "created_at": "2026-08-21T18:48:22Z", "message": message, "done": True}
    connection.reply(200, payload | {"done_reason": "stop"} | FIGURES)


@_named("json-error")
async def _json_error(connection: OllamaConnection, _request: Received) -> None:
    connection.reply(200, {"error": "Provider returned error"})


@_named("thinking")
async def _thinking(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    for piece in ("let me ", "see"):
        connection.line(message={"thinking": piece})
    for piece in ("the ", "answer"):
        connection.token(piece)
    connection.finish()


@_named("tool")
async def _tool(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    call = {"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Bern"}}}
    connection.line(message={"tool_calls": [call]})
    connection.finish()


@_named("slow-byte")
async def _slow_byte(connection: OllamaConnection, _request: Received) -> None:
    body = b"".join(connection.encoded(f"{number} é\u2028") for number in range(3)) + connection.last()
    for byte in HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body):
        connection.write(bytes([byte]))
        await asyncio.sleep(0)


@_named("utf8-cut")
async def _utf8_cut(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    body = connection.encoded("Zürich 🚆 日本\u2028語") + connection.last()
    for start in range(0, len(body), 7):
        connection.body_bytes(body[start : start + 7])
        await asyncio.sleep(0)
    connection.end()


@_named("crlf")
async def _crlf(connection: OllamaConnection, _request: Received) -> None:
    connection.begin()
    for line in (connection.encoded("one "), connection.encoded("two"), connection.last()):
        for piece in (line[:-1] + b"\r", b"\n\r", b"\n"):
            connection.body_bytes(piece)
            await asyncio.sleep(0)
    connection.end()
