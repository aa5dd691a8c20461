"""This module keeps at most one engine: it is loaded once for all who wait, and again after it died."""

import asyncio

import structlog

from headrace.core.errors import ProviderError
from headrace.net import http
from headrace.providers.backoff import Backoff
from headrace.providers.embedded_engine import Engine
from headrace.providers.embedded_pipe import Launch
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import State

__all__ = ["Running", "Supervisor"]

logger = structlog.get_logger("headrace.providers")


class Running:
    """An engine whose model is loaded, and the provider that asks it over loopback."""

    def __init__(self, engine: Engine, upstream: OpenAI, context_length: int | None) -> None:
        self.engine = engine
        self.upstream = upstream
        self.context_length = context_length
        self.stopped = False
        """Whether it was ended on purpose."""

    async def end(self) -> None:
        """End the engine and what it answers."""
        self.stopped = True
        await self.upstream.close()
        await self.engine.end()


class Supervisor:
    """The engine for one model file, in whatever state. Belongs to one event loop."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._backoff = Backoff()
        self._running: Running | None = None
        self._loading: asyncio.Task[Running] | None = None
        self._failure: ProviderError | None = None  # the last one, until it is loaded again
        self._loadable = True  # as far as is known

    @property
    def state(self) -> State:
        """`up` also while nothing is loaded but can be: whoever comes next loads it."""
        if self._loading is not None:
            return "loading"
        return "down" if self._failure and (self._backoff.wait_s > 0 or not self._loadable) else "up"

    @property
    def reason(self) -> str | None:
        """Why it is not up."""
        if self._loading is not None:
            return "The model is being loaded."
        return self._failure.message if self._failure and self.state == "down" else None

    @property
    def running(self) -> Running | None:
        """The engine, where there is one that lives."""
        if self._running is not None and not self._running.engine.alive:
            self.bury(self._running)
        return self._running

    def check(self) -> None:
        """Raise `engine_died` where it has failed and may not be tried again yet."""
        wait_s = self._backoff.wait_s
        if self._failure is not None and wait_s > 0:
            raise ProviderError(f"{self._failure.message} It can be tried again in {wait_s:.0f} s.", code="engine_died")

    async def load(self) -> Running:
        """Return the engine once its model is loaded; one load, however many wait. Raises `engine_died`.

        Who is cancelled leaves the load to the others, and to the next.
        """
        if self.running is not None:
            return self.running
        if self._loading is None:
            self.check()
            self._loading = asyncio.create_task(self._start(), name=f"load {self._launch.alias}")
            self._loading.add_done_callback(self._loaded)
        loading = self._loading
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if loading.cancelled() and task is not None and not task.cancelling():
                # it is the load that was cancelled, by `stop`: to who waits for it that is a failure
                raise ProviderError("The engine was stopped while it loaded its model.", code="engine_died") from None
            raise

    def bury(self, dead: Running) -> ProviderError:
        """Note that this engine is dead, if that is not known; return the error for an answer it was making."""
        if dead.stopped:
            return ProviderError("The engine was stopped in mid-answer.", code="engine_died")
        why = dead.engine.why()
        error = ProviderError(
            f"The engine with {self._launch.path} died: {why}. It starts again with the next answer.",
            code="engine_died",
        )
        if dead is self._running:
            logger.warning("engine.died", path=self._launch.path, why=why)
            self._running = None
            self._backoff.failed()
            self._failure = error
        return error

    async def stop(self) -> None:
        """End the engine, or its loading; answers in the making are cut. `load` starts it again."""
        loading, running = self._loading, self._running
        self._loading = self._running = None
        if loading is not None:
            loading.remove_done_callback(self._loaded)
            loading.cancel()
            await asyncio.wait([loading])
            if not loading.cancelled() and loading.exception() is None:
                running = loading.result()
        if running is not None:
            await running.end()

    async def _start(self) -> Running:
        engine = await Engine.start(self._launch)
        settings = OpenAISettings(base_url=f"{engine.url}/v1", api_key=self._launch.key)
        upstream = OpenAI(self._launch.alias, settings, transport=http.Client())
        try:
            (model,) = await upstream.models()  # it answers, and says what it is
        except BaseException:
            await asyncio.shield(engine.end())
            raise
        return Running(engine, upstream, model.context_length)

    def _loaded(self, loading: asyncio.Task[Running]) -> None:
        self._loading = None
        if loading.cancelled():
            return
        error = loading.exception()
        if error is None:
            self._running = loading.result()
            self._failure = None
            self._loadable = True
            self._backoff.succeeded()
        elif isinstance(error, ProviderError):
            self._failure = error
            self._loadable = False
            self._backoff.failed()
