"""This module answers with the models of a folder: an engine for each, loaded when it is asked for.

No more than `max_loaded` are loaded, and no more answers than that are made at once: so whichever models the answers
need, there is one among the loaded that nobody uses, when room must be made. The one that was not used for the longest
goes. A model whose file changed or is gone takes no new answers; those that it is making go on.
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason
from headrace.core.messages import Request
from headrace.providers.embedded import Embedded, EmbeddedSettings
from headrace.providers.local_files import ModelFile
from headrace.providers.port import Emit, Model, State

__all__ = ["LOCAL", "Local"]

LOCAL = "local"
"""The provider's name."""

_CONTEXT = 8192  # tokens: as with `kind = "embedded"`


class _Child:
    """One model and its engine. `answers` counts those that it is making."""

    def __init__(self, file: ModelFile, parallel: int) -> None:
        self.file = file
        self.answers = 0
        self.gone = False
        length = file.context_length
        context = None if length is None else min(length, _CONTEXT)
        self.engine = Embedded(LOCAL, EmbeddedSettings(path=file.path, context=context, parallel=parallel))


class Local:
    """The models of a folder; fills `providers.port.Provider` and `providers.health.Stateful`."""

    kind = "embedded"
    name = LOCAL

    def __init__(self, folder: Path, *, max_loaded: int) -> None:
        self.slots = max_loaded
        self._folder = folder
        self._children: dict[str, _Child] = {}
        self._loaded: dict[_Child, None] = {}  # as far as is known; in the order of their last use
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def state(self) -> State:
        """`up` while one of the models can answer, loaded or not."""
        return "down" if self._children and not self._fit() else "up"

    @property
    def reason(self) -> str | None:
        """Which models cannot be loaded, and why; None where all can."""
        failed = [child for child in self._children.values() if child.engine.state == "down"]
        return " ".join(f"{child.file.name}: {child.engine.reason}" for child in failed) or None

    @property
    def idle(self) -> bool:
        """Whether it makes no answer."""
        return not any(child.answers for child in (*self._loaded, *self._children.values()))

    def update(self, files: Iterable[ModelFile]) -> bool:
        """Have these models from now on; return whether that changes anything."""
        wanted = {file.name: file for file in files}
        gone = [name for name, child in self._children.items() if wanted.get(name) != child.file]
        for name in gone:
            self._retire(self._children.pop(name))
        new = {name: file for name, file in wanted.items() if name not in self._children}
        self._children |= {name: _Child(file, self.slots) for name, file in new.items()}
        return bool(gone or new)

    async def models(self) -> list[Model]:
        """Return the models by name, loaded or not; without those that cannot be loaded."""
        listed = []
        for name, child in sorted(self._fit().items()):
            try:
                (model,) = await child.engine.models()
            except ProviderError:
                continue  # the file went just now
            listed.append(msgspec.structs.replace(model, name=name))
        return listed

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer; see the port. Ends the engine of another model first where there is no room."""
        child = self._children.get(request.model)
        if child is None:
            raise ProviderError(f"There is no model {request.model!r} in {self._folder}.", code="unknown_model")
        ending = [self._end(other) for other in self._make_room(child)]
        child.answers += 1
        try:
            if ending:
                await asyncio.wait(ending)
            request = msgspec.structs.replace(request, model=child.file.path.stem)
            return await child.engine.generate(request, emit)
        finally:
            child.answers -= 1
            self._used(child)

    async def close(self) -> None:
        """End every engine. Answers in the making are cut."""
        ending = [self._end(child) for child in (*self._loaded, *self._children.values())]
        self._loaded.clear()
        await asyncio.gather(*ending, *self._ending)

    def _fit(self) -> dict[str, _Child]:
        return {name: child for name, child in self._children.items() if child.engine.state != "down"}

    def _make_room(self, child: _Child) -> Sequence[_Child]:
        """Count this one among the loaded, as the last used; return those that must end first. Raises `overloaded`."""
        others = [other for other in self._loaded if other is not child]
        excess = max(0, len(others) + 1 - self.slots)
        idle = [other for other in others if not other.answers]
        if len(idle) < excess:  # whoever asks has no lease for a slot
            raise ProviderError(
                f"All {self.slots} models that may be loaded at once are in use. Try again, or raise max_loaded of "
                "[models] in the settings.",
                code="overloaded",
            )
        for other in idle[:excess]:
            del self._loaded[other]
        self._loaded.pop(child, None)
        self._loaded[child] = None
        return idle[:excess]

    def _used(self, child: _Child) -> None:
        """Note that an answer ended: the model was used until now."""
        if child in self._loaded:
            del self._loaded[child]
            self._loaded[child] = None
        if child.gone:
            self._retire(child)

    def _retire(self, child: _Child) -> None:
        """Let go a model that is in the folder no more, as soon as it makes no answer."""
        child.gone = True
        if not child.answers and child in self._loaded:
            del self._loaded[child]
            self._end(child)

    def _end(self, child: _Child) -> asyncio.Task[None]:
        # a task of its own: who waits for it may be cancelled, and the engine must end all the same
        task = asyncio.get_running_loop().create_task(child.engine.stop(), name=f"end {child.file.name}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task
