"""This module downloads one file, and goes on where a download before it broke.

The rest is asked for by Range (RFC 9110, 14) where it can be told that the server still has the same file: by its
SHA-256, which a model hub names in the header X-Linked-ETag, otherwise by its ETag in If-Range. Where it has not, or
sends the file from its beginning, the download starts again. A connection that breaks in the middle is made again.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import msgspec

from headrace.core.errors import NotFound, ProviderError
from headrace.net.origin import Origin
from headrace.net.part import DownloadFailed, Part
from headrace.net.port import Exchange, Transport
from headrace.net.redirects import Secret, follow

__all__ = ["Downloaded", "Patience", "Progress", "Source", "download", "failure", "refusal"]

T = TypeVar("T")

Progress = Callable[[int, int | None], None]
"""Told how many bytes are here and, where that is known, how many there will be."""

_HIGH_WATER = 8 * 1024 * 1024  # bytes that wait for the disk before reading pauses
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_STRONG_ETAG = re.compile(r'"[!#-~]{1,200}"')
_UNPRINTABLE = re.compile(r"[^ -~]+")
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file comes from and what it must be.

    `sha256` (hex) is what the caller knows, `magic` how the file begins. `hub` is the server whose X-Linked-ETag and
    X-Linked-Size are believed, `secret` what goes to one server only.
    """

    url: str
    sha256: str | None = None
    magic: bytes = b""
    hub: Origin | None = None
    secret: Secret | None = None


class Downloaded(msgspec.Struct, frozen=True):
    """A whole file: its size in bytes, its SHA-256, and whether that was compared with one known before."""

    size: int
    sha256: str
    verified: bool


class Patience(msgspec.Struct, frozen=True):
    """How often a broken connection is made again without a byte more, and how long a server may be silent."""

    tries: int = 5
    first_delay_s: float = 1.0
    silence_s: float = 60.0


async def download(
    transport: Transport,
    source: Source,
    target: Path,
    *,
    progress: Progress,
    patience: Patience | None = None,
) -> Downloaded:
    """Download a file to `target`, which has its name only once it is whole; until then it is `TARGET.part`.

    What has come stays when this raises or is cancelled, and the next call goes on from there; only a file with a
    wrong hash is removed. Nobody else may download to the same target meanwhile. Raises `DownloadFailed`, `NotFound`,
    and `SettingsError` for a URL that cannot be called.
    """
    part = Part(target.with_name(target.name + ".part"), source.url, source.sha256)
    try:
        await _in_thread(part.open)
        await _Download(transport, source, part, progress, patience or Patience()).run()
        sha256 = await _in_thread(part.finish)
        await _in_thread(partial(part.place, target))
    finally:
        part.close()
    return Downloaded(part.size, sha256, part.sha256 is not None)


def failure(error: ProviderError) -> DownloadFailed:
    """Return the error of a download for one of the connection."""
    address, reason = error.details.get("address", "the server"), error.details.get("reason", error.message)
    if error.code == "upstream_refused":
        return DownloadFailed(f"Cannot connect to {address}: {reason}.", code="unreachable", retryable=True)
    return DownloadFailed(f"{address} {reason}.", retryable=error.code != "upstream_garbled")


def refusal(origin: Origin, exchange: Exchange) -> DownloadFailed | NotFound:
    """Return the error for a reply that is no file."""
    said = _UNPRINTABLE.sub(" ", exchange.headers.get("x-error-message", ""))[:300].strip()
    says = f"{origin.address} says: {said}" if said else f"{origin.address} answers {exchange.status}."
    match exchange.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return DownloadFailed(
                f"{says} It wants a token that may read this file, or there is no such file: set HF_TOKEN, after "
                "accepting the terms of the model if it has any.",
                code="not_allowed",
            )
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return NotFound(f"There is no such file. {says}")
        case status:
            return DownloadFailed(says, code="refused", retryable=status in _PASSING)


class _Download:
    def __init__(
        self, transport: Transport, source: Source, part: Part, progress: Progress, patience: Patience
    ) -> None:
        self._transport = transport
        self._source = source
        self._part = part
        self._progress = progress
        self._patience = patience
        self._linked_sha256: str | None = None
        self._linked_size: int | None = None

    async def run(self) -> None:
        """Return when all of the file is in the part."""
        tries = most = 0
        reached = False
        while True:
            try:
                if await self._attempt():
                    return
                continue  # from the beginning
            except DownloadFailed as error:
                reached = reached or error.code != "unreachable"
                tries = 1 if self._part.size > most else tries + 1
                most = max(most, self._part.size)
                if not error.retryable or not reached or tries >= self._patience.tries:
                    raise
            await asyncio.sleep(self._patience.first_delay_s * 2 ** (tries - 1))

    async def _attempt(self) -> bool:
        """Ask once for what is missing; return False where it must be asked for again from the beginning."""
        try:
            async with asyncio.timeout(self._patience.silence_s):
                origin, exchange = await follow(
                    self._transport,
                    self._source.url,
                    headers=self._wanted,
                    secret=self._source.secret,
                    passed=self._learn,
                )
        except ProviderError as error:
            raise failure(error) from error
        except TimeoutError:
            raise self._silent() from None
        try:
            self._learn(origin, exchange.headers)
            if not await self._begin(origin, exchange):
                return False
            await self._receive(exchange)
        finally:
            exchange.close()
        return True

    def _wanted(self) -> Mapping[str, str]:
        part = self._part
        if not part.known:
            return {}
        same = {} if part.sha256 is not None or part.etag is None else {"If-Range": part.etag}
        return {"Range": f"bytes={part.size}-", **same}

    def _learn(self, origin: Origin, headers: Mapping[str, str]) -> None:
        """Take the hub's word for which file this is; what is here of another one is thrown away."""
        if origin != self._source.hub:
            return
        sha256 = headers.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
        size = headers.get("x-linked-size", "")
        if _SHA256.fullmatch(sha256):
            self._linked_sha256 = sha256
        if size.isdecimal():
            self._linked_size = int(size)
        if self._source.sha256 is not None and self._linked_sha256 not in {None, self._source.sha256}:
            raise DownloadFailed(
                f"This is another file: {origin.address} says that its SHA-256 is {self._linked_sha256}, "
                f"and {self._source.sha256} was asked for.",
                code="wrong_hash",
            )
        if self._linked_sha256 is not None and self._part.sha256 not in {None, self._linked_sha256}:
            self._part.restart()

    async def _begin(self, origin: Origin, exchange: Exchange) -> bool:
        """Check the reply's head and prepare the part for its body; return False where it does not go on from there."""
        part, headers = self._part, exchange.headers
        etag = headers.get("etag", "")
        total: int | None
        if exchange.status == HTTPStatus.OK:
            part.restart()
            length = headers.get("content-length", "")
            total = int(length) if length.isdecimal() else self._linked_size
        elif exchange.status == HTTPStatus.PARTIAL_CONTENT and part.size:
            found = _RANGE.fullmatch(headers.get("content-range", ""))
            if found is None or int(found[1]) != part.size or not self._is_same(etag, int(found[3])):
                part.restart()
                return False
            total = int(found[3])
        elif exchange.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
            whole = part.size == part.total and part.sha256 is not None
            if not whole:
                part.restart()
            return whole
        else:
            raise refusal(origin, exchange)
        if self._linked_size not in {None, total}:
            raise DownloadFailed(
                f"{origin.address} has {total} bytes of a file that should have {self._linked_size}.", code="wrong_size"
            )
        sha256 = self._source.sha256 or self._linked_sha256 or (part.sha256 if part.size else None)
        strong = etag if _STRONG_ETAG.fullmatch(etag) else None
        await _in_thread(partial(part.describe, etag=strong, sha256=sha256, total=total))
        await _in_thread(part.check_room)
        return True

    def _is_same(self, etag: str, total: int) -> bool:
        part = self._part
        return part.total in {None, total} and (part.sha256 is not None or etag == part.etag)

    async def _receive(self, exchange: Exchange) -> None:
        """Write the body as it comes: reading pauses while the disk is behind, and the disk has a thread of its own."""
        waiting = _Waiting(exchange)
        exchange.receive(waiting.take)
        ending = asyncio.ensure_future(exchange.finished())
        ending.add_done_callback(waiting.note_end)
        try:
            while True:
                self._progress(self._part.size, self._part.total)
                pieces = await waiting.next(self._patience.silence_s)
                if not pieces:
                    break
                await _in_thread(partial(self._write, pieces))
            await ending
        except TimeoutError:
            raise self._silent() from None
        except ProviderError as error:
            raise failure(error) from error
        finally:
            ending.cancel()
        if self._part.total not in {None, self._part.size}:
            raise DownloadFailed("The server sent less than it said.", retryable=True)

    def _write(self, pieces: Sequence[bytes]) -> None:
        part = self._part
        begun = part.size
        if part.total is None:
            part.check_room()
        part.write(pieces)
        if begun < len(self._source.magic) and not part.begins_with(self._source.magic):
            part.remove()
            raise DownloadFailed(
                f"This is no such file: it does not begin with {self._source.magic.decode('latin-1')}. "
                "Is the address that of a page about it?",
                code="wrong_file",
            )

    def _silent(self) -> DownloadFailed:
        return DownloadFailed(f"The server was silent for {self._patience.silence_s:g} s.", retryable=True)


class _Waiting:
    """Pieces that came and are not written yet."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._pieces: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()
        self._ended = False

    def take(self, piece: bytes) -> None:
        """Keep a piece; more than enough pauses the exchange."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _HIGH_WATER:
            self._exchange.pause()
        self._news.set()

    def note_end(self, _ending: object) -> None:
        """Note that no more will come."""
        self._ended = True
        self._news.set()

    async def next(self, silence_s: float) -> Sequence[bytes]:
        """Return what has come, as soon as there is any; nothing at the end. Raises `TimeoutError`."""
        while not self._pieces and not self._ended:
            self._news.clear()
            async with asyncio.timeout(silence_s):
                await self._news.wait()
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._exchange.resume()
        return pieces


async def _in_thread(work: Callable[[], T]) -> T:
    """Run it in a thread, and return only when that has ended, also when cancelled: it works on an open file."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise
