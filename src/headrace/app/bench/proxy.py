"""This module measures what a stock nginx in front does to the streams of the doors: it gzips and, unasked, buffers.

Each door is read through nginx and directly at the same moments, so that what else the machine does hits both. A gap is
the time between the arrivals of two tokens; the model server makes them 20 ms apart, each at a moment of its own.
"""

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from headrace.app.bench import processes

__all__ = ["Passed", "summary", "through_proxy"]

_DOORS: dict[str, tuple[str, dict[str, Any]]] = {
    "native": ("/api/v1/chats/{chat}/turns", {"content": "hi"}),
    "relay": ("/api/chat/stream", {"message": "hi"}),
    "multimodel": ("/api/chats/{chat}/generate-stream", {"content": "hi"}),
    "tutor": (
        "/chat/stream",
        {"conversation_id": "{chat}", "user_message": "hi", "language": "en", "difficulty_level": "A1"},
    ),
    "documents": ("/api/chat/sessions/{chat}/messages/stream", {"message": "hi"}),
    "studio": ("/api/chatbot/messages/stream", {"session_id": "{chat}", "content": "hi"}),
}
_RATE, _TOKENS = 50, 100
_STEADY, _SILENT = f"bench/load-r{_RATE}-n{_TOKENS}", "bench/fault-silence-n0"
_TOKEN = re.compile(rb'" (\d{12,19})"')
_READ = 65_536
_PATIENCE_S = 30.0
_AT = 0.95


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """One door, directly and through nginx: the 95th percentile of gaps and the slowest head, in milliseconds.

    `ratio` is the gap through nginx over the direct one. The head is that of an answer whose model says nothing.
    """

    door: str
    tokens: int
    gap_ms_p95: float
    proxied_gap_ms_p95: float
    ratio: float
    head_ms_max: float
    proxied_head_ms_max: float


async def through_proxy(folder: Path, *, rounds: int) -> list[Passed]:
    """Return a row for each door. Raises `ServerError` where something does not start, or nginx is not installed."""
    with (
        processes.model_server(folder) as model,
        processes.headrace(folder, model.port) as server,
        processes.stock_nginx(folder, server.port) as proxy,
    ):
        ports = (server.port, proxy.port)
        pairs = [(door, port) for door in _DOORS for port in ports]
        gaps: dict[tuple[str, int], list[float]] = defaultdict(list)
        heads: dict[tuple[str, int], list[float]] = defaultdict(list)
        for _ in range(rounds):
            for pair, found in zip(pairs, await asyncio.gather(*(_gaps(*pair) for pair in pairs)), strict=True):
                gaps[pair] += found
            for pair in pairs:
                heads[pair].append(await _head(*pair))
        return [_row(door, [(gaps[door, port], heads[door, port]) for port in ports]) for door in _DOORS]


def summary(rows: list[Passed]) -> str:
    """Return the rows as a table."""
    names = [field for field in Passed.__struct_fields__ if field != "door"]
    lines = ["door".ljust(12) + "".join(name.rjust(21) for name in names)]
    lines += [row.door.ljust(12) + "".join(str(getattr(row, name)).rjust(21) for name in names) for row in rows]
    return "\n".join(lines)


def _row(door: str, measured: list[tuple[list[float], list[float]]]) -> Passed:
    (direct, heads), (proxied, proxied_heads) = measured
    gap, proxied_gap = (sorted(gaps)[int(len(gaps) * _AT)] * 1000 for gaps in (direct, proxied))
    return Passed(
        door=door,
        tokens=len(direct) + len(proxied),
        gap_ms_p95=round(gap, 2),
        proxied_gap_ms_p95=round(proxied_gap, 2),
        ratio=round(proxied_gap / gap, 3),
        head_ms_max=round(max(heads) * 1000, 1),
        proxied_head_ms_max=round(max(proxied_heads) * 1000, 1),
    )


async def _gaps(door: str, port: int) -> list[float]:
    """Return the seconds between the tokens of one answer."""
    arrivals: list[float] = []
    tail = b""
    async with asyncio.timeout(_PATIENCE_S), _asked(door, port, _STEADY) as reader:
        while len(arrivals) < _TOKENS and (data := await reader.read(_READ)):
            now, tail = time.monotonic(), tail + data
            end = 0
            for found in _TOKEN.finditer(tail):
                arrivals.append(now)
                end = found.end()
            tail = tail[end:]
    return [after - before for before, after in itertools.pairwise(arrivals)]


async def _head(door: str, port: int) -> float:
    """Return the seconds until the head of an answer whose model is silent."""
    async with asyncio.timeout(_PATIENCE_S), _asked(door, port, _SILENT) as reader:
        begin = time.monotonic()
        await reader.readuntil(b"\r\n\r\n")
        return time.monotonic() - begin


@contextlib.asynccontextmanager
async def _asked(door: str, port: int, model: str) -> AsyncIterator[asyncio.StreamReader]:
    """Ask a door in a new chat; what comes out of it is the answer. Then hang up."""
    chat = await _new_chat(port)
    path, fields = _DOORS[door]
    body = {name: chat if value == "{chat}" else value for name, value in fields.items()}
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_post(path.format(chat=chat), {**body, "model": model}))
        await writer.drain()
        yield reader
    finally:
        writer.close()


async def _new_chat(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_post("/api/v1/chats", {}))
    reply = await reader.read()
    writer.close()
    return int(json.loads(reply.partition(b"\r\n\r\n")[2])["id"])


def _post(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n"
        f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
