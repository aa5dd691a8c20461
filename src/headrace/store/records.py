"""This module describes what the store hands out: users and what lets them in, chats, messages, runs, turns, templates.

All are values: frozen, and as they were when they were read. Times are Unix milliseconds.
"""

from typing import Any, Final, Generic, TypeVar

import msgspec

from headrace.core.events import Timings, Usage
from headrace.core.messages import Message as Spoken
from headrace.core.messages import Part, Role
from headrace.core.principal import Role as UserRole
from headrace.core.principal import Scope
from headrace.core.status import EndStatus, Status

__all__ = [
    "UNFINISHED",
    "Chat",
    "ChatChanges",
    "Failure",
    "Invitation",
    "Known",
    "Message",
    "Outcome",
    "Page",
    "Run",
    "Session",
    "Template",
    "TemplateChanges",
    "Token",
    "Tree",
    "Turn",
    "User",
    "Variable",
]

UNFINISHED: Final = "queued"
"""What a row says until its run ends: which of the live statuses it has by now, only the engine knows."""

T = TypeVar("T")


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to whom chats belong. `disabled_at` is since when the user is kept out, None for one who may come in."""

    id: int
    name: str
    role: UserRole
    created_at: int
    disabled_at: int | None
    has_passphrase: bool


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a program shows to say whose it is. The token itself is not known here: `hint` is how it begins.

    `scopes` is what it is kept to, None: nothing is left out. It is of no use from `expires_at` on, where that is not
    None, and from `revoked_at` on.
    """

    id: int
    owner_id: int
    name: str
    hint: str
    scopes: tuple[Scope, ...] | None
    created_at: int
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser in which a user is signed in, until `expires_at` or `ended_at`, whichever is first."""

    id: int
    user_id: int
    created_at: int
    expires_at: int
    ended_at: int | None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A link that lets somebody in, once, until `expires_at`.

    It signs in the user `user_id`; where that is None it makes a new one, with this role, and with this name where one
    is given. `created_by` is the user who made it, None for the server itself.
    """

    id: int
    user_id: int | None
    name: str | None
    role: UserRole
    created_by: int | None
    created_at: int
    expires_at: int
    used_at: int | None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a credential is, and the credential, in whatever state both are: one of `token` and `session`."""

    user: User
    token: Token | None = None
    session: Session | None = None


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


class Variable(msgspec.Struct, frozen=True):
    """What is said of a template's variable. `default` stands in where no value is given; None: one has to be."""

    name: str
    description: str | None = None
    default: str | None = None


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A named prompt with places for values. `variables` are those of which something is said, in any order."""

    id: int
    owner_id: int
    name: str
    description: str | None
    content: str
    variables: tuple[Variable, ...]
    created_at: int
    updated_at: int


class TemplateChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a template: what is left UNSET stays; None empties what may be empty."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    content: str | msgspec.UnsetType = msgspec.UNSET
    variables: tuple[Variable, ...] | msgspec.UnsetType = msgspec.UNSET


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a list. `next` is what to give as `before` for those that follow; None at the end."""

    items: tuple[T, ...]
    next: str | None
