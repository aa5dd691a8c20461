"""This module is a model server for measurements: every token is the monotonic time at which it was written.

    python -m headrace.app.bench.model_server PORT

It speaks the streaming part of OpenAI's chat API. The model's name says what happens: `load-r50-n200` streams 200
tokens at 50 a second, one write for each token as a real engine does; `fault-KIND-n20` streams 20 tokens and then
fails in the way that KIND names (see `FAULTS`). Loopback only.
"""

import asyncio
import json
import random
import re
import sys
import time
from typing import cast

import uvloop

__all__ = ["FAULTS", "serve"]

TICK_S = 0.002
BACKLOG = 4096

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Cache-Control: no-cache\r\n\r\n"
)
_EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench",'
    b'"choices":[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n'
)
_NAME = re.compile(r"(load|fault)-([a-z0-9]+)-n(\d+)")
_FAULT_RATE = 200

FAULTS = ("reset", "eof", "error", "garbage", "silence", "status401", "status404", "status429", "status500")
"""How an answer can fail: the connection is reset, ends without a reason, carries an error or nonsense, or falls
silent; or the request is refused with that status."""


class _Answer:
    """One stream under way."""

    def __init__(self, transport: asyncio.Transport, kind: str, rate: float, count: int) -> None:
        self.transport, self.kind, self.rate, self.count = transport, kind, rate, count
        self.sent = 0
        # spread within one interval, so that streams do not march in step
        self.start = time.monotonic() + random.random() / rate  # noqa: S311  no secret

    def advance(self, now: float) -> bool:
        """Write what is due; return whether there is more to come."""
        if self.transport.is_closing():
            return False
        due = min(self.count, int((now - self.start) * self.rate))
        while self.sent < due:
            self.transport.write(_chunk(_EVENT % (b'{"content":" %d"}' % time.monotonic_ns(), b"null")))
            self.sent += 1
        if self.sent < self.count:
            return True
        self._end()
        return False

    def _end(self) -> None:
        match self.kind:
            case "reset":
                self.transport.abort()
            case "eof":
                self.transport.write(b"0\r\n\r\n")
            case "error":
                self.transport.write(_chunk(b'data: {"error":{"message":"out of memory","type":"server"}}\n\n'))
                self.transport.write(b"0\r\n\r\n")
            case "garbage":
                self.transport.write(_chunk(b"data: <html>502</html>\n\n") + b"0\r\n\r\n")
            case "silence":
                pass
            case _:
                stop = _chunk(_EVENT % (b"{}", b'"stop"')) + _chunk(b"data: [DONE]\n\n")
                self.transport.write(stop + b"0\r\n\r\n")


class _Connection(asyncio.Protocol):
    def __init__(self, active: list[_Answer]) -> None:
        self._active = active
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].decode("latin-1")
            length = re.search(r"(?i)content-length: *(\d+)", head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._answer(head, body)

    def _answer(self, head: str, body: bytes) -> None:
        if head.startswith("GET"):
            self._reply(b"200 OK", {"object": "list", "data": [{"id": "load-r50-n200", "object": "model"}]})
            return
        found = _NAME.fullmatch(json.loads(body or b"{}").get("model", ""))
        what, detail, count = (found[1], found[2], int(found[3])) if found else ("load", "r50", 100)
        if detail.startswith("status"):
            self._reply(detail.removeprefix("status").encode() + b" No", {"error": {"message": "refused"}})
            return
        rate = float(detail[1:]) if what == "load" else _FAULT_RATE
        self._transport.write(_HEAD + _chunk(_EVENT % (b'{"role":"assistant","content":""}', b"null")))
        self._active.append(_Answer(self._transport, detail if what == "fault" else "", rate, count))

    def _reply(self, status: bytes, value: object) -> None:
        content = json.dumps(value).encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(content))
        self._transport.write(head + content)


async def serve(port: int) -> None:
    """Serve on this port of the loopback address until cancelled."""
    active: list[_Answer] = []
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Connection(active), "127.0.0.1", port, backlog=BACKLOG)
    while True:
        now = time.monotonic()
        active[:] = [answer for answer in active if answer.advance(now)]
        await asyncio.sleep(TICK_S)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
