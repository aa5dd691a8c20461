"""This module holds what a run is made of, and the ports that others fill."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from headrace.core import events
from headrace.core.messages import Part, Request
from headrace.core.status import EndStatus

__all__ = ["Observer", "Outcome", "Prepare", "Quota", "Settle", "Spec", "started"]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is started with. `owner` is a user's id; a run without a chat has no message ids."""

    run_id: str
    owner: int
    model: str | None
    parameters: dict[str, Any] = {}
    chat_id: int | None = None
    user_message_id: int | None = None
    assistant_message_id: int | None = None
    continues: bool = False


def started(spec: Spec, model: str | None) -> events.RunStarted:
    """Return a run's event 0; `model` is the id of who will answer, where it is known by now."""
    return events.RunStarted(
        run_id=spec.run_id,
        chat_id=spec.chat_id,
        user_message_id=spec.user_message_id,
        assistant_message_id=spec.assistant_message_id,
        model_requested=spec.model or "auto",
        model=model,
        parameters=spec.parameters,
        continues=spec.continues,
    )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended and what it made. `parts` are this run's own, also where it continued a message."""

    status: EndStatus
    parts: tuple[Part, ...]
    seq: int
    model: str | None
    usage: events.Usage | None
    terminal: events.Terminal
    ended_at: int


Prepare = Callable[[Callable[[list[events.Event]], None]], Awaitable[Request]]
"""Makes the request, inside the run and after `run.started`, so that headers never wait; it may emit events.

The request's `model` is filled in by the engine.
"""

Settle = Callable[[str, Outcome], Awaitable[object]]
"""Puts a run's outcome where the run's message is kept. Called once the terminal event is durable; idempotent."""


Quota = Callable[[int], Callable[[], None]]
"""Takes room for one run of an owner's, and returns what gives it back; raises `TooManyRequests`. Never waits."""


class Observer(Protocol):
    """Is told what happens to runs, for logs and metrics. Never raises, never waits."""

    def started(self, spec: Spec) -> None:
        """Note that a run began."""
        ...

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """Note that the first token came, so long after the start."""
        ...

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """Note that a run ended, so long after its start."""
        ...
