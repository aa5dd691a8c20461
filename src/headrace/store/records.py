"""This module describes what the store hands out: chats, messages, runs, turns.

All are values: frozen, and as they were when they were read. Times are Unix milliseconds.
"""

from typing import Any, Final, Generic, TypeVar

import msgspec

from headrace.core.events import Timings, Usage
from headrace.core.messages import Message as Spoken
from headrace.core.messages import Part, Role
from headrace.core.status import EndStatus, Status

__all__ = [
    "UNFINISHED",
    "Chat",
    "ChatChanges",
    "Failure",
    "Message",
    "Outcome",
    "Page",
    "Run",
    "Tree",
    "Turn",
    "User",
]

UNFINISHED: Final = "queued"
"""What a row says until its run ends: which of the live statuses it has by now, only the engine knows."""

T = TypeVar("T")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to whom chats belong. `role` is `admin` or `user`."""

    id: int
    name: str
    role: str
    created_at: int


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation. `leaf_id` is the last message of the branch that is shown; None while it is empty."""

    id: int
    owner_id: int
    title: str | None
    model: str | None
    system_prompt: str | None
    parameters: dict[str, Any]
    leaf_id: int | None
    created_at: int
    updated_at: int


class ChatChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a chat: what is left UNSET stays; None empties what may be empty."""

    title: str | msgspec.UnsetType | None = msgspec.UNSET
    model: str | msgspec.UnsetType | None = msgspec.UNSET
    system_prompt: str | msgspec.UnsetType | None = msgspec.UNSET
    parameters: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    leaf_id: int | msgspec.UnsetType | None = msgspec.UNSET


class Failure(msgspec.Struct, frozen=True):
    """Why a run failed: what `run.failed` carries."""

    code: str
    message: str
    retryable: bool


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a chat.

    `parent_id` is None for the first of a conversation, `author_id` for what a model wrote; what a user wrote is
    `complete`. `runs` are the ids of the runs that made it, the oldest first; `usage`, `timings`, `error` and
    `finish_reason` are those of the last.
    """

    id: int
    owner_id: int
    chat_id: int
    parent_id: int | None
    author_id: int | None
    role: Role
    parts: tuple[Part, ...]
    status: Status
    model: str | None
    usage: Usage | None
    timings: Timings | None
    error: Failure | None
    finish_reason: str | None
    created_at: int
    updated_at: int
    runs: tuple[str, ...] = ()


class Tree(msgspec.Struct, frozen=True):
    """A chat with all its messages: parents before their children, by id."""

    chat: Chat
    messages: tuple[Message, ...]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One generation.

    `number` counts up in the order of creation. `message_id` is the message that it makes: a run outside every chat
    makes none. `model_requested` is as the caller wrote it, `auto` where none was named; `model` is the one that answered. With
    `continues` the run went on with a message that had text before.
    """

    id: str
    number: int
    owner_id: int
    chat_id: int | None
    message_id: int | None
    user_message_id: int | None
    status: Status
    model_requested: str
    model: str | None
    parameters: dict[str, Any]
    continues: bool
    usage: Usage | None
    timings: Timings | None
    error: Failure | None
    created_at: int
    ended_at: int | None
    client_id: str | None
    body_hash: str | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `parts` are what this run alone made."""

    status: EndStatus
    parts: tuple[Part, ...]
    ended_at: int
    model: str | None = None
    usage: Usage | None = None
    timings: Timings | None = None
    error: Failure | None = None
    finish_reason: str | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored for a run that is to start.

    With `created` False it was stored before, under the same `client_id`: then there is nothing to start and
    `history` is empty. Otherwise `history` is what the model is to be told, the chat's system prompt first; with
    `continues` its last message is the answer so far, which the run goes on with. `model` is None where neither the
    caller nor the chat names one.
    """

    run_id: str
    chat_id: int
    user_message_id: int | None
    assistant_message_id: int
    created: bool
    history: tuple[Spoken, ...]
    model: str | None
    parameters: dict[str, Any]
    continues: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list. `next` is what to give as `before` for those that follow; None at the end."""

    items: tuple[T, ...]
    next: str | None
