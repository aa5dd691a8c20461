"""This module plays scripts with exact timing, for tests and demonstrations: no model is asked.

Scripts come from files (see `providers.script`) and are built in: `demo` is a paragraph of Markdown, `echo` the user's
last message, `tokens-rR-nN` N numbered tokens at R a second (`tokens-r0-nN`: as fast as can be).
"""

import asyncio
import math
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason
from headrace.core.messages import Request, text_of
from headrace.providers.port import Emit, Model
from headrace.providers.script import Fail, Finish, Hang, Moment, Step, Steps, Used, load, play, resume

__all__ = ["Scripted", "ScriptedSettings"]

_MAX_BATCH = 32  # events in one call of emit: then others get their turn
_ENDS = (Fail, Finish, Hang)
_TOKENS = re.compile(r"tokens-r(\d{1,5})-n(\d{1,6})")

_DEMO = """\
This is **Headrace** speaking, without a model: a script that shows how an answer looks while it streams.

- Every word you see was *stored before it was shown*.
- Close this page, come back, and the answer goes on where it was.
- Press **Stop**: what was written stays, and *Continue* picks it up.

```python
async for event in run.events(after=41):
    print(event.delta, end="")
```

To talk to a real model, start with `MODEL=file.gguf`, or add a provider to the settings.
"""


class ScriptedSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.NAME]` of kind `scripted`."""

    scripts: Path | None = None
    """A folder of scripts, NAME.toml or NAME.json; not set: only those that are built in."""

    rate: Annotated[float, Meta(gt=0, le=10_000)] = 40.0
    """How many words a second `demo` and `echo` say."""


class Scripted:
    """Plays scripts; fills `providers.port.Provider`. Raises `SettingsError` where a script cannot be read."""

    kind = "scripted"
    slots = None

    def __init__(self, name: str, settings: ScriptedSettings) -> None:
        self.name = name
        self._scripts: Mapping[str, Steps] = {
            **_built_in(settings.rate),
            **(load(settings.scripts) if settings.scripts is not None else {}),
        }
        self._waiting: set[asyncio.Future[None]] = set()

    async def models(self) -> list[Model]:
        """Return a model for each script; `tokens-rR-nN` can be named without being listed."""
        return [Model(name=name, can_continue=True, demonstration=True) for name in self._scripts]

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Play the script of the model's name; see the port.

        Goes on after the text of the last message where that is how the script begins; otherwise it starts again.
        """
        clock = asyncio.get_running_loop().time
        # not the loop's own time, which is that of some milliseconds ago: a thing would come before it is due
        start = time.monotonic()
        batch: list[Event] = []
        for after_s, thing in self._moments(request):
            due = start + after_s
            early = due > clock()
            if batch and (early or len(batch) >= _MAX_BATCH or isinstance(thing, _ENDS)):
                emit(batch)
                batch = []
            if early:
                await self._until(due)
            elif not batch:
                await asyncio.sleep(0)
            match thing:
                case Finish(reason):
                    return reason
                case Fail(code, message):
                    raise ProviderError(message, code=code)
                case Hang():
                    await self._until(None)
                case _:
                    batch.append(thing)
        if batch:
            emit(batch)
        raise ProviderError("The script ended without saying why the answer ends.", code="upstream_closed")

    async def close(self) -> None:
        """Cut the answers in the making."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(ProviderError("The provider was closed.", code="upstream_closed"))

    def _moments(self, request: Request) -> Iterator[Moment]:
        steps = self._steps(request.model)
        prompt = next((text_of(each.parts) for each in reversed(request.messages) if each.role == "user"), "")

        def begin() -> Iterator[Moment]:
            return play(steps, model=request.model, prompt=prompt)

        said = text_of(request.messages[-1].parts) if request.continues else ""
        return (resume(begin(), said) if said else None) or begin()

    def _steps(self, model: str) -> Steps:
        steps = self._scripts.get(model)
        if steps is not None:
            return steps
        numbers = _TOKENS.fullmatch(model)
        if numbers is None:
            raise ProviderError(
                f"There is no script named {model!r}. There are: {', '.join(self._scripts)}, and tokens-rR-nN.",
                code="unknown_model",
            )
        return _tokens(int(numbers[1]), int(numbers[2]))

    async def _until(self, due: float | None) -> None:
        """Return at this time of the loop's clock, never before it; with None only `close` ends it, by raising."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(math.ceil(due * 1000) / 1000, _wake, future) if due is not None else None
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
            if timer is not None:
                timer.cancel()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _built_in(rate: float) -> Mapping[str, Steps]:
    wait_ms = 1000 / rate
    finish = Step(finish="stop")
    return {
        "demo": (Step(text=_DEMO, words=True, wait_ms=wait_ms), finish),
        "echo": (Step(text="{prompt}", words=True, wait_ms=wait_ms), finish),
    }


def _tokens(rate: int, count: int) -> Steps:
    usage = Step(usage=Used(output_tokens=count))
    finish = Step(finish="stop")
    if count == 0:
        return (usage, finish)
    return (Step(text="{i} ", repeat=count, wait_ms=1000 / rate if rate else 0), usage, finish)
