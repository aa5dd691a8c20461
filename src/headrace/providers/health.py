"""This module keeps the state of every provider fresh: whether it answers, why not, and what models it has."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
import structlog

from headrace.core.clock import Clock, SystemClock
from headrace.core.errors import ProviderError
from headrace.providers.port import FoundBy, Model, Provider, State

__all__ = ["Health", "Stateful", "Watch"]

_INTERVALS_S: dict[State, float] = {"up": 15.0, "loading": 1.0, "down": 4.0}  # one that comes back is up within 5 s
_ORDER: dict[FoundBy, int] = {"settings": 0, "discovery": 1, "environment": 2, "package": 3}
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
    found_by: FoundBy = "settings"


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

    Providers come and go while it runs. They become its own: `remove` and `close` close them. `changed` is called
    with each new `Health`, on the event loop. A provider that is `off` is never asked.
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
        self._health: dict[str, Health] = {}
        self._suspected: dict[str, asyncio.Event] = {}
        self._unseen: set[str] = set()
        self._seen = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()  # of providers that were removed and are not closed yet
        self._started = False
        for provider in providers:
            self.add(provider)

    async def start(self) -> None:
        """Begin to look, in a task for each provider."""
        self._started = True
        self._check_seen()
        for name in self._suspected:
            self._begin(name)

    async def close(self) -> None:
        """Stop looking, and close the providers."""
        self._started = False
        await _cancelled(self._tasks.values())
        self._tasks.clear()
        await asyncio.gather(*(health.provider.close() for health in self._health.values()), *self._leaving)

    def add(self, provider: Provider, *, found_by: FoundBy = "settings") -> None:
        """Take in one more provider. Raises `ValueError` where there is one of its name."""
        name = provider.name
        if name in self._health:
            raise ValueError(f"there is a provider {name} already")
        off = isinstance(provider, Stateful) and provider.state == "off"
        added = Health(
            provider=provider,
            state="off" if off else "loading",
            reason=provider.reason if isinstance(provider, Stateful) and off else "It was not asked yet.",
            models=(),
            since_ms=self._clock.now_ms(),
            found_by=found_by,
        )
        self._health = dict(sorted([*self._health.items(), (name, added)], key=_place))
        if off:
            return
        self._suspected[name] = asyncio.Event()
        self._unseen.add(name)
        self._seen.clear()
        if self._started:
            self._begin(name)

    async def remove(self, name: str) -> None:
        """Let a provider go, and close it: answers in the making are cut. Unknown names are ignored."""
        health = self._health.pop(name, None)
        if health is None:
            return
        self._suspected.pop(name, None)
        self._unseen.discard(name)
        self._check_seen()
        leaving = asyncio.create_task(self._left(health.provider, self._tasks.pop(name, None)), name=f"end of {name}")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        await asyncio.shield(leaving)  # whoever removes it may be ended meanwhile: it is closed all the same

    async def _left(self, provider: Provider, task: asyncio.Task[None] | None) -> None:
        await _cancelled([task] if task is not None else [])
        await provider.close()

    def health(self) -> Sequence[Health]:
        """Return what is known of every provider: those of the settings in their order, then the found ones by name."""
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

    def _begin(self, name: str) -> None:
        looking = self._keep_looking(name, self._suspected[name])
        self._tasks[name] = asyncio.get_running_loop().create_task(looking, name=f"provider health {name}")

    async def _keep_looking(self, name: str, suspected: asyncio.Event) -> None:
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
        health = msgspec.structs.replace(before, state=state, reason=reason, models=models, since_ms=since_ms)
        self._health[name] = health
        self._unseen.discard(name)
        self._check_seen()
        if health != before and self._changed is not None:
            self._changed(health)

    def _check_seen(self) -> None:
        if not self._unseen:
            self._seen.set()


def _place(item: tuple[str, Health]) -> tuple[int, str]:
    name, health = item
    return _ORDER[health.found_by], "" if health.found_by == "settings" else name


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait for them."""
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)


def _state_of(error: ProviderError) -> State:
    return "loading" if error.details.get("loading") else "down"
