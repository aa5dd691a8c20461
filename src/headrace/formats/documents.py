"""This module speaks the contract of the chat about documents: an answer with its sources.

Sources: "Streaming Responses - Implementation Complete", "API Endpoint"; "The five systems that Headrace replaces",
"4. Documents". The sources go out as the run's event has them, and are an empty list where it has none.
"""

from typing import Any

import msgspec

from headrace.formats import contract

__all__ = ["Decoder", "Done", "Encoder", "Event", "Start"]


class Start(msgspec.Struct, frozen=True, tag="start"):
    """The beginning, with the sources that are known by then."""

    user_message_id: int | None = msgspec.field(name="userMessageId")
    sources: list[dict[str, Any]]
    run_id: str = ""


class Done(contract.Closing, frozen=True, tag="done"):
    """The end."""

    assistant_message_id: int | None = msgspec.field(name="assistantMessageId")
    full_response: str = msgspec.field(name="fullResponse")
    sources: list[dict[str, Any]]


Event = Start | contract.Chunk | contract.Thought | Done | contract.Error


class Encoder(contract.Encoder):
    """A reader's stream as of `POST /api/chat/sessions/{id}/messages/stream`.

    With `searches` documents are searched before this answer, and `start` waits for what is found; otherwise it goes
    out at once, with no sources.
    """

    token = contract.CHUNK
    thought = contract.THOUGHT

    def __init__(self, *, searches: bool = False) -> None:
        super().__init__()
        self._searches = searches

    def _ready(self) -> bool:
        return not self._searches or self._sources is not None

    def _opening(self) -> bytes:
        return self._frame(Start(self._run.user_message_id, self._sources or [], self._run.run_id))

    def _closing(self) -> Done:
        return Done(self._run.assistant_message_id, self._text(), self._sources or [], **self._figures())


class Decoder(contract.Decoder[Event]):
    """The events of `POST /api/chat/sessions/{id}/messages/stream`."""

    kinds = Event
