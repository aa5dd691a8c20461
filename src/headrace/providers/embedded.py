"""This module answers with a GGUF file by itself: llama.cpp in a child process, asked over loopback.

The child starts with the first answer, or with `start`. A child that dies fails its answers; the next one starts it
again, at once the first time and then after a wait that doubles with each failure.
"""

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason, ModelLoading, ModelReady
from headrace.core.messages import Request
from headrace.providers.embedded_pipe import Launch
from headrace.providers.embedded_supervisor import Running, Supervisor
from headrace.providers.port import Emit, Model, State

__all__ = ["Embedded", "EmbeddedSettings"]

_CONTEXT = 8192  # tokens: long enough for a conversation, and a gigabyte of memory with a model of 8B parameters
_MEMORY_MIB = 256
_MAX_THREADS = 8  # more make llama.cpp slower on most machines, as memory is the limit
_DEATH_S = 1.0  # from a broken connection until the child is known to be dead
_CUT = frozenset({"upstream_closed", "upstream_refused", "upstream_garbled"})
_CPUS = Path("/sys/devices/system/cpu")


class EmbeddedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.NAME]` of kind `embedded`."""

    path: Path
    """The model, a GGUF file."""

    threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    """How many threads compute; not set: one for each core, at most 8."""

    context: Annotated[int, Meta(ge=256)] | None = None
    """How many tokens an answer may see, prompt and all; not set: 8192, or what the model knows if that is less."""

    memory_mib: Annotated[int, Meta(ge=0)] | None = None
    """How much memory may keep prompts that were read before; not set: 256 MiB."""

    parallel: Annotated[int, Meta(ge=1, le=64)] = 4
    """How many answers are made at once. Each takes the memory for a context of its own."""


class Embedded:
    """One GGUF file and the engine for it; fills `providers.port.Provider` and `providers.health.Stateful`."""

    kind = "embedded"

    def __init__(self, name: str, settings: EmbeddedSettings) -> None:
        self.name = name
        self.slots = settings.parallel
        self._path = settings.path
        self._model = settings.path.stem
        self._context_length = settings.context
        self._supervisor = Supervisor(
            Launch(
                path=str(settings.path),
                alias=self._model,
                key=secrets.token_urlsafe(32),
                threads=settings.threads or min(_cores(), _MAX_THREADS),
                context=settings.context or _CONTEXT,
                parallel=settings.parallel,
                memory_mib=_MEMORY_MIB if settings.memory_mib is None else settings.memory_mib,
            )
        )

    @property
    def state(self) -> State:
        """`up` also while the model is not loaded: then the next answer loads it."""
        return self._supervisor.state

    @property
    def reason(self) -> str | None:
        """Why it is not up."""
        return self._supervisor.reason

    async def models(self) -> list[Model]:
        """Return the one model, loaded or not. Raises `unknown_model` where its file is missing."""
        self._check_file()
        return [Model(name=self._model, context_length=self._context_length, can_continue=True)]

    async def start(self) -> None:
        """Load the model now. Raises `ProviderError` where that fails."""
        await self._load()

    async def stop(self) -> None:
        """Let the model go: answers in the making are cut. The next answer loads it again."""
        await self._supervisor.stop()

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer; see the port. Emits `model.loading` and `model.ready` where it had to wait for them."""
        if request.model != self._model:
            raise ProviderError(
                f"The provider {self.name} has only the model {self._model!r}, not {request.model!r}.",
                code="unknown_model",
            )
        running = self._supervisor.running
        if running is None:
            self._check_file()
            self._supervisor.check()
            emit([ModelLoading(self._model)])
            running = await self._load()
            emit([ModelReady(self._model)])
        try:
            return await running.upstream.generate(request, emit)
        except ProviderError as error:
            if error.code in _CUT and (running.stopped or await running.engine.died(_DEATH_S)):
                raise self._supervisor.bury(running) from error
            raise

    async def close(self) -> None:
        """End the child. Answers in the making are cut."""
        await self.stop()

    async def _load(self) -> Running:
        self._check_file()
        running = await self._supervisor.load()
        self._context_length = running.context_length
        return running

    def _check_file(self) -> None:
        if not self._path.is_file():
            raise ProviderError(
                f"There is no model file {self._path}. Put a GGUF file there, or mend `path` of the provider "
                f"{self.name}.",
                code="unknown_model",
            )


def _cores() -> int:
    """Return how many cores this process may use: two threads of one core share what llama.cpp needs."""
    usable = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    siblings = [_CPUS / f"cpu{number}" / "topology" / "thread_siblings_list" for number in usable]
    try:
        return len({path.read_text() for path in siblings})
    except OSError:
        return len(usable)
