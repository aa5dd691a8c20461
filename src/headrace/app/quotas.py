"""This module holds runs to the limits: room while they go on, and the tokens that they took."""

import asyncio
from collections.abc import Callable

import structlog

from headrace.access.limits import Limits
from headrace.core.clock import Clock
from headrace.runs.port import Outcome, Spec
from headrace.store.store import Store

__all__ = ["Quotas"]

logger = structlog.get_logger("headrace.app")

_DAY_MS = 86_400_000


class Quotas:
    """Fills `runs.port.Quota` by `take`, and `runs.port.Observer`. What a day took is kept in the store."""

    def __init__(self, limits: Limits, store: Store, clock: Clock, *, counted: bool) -> None:
        """Take what to hold runs to; tokens are counted only where `counted`: where they are limited."""
        self._limits = limits
        self._store = store
        self._clock = clock
        self._counted = counted
        self._writing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take up what today took before the server was started."""
        if self._counted:
            today = self._clock.now_ms() // _DAY_MS
            self._limits.restore(today, await self._store.users.spendings(today))

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing:
            await asyncio.wait(self._writing)

    def take(self, owner: int) -> Callable[[], None]:
        """See `runs.port.Quota`."""
        self._limits.check_tokens(owner)
        return self._limits.slot(owner).free

    def started(self, spec: Spec) -> None:
        """See `runs.port.Observer.started`."""

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """See `runs.port.Observer.first_token`."""

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """See `runs.port.Observer.ended`."""
        del seconds
        usage = outcome.usage
        if usage is not None and self._counted:
            self.spent(spec.owner, (usage.input_tokens or 0) + (usage.output_tokens or 0))

    def spent(self, owner: int, tokens: int) -> None:
        """See `runs.vectors.Spent`."""
        if not self._counted:
            return
        self._limits.spent(owner, tokens)
        task = asyncio.get_running_loop().create_task(self._write(owner, tokens), name="spending")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, owner: int, tokens: int) -> None:
        try:
            await self._store.users.spent(owner, self._clock.now_ms() // _DAY_MS, tokens)
        except Exception:
            logger.exception("spending.unwritten")
