"""This module speaks the contract of the LAM studio's chatbot.

Sources: "Streaming Mode Implementation Guide" of the LAM framework, "New Endpoint"; "The five systems that Headrace
replaces", "5. LAM studio". The contract is the same whichever way the tokens came; where a complete answer was cut into
pieces, `metadata` says `"simulated": true`.
"""

from typing import Literal

import msgspec

from headrace.formats import contract

__all__ = ["Answer", "Decoder", "Done", "Encoder", "Event", "Message", "Metadata", "Reply", "ReplyEncoder"]


class Metadata(msgspec.Struct, frozen=True, tag="metadata"):
    """The beginning; `session_id` is the chat."""

    session_id: int | None
    user_message_id: int | None
    session_key: str
    run_id: str = ""
    simulated: bool | msgspec.UnsetType = msgspec.UNSET


class Done(contract.Closing, frozen=True, tag="done"):
    """The end."""

    assistant_message_id: int | None
    full_content: str


class Message(msgspec.Struct, frozen=True):
    """A message as this contract shows it; `created_at` is a time of ISO 8601."""

    id: int | None
    role: Literal["user", "assistant", "system"]
    content: str
    created_at: str


class Answer(contract.Closing, frozen=True):
    """The message that a run made, with the run's figures."""

    id: int | None
    content: str
    created_at: str
    role: Literal["assistant"] = "assistant"


class Reply(msgspec.Struct, frozen=True):
    """A turn in one piece."""

    user_message: Message
    assistant_message: Answer


Event = Metadata | contract.Chunk | contract.Thought | Done | contract.Error


class Encoder(contract.Encoder):
    """A reader's stream as of `POST /api/chatbot/messages/stream`.

    `session_key` is the session's handle, which no event of the run has.
    """

    token = contract.CHUNK
    thought = contract.THOUGHT

    def __init__(self, *, session_key: str) -> None:
        super().__init__()
        self._session_key = session_key

    def _opening(self) -> bytes:
        run = self._run
        simulated = True if run.simulated else msgspec.UNSET
        return self._frame(Metadata(run.chat_id, run.user_message_id, self._session_key, run.run_id, simulated))

    def _closing(self) -> Done:
        return Done(self._run.assistant_message_id, self._text(), **self._figures())


class ReplyEncoder(contract.Encoder):
    """What `reply` of `POST /api/chatbot/messages` is made with, in place of `Encoder`; for no stream.

    `user_message` is the turn's question, `created_at` the answer's time in ISO 8601.
    """

    token = contract.CHUNK

    def __init__(self, *, user_message: Message, created_at: str) -> None:
        super().__init__()
        self._user_message = user_message
        self._created_at = created_at

    def _closing(self) -> Answer:
        return Answer(self._run.assistant_message_id, self._text(), self._created_at, **self._figures())

    def _whole(self, closing: contract.Closing) -> Reply:
        del closing
        return Reply(self._user_message, self._closing())


class Decoder(contract.Decoder[Event]):
    """The events of `POST /api/chatbot/messages/stream`."""

    kinds = Event
