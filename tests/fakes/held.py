"""This module makes the real engine stand still in the middle of an answer (not on Windows)."""

import asyncio
import contextlib
import os
import signal
from typing import Self

from fakes.models import END, Answer, ask
from headrace.core.events import FinishReason
from headrace.providers.embedded import Embedded
from headrace.providers.local import Local

__all__ = ["Held", "engine_in"]


def engine_in(local: Local, model: str) -> Embedded:
    """Return the engine of one of its models."""
    return local._children[model].engine


class Held:
    """An answer in the making whose engine stands still; the model is loaded already. An async context manager."""

    def __init__(self, local: Local, model: str) -> None:
        running = engine_in(local, model)._supervisor.running
        assert running is not None
        self._pid = running.engine.pid
        self._answer = Answer()
        # more tokens than an engine makes before it is held, and no end before the last one
        self.making: asyncio.Task[FinishReason] = asyncio.create_task(
            self._answer.of(local, ask(model, max_tokens=400, logit_bias={str(END): -100.0})), name=f"held {model}"
        )

    async def __aenter__(self) -> Self:
        await self._answer.spoke.wait()
        os.kill(self._pid, signal.SIGSTOP)
        assert not self.making.done()
        return self

    def go_on(self) -> None:
        """Let the engine go on."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGCONT)

    async def __aexit__(self, *_: object) -> None:
        self.go_on()
        self.making.cancel()
        await asyncio.wait([self.making])
