"""This module keeps the state of every provider fresh: whether it answers, why not, and what models it has."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
import structlog

from headrace.core.clock import Clock, SystemClock
from headrace.core.errors import ProviderError
from headrace.providers.port import Model, Provider, State

__all__ = ["Health", "Stateful", "Watch"]

_INTERVALS_S: dict[State, float] = {"up": 15.0, "loading": 1.0, "down": 4.0}  # one that comes back is up within 5 s
_GAP_S = 0.25  # between two looks at one provider, however many runs fail there
_FIRST_LOOK_S = 6.0  # a provider answers `models` within 5 s

logger = structlog.get_logger("headrace.providers")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a provider now. `models` are those that it listed last, also while it is down.

    `since_ms`: when it came into this state, in milliseconds since the Unix epoch.
    """

    provider: Provider
    state: State
    reason: str | None
    models: tuple[Model, ...]
    since_ms: int


@runtime_checkable
class Stateful(Protocol):
    """A provider that lists its models in any state, and tells the state by itself."""

    @property
    def state(self) -> State:
        """Whether it answers."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it does not, or None."""
        ...


class Watch:
    """Asks every provider for its models: every 15 s, every 4 s while it is down, every second while it loads.

    The providers become its own: `close` closes them. `changed` is called with each new `Health`, on the event loop.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        changed: Callable[[Health], None] | None = None,
        clock: Clock | None = None,
        intervals_s: dict[State, float] | None = None,
    ) -> None:
        self._changed = changed
        self._clock = clock or SystemClock()
        self._intervals_s = intervals_s or _INTERVALS_S
        now_ms = self._clock.now_ms()
        self._health = {
            provider.name: Health(
                provider=provider, state="loading", reason="It was not asked yet.", models=(), since_ms=now_ms
            )
            for provider in providers
        }
        self._suspected = {provider.name: asyncio.Event() for provider in providers}
        self._unseen = set(self._health)
        self._seen = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look, in a task of its own."""
        if not self._unseen:
            self._seen.set()
        self._task = asyncio.get_running_loop().create_task(self._look_at_all(), name="provider health")

    async def close(self) -> None:
        """Stop looking, and close the providers."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await asyncio.gather(*(health.provider.close() for health in self._health.values()))

    def health(self) -> Sequence[Health]:
        """Return what is known of every provider, in the order that they were given in."""
        return tuple(self._health.values())

    async def looked(self) -> None:
        """Return once every provider was asked at least once, or after 6 s."""
        try:
            async with asyncio.timeout(_FIRST_LOOK_S):
                await self._seen.wait()
        except TimeoutError:
            pass

    def suspect(self, name: str) -> None:
        """Look at this provider at once: an answer failed there. Unknown names are ignored."""
        if name in self._suspected:
            self._suspected[name].set()

    async def _look_at_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for name in self._health:
                group.create_task(self._keep_looking(name), name=f"provider health {name}")

    async def _keep_looking(self, name: str) -> None:
        suspected = self._suspected[name]
        while True:
            suspected.clear()
            await self._look(name)
            await asyncio.sleep(_GAP_S)
            try:
                async with asyncio.timeout(self._intervals_s[self._health[name].state]):
                    await suspected.wait()
            except TimeoutError:
                pass

    async def _look(self, name: str) -> None:
        before = self._health[name]
        provider = before.provider
        models = before.models
        reason: str | None
        try:
            models = tuple(await provider.models())
        except ProviderError as error:
            state, reason = _state_of(error), error.message
        except Exception:
            logger.exception("provider.bug", provider=name)
            state, reason = "down", "It failed in a way that is a bug of Headrace; the log has it."
        else:
            state, reason = (provider.state, provider.reason) if isinstance(provider, Stateful) else ("up", None)
        since_ms = before.since_ms if state == before.state else self._clock.now_ms()
        health = Health(provider=provider, state=state, reason=reason, models=models, since_ms=since_ms)
        self._health[name] = health
        self._unseen.discard(name)
        if not self._unseen:
            self._seen.set()
        if health != before and self._changed is not None:
            self._changed(health)


def _state_of(error: ProviderError) -> State:
    return "loading" if error.details.get("loading") else "down"
