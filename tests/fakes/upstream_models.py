"""This module is the models of `fakes.upstream`: a model's name says how it behaves.

| model | what it does |
|---|---|
| `text`, `text-rR-nN` | N tokens (5) at R a second (0: as fast as it can), then `stop`, usage and `[DONE]`; token i is `i ` |
| `echo` | the last message's text, word by word |
| `reset-after-K`, `eof-after-K`, `short-after-K` | K tokens, then RST; a clean end without a reason; a cut chunked body |
| `error-frame-after-K`, `garbage-after-K`, `silent-after-K` | K tokens, then an error event; no JSON; nothing more |
| `status-S` | HTTP status S with an error of OpenAI's shape; 429 and 503 with `Retry-After: 7` |
| `tells-S`, `slow-S` | the same with words that tell of a key and of where it is, and no end; after half a second |
| `silent`, `no-headers`, `not-http`, `redirect`, `gzip` | headers only; nothing at all; no HTTP; 302; compressed |
| `loading-N` | 503 `Loading model` N times, then as `text` |
| `no-options` | 400 where the request has `stream_options`, otherwise as `text` |
| `no-done`, `lingering` | ends without `[DONE]`; keeps the connection open after it, never ending the body |
| `json`, `json-error` | a whole reply instead of a stream; HTTP 200 with an error object |
| `think`, `tool`, `progress` | `<think>`; a tool call in pieces; llama.cpp's prompt_progress and timings |
| `slow-byte`, `utf8-cut`, `crlf` | every byte its own write; cuts within characters; CRLF line ends |

Any other name is 404 `model_not_found`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

from fakes.behaviours import Behaviours
from fakes.upstream_connection import STREAM, USAGE, Connection, Received, event_of, for_ever

__all__ = ["Behaviour", "behaviour"]

Behaviour = Callable[[Connection, Received], Awaitable[None]]
"""Answers one request over its connection."""

_BEHAVIOURS = Behaviours()
_named = _BEHAVIOURS.named


def behaviour(model: str) -> Behaviour:
    """Return what answers a request for this model."""
    return _BEHAVIOURS.of(model) or (lambda connection, request: _status(connection, request, 404))


@_named(r"text(?:-r(\d+)-n(\d+))?")
async def _text(connection: Connection, _request: Received, rate: int = 0, count: int = 5) -> None:
    connection.begin()
    await connection.tokens(count, rate)
    connection.finish()


@_named("echo")
async def _echo(connection: Connection, request: Received) -> None:
    content = request.body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    connection.begin()
    for word in re.findall(r"\S+\s*|\s+", text):
        connection.token(word)
    connection.finish()


@_named(r"reset-after-(\d+)")
async def _reset(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    await asyncio.sleep(0.02)  # an RST overtakes what the other side has not read yet
    connection.reset()


@_named(r"eof-after-(\d+)")
async def _eof(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.end(done=False)


@_named(r"short-after-(\d+)")
async def _short(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.hang_up()


@_named(r"error-frame-after-(\d+)")
async def _error_frame(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(connection.ERROR)
    connection.end()


@_named(r"garbage-after-(\d+)")
async def _garbage(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(connection.GARBAGE)
    connection.end()


@_named(r"silent-after-(\d+)")
async def _silent_after(connection: Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    await for_ever()


@_named("silent")
async def _silent(connection: Connection, _request: Received) -> None:
    connection.write(STREAM)
    await for_ever()


@_named("no-headers")
async def _no_headers(_connection: Connection, _request: Received) -> None:
    await for_ever()


@_named("not-http")
async def _not_http(connection: Connection, _request: Received) -> None:
    connection.write(b"SSH-2.0-OpenSSH_9.6\r\n")


@_named("redirect")
async def _redirect(connection: Connection, _request: Received) -> None:
    connection.reply(302, {}, Location="http://127.0.0.1:1/v1/chat/completions")


@_named("gzip")
async def _gzip(connection: Connection, _request: Received) -> None:
    connection.reply(200, {}, Content_Encoding="gzip")


@_named(r"status-(\d+)")
async def _status(connection: Connection, _request: Received, status: int) -> None:
    connection.error(status)


@_named(r"tells-(\d+)")
async def _tells(connection: Connection, _request: Received, status: int) -> None:
    upstream = connection.upstream
    where = f"{upstream.base_url}/chat/completions, http://10.1.2.3:8000/x and 127.0.0.1:{upstream.port}"
    connection.error(status, f" Asked at {where} with sk-abcdefghijklmnop." + " And so on." * 1000)


@_named(r"slow-(\d+)")
async def _slow(connection: Connection, _request: Received, status: int) -> None:
    await asyncio.sleep(0.5)
    connection.error(status)


@_named(r"loading-(\d+)")
async def _loading(connection: Connection, request: Received, times: int) -> None:
    if len(connection.upstream.of(request.model)) > times:
        await _text(connection, request)
        return
    connection.reply(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


@_named("no-options")
async def _no_options(connection: Connection, request: Received) -> None:
    if "stream_options" not in request.body:
        await _text(connection, request)
        return
    message = "Unrecognized request argument supplied: stream_options"
    connection.reply(400, {"error": {"message": message, "type": "invalid_request_error", "code": None}})


@_named("no-done")
async def _no_done(connection: Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.event({}, "length")
    connection.end(done=False)


@_named("lingering")
async def _lingering(connection: Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.event({}, "stop")
    connection.body_bytes(b"data: [DONE]\n\n")
    await for_ever()


@_named("json")
async def _json(connection: Connection, _request: Received) -> None:
    message = {"role": "assistant", "content": "a whole reply", "reasoning_content": "hm"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    connection.reply(200, {"object": "chat.completion", "choices": choices, "usage": USAGE})


@_named("json-error")
async def _json_error(connection: Connection, _request: Received) -> None:
    connection.reply(200, {"error": {"message": "Provider returned error", "code": 502}})


@_named("think")
async def _think(connection: Connection, _request: Received) -> None:
    connection.begin()
    for piece in ("<th", "ink>let me ", "see</thi", "nk>\n\n", "the ", "answer"):
        connection.token(piece)
    connection.finish()


@_named("tool")
async def _tool(connection: Connection, _request: Received) -> None:
    connection.begin()
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    connection.event({"tool_calls": [head]})
    for piece in ('{"city"', ': "Bern"}'):
        connection.event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    connection.finish("tool_calls")


@_named("progress")
async def _progress(connection: Connection, request: Received) -> None:
    connection.begin()
    if request.body.get("return_progress"):
        for processed in (0, 512, 1024):
            progress = {"total": 1024, "cache": 256, "processed": processed, "time_ms": processed // 10}
            connection.event({"role": "assistant", "content": None}, prompt_progress=progress)
    await connection.tokens(5)
    connection.event({}, "stop")
    timings = {"prompt_n": 768, "prompt_ms": 100.0, "prompt_per_second": 7680.0, "predicted_n": 5}
    connection.usage(timings=timings | {"predicted_ms": 50.0, "predicted_per_second": 100.0, "cache_n": 256})
    connection.end()


@_named("slow-byte")
async def _slow_byte(connection: Connection, _request: Received) -> None:
    events = [{"content": f"{number} é\u2028"} for number in range(3)]
    body = b"".join(event_of(delta) for delta in events) + event_of({}, "stop") + b"data: [DONE]\n\n"
    for byte in STREAM + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body):
        connection.write(bytes([byte]))
        await asyncio.sleep(0)


@_named("utf8-cut")
async def _utf8_cut(connection: Connection, _request: Received) -> None:
    connection.write(STREAM)
    body = event_of({"content": "Zürich 🚆 日本\u2028語"}) + event_of({}, "stop") + b"data: [DONE]\n\n"
    for start in range(0, len(body), 7):
        connection.body_bytes(body[start : start + 7])
        await asyncio.sleep(0)
    connection.end(done=False)


@_named("crlf")
async def _crlf(connection: Connection, _request: Received) -> None:
    connection.write(STREAM)
    said = [event_of(delta) for delta in ({"content": "one "}, {"content": "two"})]
    for event in (*said, event_of({}, "stop"), b"data: [DONE]\n\n"):
        for piece in (event[:-2] + b"\r", b"\n\r", b"\n: ping\r\n\r\n"):
            connection.body_bytes(piece)
            await asyncio.sleep(0)
    connection.end(done=False)
