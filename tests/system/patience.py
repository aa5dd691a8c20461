"""This module runs servers that soon give a silent model up, and asks of them only models that are made to be silent.

On a busy machine a model that answers at once may take longer than they wait: it is asked of a server in no hurry.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

from system.calls import Caller
from system.running import Running, settings_file

__all__ = ["Waiting", "waiting"]

GIVES_UP_S = 0.3


@dataclasses.dataclass(frozen=True)
class Waiting:
    """A client of a server that waits long, of one that waits shortly for the first token, and of one for each further."""

    long: Caller
    for_first: Caller
    for_next: Caller

    def for_model(self, model: str) -> Caller:
        """Return the client to ask this model with: of `fakes.upstream` and `fakes.ollama`, or `pause` of `system.scripts`."""
        name = model.rpartition("/")[2]
        if name in {"silent", "no-headers"}:
            return self.for_first
        return self.for_next if name.startswith("silent-after-") or name == "pause" else self.long


@contextlib.asynccontextmanager
async def waiting(folder: Path, settings: str) -> AsyncIterator[Waiting]:
    """Run three servers with these settings, which have no section `runs`."""
    async with contextlib.AsyncExitStack() as stack:
        callers = []
        for name in ("", "first_token_timeout_s", "idle_timeout_s"):
            runs = settings_file({"runs": {name: GIVES_UP_S}}) if name else ""
            server = await stack.enter_async_context(Running(folder / (name or "long"), f"{settings}\n{runs}"))
            callers.append(await stack.enter_async_context(Caller(server.url)))
        yield Waiting(*callers)
