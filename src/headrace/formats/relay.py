"""This module speaks the contracts of Relay: a completion, token by token, and a chat.

Sources: "True Streaming Implementation (Groq-style)", "Streaming Flow"; "The five systems that Headrace replaces",
"1. Relay". A completion's stream is `{"token", "done": false}` for each token and `{"done": true}`; a chat's is events
with `type`.
"""

from typing import Any

import msgspec

from headrace.formats import contract

__all__ = [
    "ChatDecoder",
    "ChatDone",
    "ChatEncoder",
    "ChatError",
    "ChatEvent",
    "ChatReasoning",
    "ChatToken",
    "Done",
    "Event",
    "GenerateDecoder",
    "GenerateEncoder",
    "Reply",
    "Token",
]


class Token(msgspec.Struct, frozen=True):
    """The next piece of a completion."""

    token: str
    done: bool = False


class Done(contract.Closing, frozen=True):
    """A completion's end."""

    done: bool = True


class Reply(contract.Closing, frozen=True):
    """A completion in one piece; `model` is the id of who answered."""

    response: str
    model: str | None
    done: bool = True


class ChatToken(msgspec.Struct, frozen=True, tag="token"):
    """The next piece of a chat's answer."""

    content: str


class ChatReasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """The next piece of the model's thoughts."""

    content: str


class ChatDone(contract.Textless, frozen=True, tag="done"):
    """An answer's end; `session_id` is the chat."""

    session_id: int | None


class ChatError(contract.Failed, frozen=True, tag="error"):
    """The answer failed. It too tells the chat: the request may have made it."""

    message: str
    session_id: int | None = None


Event = Token | Done | contract.Failure
ChatEvent = ChatToken | ChatReasoning | ChatDone | ChatError


class GenerateEncoder(contract.Encoder):
    """A reader's stream as of `POST /api/generate/stream`. Thoughts are left out."""

    token = b'data: {"token": %b, "done": false}\n\n'
    failure = contract.Failure

    def _closing(self) -> Done:
        return Done(**self._figures())

    def _whole(self, closing: contract.Closing) -> Reply:
        del closing
        return Reply(self._text(), self._model, **self._figures())


class ChatEncoder(contract.Encoder):
    """A reader's stream as of `POST /api/chat/stream`."""

    token = b'data: {"type": "token", "content": %b}\n\n'
    thought = b'data: {"type": "reasoning", "content": %b}\n\n'
    failure = ChatError

    def _closing(self) -> ChatDone:
        return ChatDone(self._run.chat_id, **self._figures())

    def _failure(self, message: str, failed: dict[str, Any]) -> ChatError:
        return ChatError(message, self._run.chat_id, **failed)


class GenerateDecoder(contract.TokenDecoder[Event]):
    """The events of `POST /api/generate/stream`."""

    piece = Token
    end = Done


class ChatDecoder(contract.Decoder[ChatEvent]):
    """The events of `POST /api/chat/stream`."""

    kinds = ChatEvent
