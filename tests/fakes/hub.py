"""This module is a model hub with real sockets that misbehaves on purpose: two servers, as the real one has.

The hub answers `/api/models/REPO/revision/main` and `/REPO/resolve/REVISION/FILE`; the latter redirects, with the LFS
headers, to the store, another port, which serves the bytes with ETag and Range.

async with FakeHub() as hub:
    hub.add("owner/repo", "model.gguf", data)
    ...  # HF_ENDPOINT=hub.url; then look at hub.requests
"""

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

__all__ = ["COMMIT", "FakeHub", "Request"]

COMMIT = "5c" * 20

Server = Literal["hub", "store"]

_PIECE = 64 * 1024
_RANGE = re.compile(r"bytes=(\d+)-")
_REASONS = {200: "OK", 206: "Partial Content", 302: "Found", 304: "Not Modified", 401: "Unauthorized"}


@dataclass
class Request:
    """One request that came, and to which of the two servers."""

    server: Server
    path: str
    query: str
    headers: dict[str, str]


@dataclass
class FakeHub:
    """The two servers: an async context manager. The attributes change how it behaves, also while it runs.

    `cuts`: so many bytes of each next body are sent, then the connection breaks. `hold_after`: so many are sent, then
    nothing until `go_on` is set. `spoil`: a byte of every body is wrong. `ranges`: Range is heeded. `redirects`: the
    hub sends to the store; otherwise it serves the bytes itself. `linked`: it names SHA-256 and size. `etags`: the
    store names an ETag. `lengths`: it says how long a body is. `token`: what it wants to be shown. `statuses`: what
    the next requests for bytes are answered instead. `location`: where it redirects to.
    """

    cuts: list[int] = field(default_factory=list)
    hold_after: int | None = None
    spoil: bool = False
    ranges: bool = True
    redirects: bool = True
    linked: bool = True
    etags: bool = True
    lengths: bool = True
    token: str | None = None
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    requests: list[Request] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    store_url: str = ""
    sent: int = 0

    def __post_init__(self) -> None:
        self._repos: dict[str, dict[str, bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, repo: str, path: str, data: bytes) -> str:
        """Put a file there, in the place of one that has the same path; return its SHA-256."""
        self._repos.setdefault(repo, {})[path] = data
        return hashlib.sha256(data).hexdigest()

    def asked(self, server: str) -> list[Request]:
        """Return the requests for bytes that came to this server."""
        return [one for one in self.requests if one.server == server and not one.path.startswith("/api/")]

    async def __aenter__(self) -> Self:
        self._hub = await asyncio.start_server(partial(self._accept, "hub"), "127.0.0.1", 0)
        self._store = await asyncio.start_server(partial(self._accept, "store"), "127.0.0.1", 0)
        self.url, self.store_url = (
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in (self._hub, self._store)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hub.close()
        self._store.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(server, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(await self._received(server, reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            writer.close()

    async def _received(self, server: Server, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        assert method == "GET", "a hub that is only asked for files needs no other method"
        split = urlsplit(target)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        request = Request(server, unquote(split.path), split.query, headers)
        self.requests.append(request)
        return request

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        shown = request.headers.get("authorization")
        if request.server == "hub" and self.token is not None and shown != f"Bearer {self.token}":
            said = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            await _send(writer, 401, said)
        elif request.path.startswith("/api/models/"):
            await self._list(request, writer)
        elif request.server == "hub":
            await self._resolve(request, writer)
        else:
            data = self._blob(request.path.rpartition("/")[2])
            await self._bytes(request, writer, data, {})

    async def _list(self, request: Request, writer: asyncio.StreamWriter) -> None:
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/main", request.path)
        files = self._repos.get(found[1]) if found else None
        if files is None:
            await _send(writer, 404, {"X-Error-Message": "Repository not found"})
            return
        siblings = [
            {"rfilename": path, "size": len(data), "lfs": {"sha256": _sha256(data), "size": len(data)}}
            for path, data in files.items()
        ]
        body = json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
        await _send(writer, 200, {"Content-Type": "application/json"}, body)

    async def _resolve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", request.path)
        data = self._repos.get(found[1], {}).get(found[2]) if found else None
        if data is None:
            await _send(writer, 404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            return
        linked = {"X-Linked-Etag": f'"{_sha256(data)}"', "X-Linked-Size": str(len(data))} if self.linked else {}
        if self.redirects:
            location = self.location or f"{self.store_url}/blobs/{_sha256(data)}?sig=a%2Bb%2Fc%27"
            await _send(writer, 302, {**linked, "Location": location})
        else:
            await self._bytes(request, writer, data, linked)

    async def _bytes(
        self, request: Request, writer: asyncio.StreamWriter, data: bytes | None, headers: dict[str, str]
    ) -> None:
        if data is None:
            await _send(writer, 404, {})
            return
        if self.statuses:
            await _send(writer, self.statuses.pop(0), {})
            return
        etag = f'"{_sha256(data)[:16]}"'
        if self.etags:
            headers = {**headers, "ETag": etag}
        wanted = _RANGE.fullmatch(request.headers.get("range", "")) if self.ranges else None
        if wanted and request.headers.get("if-range", etag) == etag:
            start = int(wanted[1])
            if start >= len(data):
                await _send(writer, 416, {**headers, "Content-Range": f"bytes */{len(data)}"})
                return
            headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            await self._body(writer, 206, headers, data[start:])
        else:
            await self._body(writer, 200, headers, data)

    async def _body(self, writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
        if self.spoil:
            body = body[:-1] + bytes([body[-1] ^ 1])
        length = {"Content-Length": str(len(body))} if self.lengths else {}
        writer.write(_head(status, {**headers, **length}))
        cut = self.cuts.pop(0) if self.cuts else len(body)
        for start in range(0, cut, _PIECE):
            piece = body[start : min(start + _PIECE, cut)]
            if self.hold_after is not None and start + len(piece) > self.hold_after and not self.go_on.is_set():
                writer.write(piece[: self.hold_after - start])
                await writer.drain()
                piece = piece[self.hold_after - start :]
                await self.go_on.wait()
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)
        if cut < len(body):
            writer.transport.abort()

    def _blob(self, sha256: str) -> bytes | None:
        return next(
            (data for files in self._repos.values() for data in files.values() if _sha256(data) == sha256), None
        )


async def _send(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    writer.write(_head(status, {**headers, "Content-Length": str(len(body))}) + body)
    await writer.drain()


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{name}: {headers[name]}" for name in headers)]
    return ("\r\n".join([*lines, "Connection: close", "", ""])).encode("latin-1")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
