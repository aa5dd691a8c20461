"""This module asks providers, and knows the built-in model, with which tests of the engine run."""

import asyncio
from typing import Any

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Text
from headrace.core.messages import Message, Request, TextPart
from headrace.providers.port import Provider

__all__ = ["CONTEXT", "END", "Answer", "ask", "failed"]

CONTEXT = 1024
"""What the built-in model was trained with, in tokens."""

END = 2
"""The token with which it ends an answer: to forbid it makes it talk on."""


def ask(model: str, prompt: str = "Tell me a short story", *, after: str | None = None, **parameters: Any) -> Request:
    """Return a request; `after` is the unfinished answer to go on with."""
    messages = [Message("user", (TextPart(prompt),))]
    if after is not None:
        messages.append(Message("assistant", (TextPart(after),)))
    return Request(model=model, messages=tuple(messages), parameters=parameters, continues=after is not None)


class Answer:
    """What a provider emitted, and what came of it."""

    def __init__(self) -> None:
        self.calls: list[list[Event]] = []
        self.spoke = asyncio.Event()
        """Set with the first text."""

    def emit(self, events: list[Event]) -> None:
        """Take events, as a run does."""
        self.calls.append(events)
        if any(isinstance(event, Text) for event in events):
            self.spoke.set()

    @property
    def events(self) -> list[Event]:
        """All events in order."""
        return [event for call in self.calls for event in call]

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(event.delta for event in self.events if isinstance(event, Text))

    async def of(self, provider: Provider, request: Request) -> FinishReason:
        """Ask; return the end. Raises as `generate` does."""
        return await provider.generate(request, self.emit)


async def failed(provider: Provider, model: str) -> tuple[ProviderError, Answer]:
    """Ask a model that fails; return how it failed, and what it had said."""
    answer = Answer()
    try:
        reason = await answer.of(provider, ask(model))
    except ProviderError as error:
        return error, answer
    raise AssertionError(f"{model} did not fail but ended: {reason}")
