"""This module pulls models for clients of the server: each download is a task of the server's own, and can be watched.

The list lives as long as the process. What a download that was cut had got stays on the disk, and pulling the same
model again goes on from there.
"""

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec
import structlog

from headrace.core.clock import Clock
from headrace.core.errors import Conflict, HeadraceError, NotFound, Overloaded
from headrace.models.folder import ModelFolder, checked_name
from headrace.models.hub import Found, Hub, parse_name
from headrace.models.pull import pull
from headrace.net.port import Transport

__all__ = ["Pull", "PullFailure", "Pulls"]

logger = structlog.get_logger("headrace.models")

_MOST_RUNNING = 4
"""More would only share the same line."""

_MOST_KEPT = 100
"""Downloads that have ended and are still listed."""

State = Literal["running", "complete", "failed", "cancelled"]


class PullFailure(msgspec.Struct, frozen=True):
    """Why a download failed."""

    code: str
    message: str
    retryable: bool


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A download as it is now.

    `model` is what was asked for, `file` the name in the folder of models; `bytes` are here, of `total` where that is
    known. Times are Unix milliseconds.
    """

    id: int
    model: str
    file: str
    state: State
    bytes: int
    total: int | None
    error: PullFailure | None
    created_at: int
    ended_at: int | None


class _Job:
    def __init__(self, number: int, model: str, found: Found, now_ms: int) -> None:
        self.found = found
        self.task: asyncio.Task[None] | None = None
        self.seen = Pull(
            id=number,
            model=model,
            file=found.file,
            state="running",
            bytes=0,
            total=None,
            error=None,
            created_at=now_ms,
            ended_at=None,
        )

    def progress(self, here: int, total: int | None) -> None:
        self.seen = msgspec.structs.replace(self.seen, bytes=here, total=total)

    def end(self, state: State, now_ms: int, error: PullFailure | None = None) -> None:
        self.seen = msgspec.structs.replace(self.seen, state=state, error=error, ended_at=now_ms)


class Pulls:
    """All downloads of this process, one for each file. They end with it."""

    def __init__(self, transport: Transport, hub: Hub, folder: ModelFolder, clock: Clock) -> None:
        self._transport = transport
        self._hub = hub
        self._folder = folder
        self._clock = clock
        self._jobs: dict[int, _Job] = {}
        self._last = 0

    async def begin(self, model: str) -> Pull:
        """Start to pull a model from the hub and return the download; the one that runs where the same is asked again.

        Raises `BadField` where the name is none, or is not of exactly one file (with `choices` in the details);
        `NotFound`; `Conflict` with code `pull_busy` where another model's file of this name is coming;
        `Overloaded`; `DownloadFailed` where the hub does not answer.
        """
        found = await self._hub.find(parse_name(model))
        checked_name(found.file)
        running = [job for job in self._jobs.values() if job.seen.state == "running"]
        for job in running:
            if job.found.source.url == found.source.url:
                return job.seen
            if job.found.file == found.file:
                raise Conflict(f"Another {found.file} is being downloaded.", code="pull_busy", pull_id=job.seen.id)
        if len(running) >= _MOST_RUNNING:
            raise Overloaded(f"{_MOST_RUNNING} models are being downloaded. Wait for one, or cancel it.")
        self._last += 1
        job = self._jobs[self._last] = _Job(self._last, model, found, self._clock.now_ms())
        job.task = asyncio.get_running_loop().create_task(self._run(job), name=f"pull {found.file}")
        self._forget_oldest()
        return job.seen

    def list(self) -> tuple[Pull, ...]:
        """Return the downloads, the newest first."""
        return tuple(job.seen for job in reversed(self._jobs.values()))

    def get(self, number: int) -> Pull:
        """Return one download. Raises `NotFound`."""
        return self._job(number).seen

    async def cancel(self, number: int) -> Pull:
        """Stop a download and return it, ended; one that has ended stays as it is. Raises `NotFound`."""
        job = self._job(number)
        await self._stop(job)
        return job.seen

    async def close(self) -> None:
        """Stop all downloads."""
        for job in tuple(self._jobs.values()):
            await self._stop(job)

    async def _run(self, job: _Job) -> None:
        log: Callable[..., None] = logger.info
        log("pull.started", pull=job.seen.id, file=job.seen.file)
        try:
            await pull(self._transport, job.found, self._folder, progress=job.progress)
        except asyncio.CancelledError:
            job.end("cancelled", self._clock.now_ms())
            raise
        except HeadraceError as error:
            job.end("failed", self._clock.now_ms(), PullFailure(error.code, error.message, error.retryable))
            log = logger.warning
        except Exception:
            logger.exception("pull.bug", pull=job.seen.id)
            said = PullFailure("internal", "Headrace failed; its log says why.", retryable=False)
            job.end("failed", self._clock.now_ms(), said)
        else:
            job.end("complete", self._clock.now_ms())
        code = job.seen.error.code if job.seen.error is not None else None
        log("pull.ended", pull=job.seen.id, file=job.seen.file, state=job.seen.state, code=code, bytes=job.seen.bytes)

    async def _stop(self, job: _Job) -> None:
        if job.task is not None:
            job.task.cancel()
            await asyncio.wait([job.task])
        if job.seen.state == "running":  # cancelled before its first step
            job.end("cancelled", self._clock.now_ms())

    def _job(self, number: int) -> _Job:
        job = self._jobs.get(number)
        if job is None:
            raise NotFound(f"There is no download {number}.")
        return job

    def _forget_oldest(self) -> None:
        ended = [number for number, job in self._jobs.items() if job.seen.state != "running"]
        for number in ended[: max(0, len(ended) - _MOST_KEPT)]:
            del self._jobs[number]
