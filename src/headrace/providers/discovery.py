"""This module finds the providers that nobody set up: model servers on this machine, model files, keys.

Servers are looked for on loopback, at the ports that they usually have. One that is found becomes a provider, and from
then on it is watched as any other: it may go, and come back. Files are those of one folder, all of them models of the
provider `local`. Keys in the environment cost money: they are shown, and not used.

What the settings name is theirs: a name, an address or a file that stands there is left alone.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from headrace.core.clock import Clock
from headrace.net import http
from headrace.providers import presets
from headrace.providers.discovery_probe import Met, probe
from headrace.providers.health import Watch
from headrace.providers.local import LOCAL, Local
from headrace.providers.local_files import Folder
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Model, Provider
from headrace.providers.registry import KINDS, Off

__all__ = ["Discovery", "Wanted"]

T = TypeVar("T")

logger = structlog.get_logger("headrace.providers")

_AGAIN_S: Mapping[Met, float] = {
    "nobody": 5.0,  # a refused connection on loopback costs nothing
    "stranger": 60.0,  # it may write a line to its log for each request that it does not know
    "locked": 15.0,
}
_SCAN_S = 1.0  # a file is listed when it was found unchanged once more


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to find."""

    ports: Mapping[str, int] = {}
    """The servers of `presets.SERVERS` to look for, and where on 127.0.0.1."""

    services: tuple[str, ...] = ()
    """Those of `presets.SERVICES` whose key is in the environment."""

    folder: Path | None = None
    """The folder of the model files."""

    elsewhere: tuple[Path, ...] = ()
    """Model files that another provider serves."""

    max_loaded: int = 2
    """How many models of the folder may be loaded at once."""


class Discovery:
    """Adds to the watch what it finds. The providers are the watch's; it closes them."""

    def __init__(self, watch: Watch, wanted: Wanted, *, clock: Clock, again_s: Mapping[Met, float] = _AGAIN_S) -> None:
        self._watch = watch
        self._wanted = wanted
        self._again_s = again_s
        self._transport = http.Client()
        self._folder = Folder(wanted.folder, clock, elsewhere=wanted.elsewhere) if wanted.folder is not None else None
        self._local: Local | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Look everywhere once, which takes a second at most; then go on looking, in tasks."""
        for name in self._wanted.services:
            self._watch.add(_shown(name), found_by="environment")
        ports = self._wanted.ports
        met, _ = await asyncio.gather(asyncio.gather(*map(self._meet, ports, ports.values())), self._scan())
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._keep_looking(name, port, first), name=f"discovery {name}")
            for (name, port), first in zip(ports.items(), met, strict=True)
            if first != "found"
        ]
        if self._folder is not None:
            self._tasks.append(loop.create_task(self._keep_scanning(), name="discovery of files"))

    async def close(self) -> None:
        """Look no more."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._transport.close()

    # servers

    async def _keep_looking(self, name: str, port: int, met: Met) -> None:
        while met != "found":
            await asyncio.sleep(self._again_s[met])
            met = await _guarded(self._meet(name, port), met)

    async def _meet(self, name: str, port: int) -> Met:
        """Look once, and add what is there; what was locked before is replaced."""
        met = await probe(name, port, self._transport)
        known = any(health.provider.name == name for health in self._watch.health())
        if known and met != "locked":
            await self._watch.remove(name)
        if met == "found":
            self._watch.add(_SERVERS.get(name, _plain)(name, port), found_by="discovery")
            logger.info("provider.found", provider=name, port=port)
        elif met == "locked" and not known:
            self._watch.add(_locked(name, port), found_by="discovery")
        return met

    # files

    async def _keep_scanning(self) -> None:
        while True:
            await asyncio.sleep(_SCAN_S)
            await _guarded(self._scan(), None)

    async def _scan(self) -> None:
        if self._folder is None:
            return
        files = await asyncio.to_thread(self._folder.scan)
        if self._local is None:
            if not files:
                return
            self._local = Local(self._folder.path, max_loaded=self._wanted.max_loaded)
            self._local.update(files)
            self._watch.add(self._local, found_by="discovery")
        elif self._local.update(files):
            self._watch.suspect(LOCAL)
        if not files and self._local.idle:
            self._local = None
            await self._watch.remove(LOCAL)


async def _guarded(step: Coroutine[Any, Any, T], otherwise: T) -> T:
    """Return what a step returns: a bug in one does not end the looking."""
    try:
        return await step
    except Exception:
        logger.exception("discovery.bug")
        return otherwise


class _LMStudio(OpenAI):
    """LM Studio lists what makes vectors among what chats, and has one of those from the start."""

    async def models(self) -> list[Model]:
        """See `OpenAI.models`; without those whose name says what they are."""
        return [model for model in await super().models() if not model.name.startswith("text-embedding-")]


def _plain(name: str, port: int) -> Provider:
    server = presets.SERVERS[name]
    kind = KINDS[server.kind]
    return kind.make(name, kind.settings(base_url=server.base_url(port)))


def _lmstudio(name: str, port: int) -> Provider:
    return _LMStudio(name, OpenAISettings(base_url=presets.SERVERS[name].base_url(port)))


_SERVERS: Mapping[str, Callable[[str, int], Provider]] = {"lmstudio": _lmstudio}


def _locked(name: str, port: int) -> Off:
    server = presets.SERVERS[name]
    return Off(
        name,
        server.kind,
        f"found, off: {server.title} on port {port} wants a key. Put the key into a variable, add [providers.{name}] "
        f'with kind = "{server.kind}", base_url = "{server.base_url(port)}" and api_key_env = "VARIABLE" to the '
        "settings, and start again.",
    )


def _shown(name: str) -> Off:
    service = presets.SERVICES[name]
    found = f"found, off: there is a key in {service.variable}"
    if service.kind not in KINDS:
        return Off(name, service.kind, f"{found}, but this version has no providers of kind {service.kind} yet.")
    return Off(
        name,
        service.kind,
        f"{found}, which is not used until the settings say so. Add [providers.{name}] with enabled = true to the "
        f"settings, or set HEADRACE_PROVIDERS_{name.upper()}_ENABLED=true, and start again.",
    )
