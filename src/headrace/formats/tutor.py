"""This module speaks the contract of the language tutor: tokens, then the text with corrections.

Sources: "Streaming Implementation Guide", "Create Streaming Endpoint" and "Update Frontend to Handle Streaming"; "The
five systems that Headrace replaces", "3. Tutor". No event has a `type`: the one with `done` is the last.
"""

from typing import Any

import msgspec

from headrace.formats import contract

__all__ = ["Decoder", "Done", "Encoder", "Event", "Token"]


class Token(msgspec.Struct, frozen=True):
    """The next piece of the answer."""

    token: str


class Done(contract.Closing, frozen=True):
    """The end. `corrections` are of the user's message, null where none were made."""

    done: bool
    full_text: str
    corrections: list[dict[str, Any]] | None = None
    message_id: int | None = None


Event = Token | Done | contract.Failure


class Encoder(contract.Encoder):
    """A reader's stream as of `POST /chat/stream`. Thoughts are left out."""

    token = b'data: {"token": %b}\n\n'
    failure = contract.Failure

    def _closing(self) -> Done:
        return Done(
            done=True,
            full_text=self._text(),
            corrections=self._corrections,
            message_id=self._run.assistant_message_id,
            **self._figures(),
        )


class Decoder(contract.TokenDecoder[Event]):
    """The events of `POST /chat/stream`."""

    piece = Token
    end = Done
