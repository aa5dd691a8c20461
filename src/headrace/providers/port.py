"""This module is the port that every kind of provider fills."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from headrace.core.events import Event, FinishReason
from headrace.core.messages import Request
from headrace.core.vectors import Vectors

__all__ = ["Embeds", "Emit", "FoundBy", "Model", "Provider", "State"]

Emit = Callable[[list[Event]], None]
"""Takes the next events of an answer, in order, at once: it never waits and never raises."""

State = Literal["up", "loading", "down", "off"]
"""Whether a provider answers. `off`: it could, but the settings do not want it; nothing is asked of it."""

FoundBy = Literal["settings", "discovery", "environment", "package"]
"""Who knows of a provider: the settings, or Headrace, which found a server, a model file, or a key, or brings it."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model as its provider names it. `context_length` is in tokens; None where it is not known."""

    name: str
    context_length: int | None = None
    can_continue: bool = False
    demonstration: bool = False


class Provider(Protocol):
    """One upstream. Everything is called on the event loop; any number of answers may be made at once."""

    @property
    def name(self) -> str:
        """The name given in the settings, as `box`."""
        ...

    @property
    def kind(self) -> str:
        """The kind, as `openai`."""
        ...

    @property
    def slots(self) -> int | None:
        """How many answers it makes at once; None where it queues by itself, or has no bound."""
        ...

    async def models(self) -> list[Model]:
        """Ask the upstream which models it has.

        Promises an answer within 5 s and keeps nothing between calls. Raises `ProviderError` where it is down.
        """
        ...

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer: emit its events as they arrive and return why the model ended it.

        Emits `model.loading`, `model.ready`, `prompt.progress`, `reasoning`, `text`, `image`, `tool.call` and
        `usage`, never `run.*`. What arrived in one read is emitted in one call. Does not set time limits on the
        answer: the caller does. When cancelled, the upstream's connection is closed before the cancellation leaves
        this call. Raises `ProviderError` with the code that fits; an upstream that ends without a reason is
        `upstream_closed`, never a return.
        """
        ...

    async def close(self) -> None:
        """Release connections and children. Answers in the making are cut."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A provider that can also make vectors of texts."""

    async def embed(
        self, model: str, texts: Sequence[str], *, dimensions: int | None, more: Mapping[str, Any]
    ) -> Vectors:
        """Return a vector for each text. `more` is what only this kind understands.

        When cancelled, the upstream's connection is closed before the cancellation leaves this call. Raises
        `ProviderError`.
        """
        ...
