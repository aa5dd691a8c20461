"""This module describes what the server's own API answers. Times are Unix milliseconds; unknown fields are ignored."""

from typing import Any

import msgspec

from headrace.core.events import Timings
from headrace.core.messages import Part, Role
from headrace.core.status import EndStatus, Status

__all__ = [
    "Chat",
    "ChatPage",
    "Failure",
    "Message",
    "Model",
    "Models",
    "Run",
    "RunPage",
    "Stopped",
    "Tree",
    "Usage",
]


class Failure(msgspec.Struct, frozen=True):
    """Why an answer failed."""

    code: str
    message: str
    retryable: bool


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer took, in tokens; `estimated` where the provider did not count."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = False


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat without its messages. `leaf_id` is the message at which it goes on."""

    id: int
    created_at: int
    updated_at: int
    title: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    parameters: dict[str, Any] = {}
    leaf_id: int | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. While it is being made, `parts` are those so far and `seq` is the last event that they hold."""

    id: int
    chat_id: int
    role: Role
    parts: tuple[Part, ...]
    status: Status
    created_at: int
    updated_at: int
    parent_id: int | None = None
    seq: int | None = None
    model: str | None = None
    runs: tuple[str, ...] = ()
    usage: Usage | None = None
    timings: Timings | None = None
    error: Failure | None = None
    finish_reason: str | None = None


class Tree(Chat, frozen=True, kw_only=True):
    """A chat with all its messages; `parent_id` makes them a tree."""

    messages: tuple[Message, ...]


class ChatPage(msgspec.Struct, frozen=True):
    """Chats, the last used first. `next` is the value of `before` for the next page."""

    chats: tuple[Chat, ...]
    next: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    id: str
    status: Status
    model_requested: str
    created_at: int
    chat_id: int | None = None
    user_message_id: int | None = None
    assistant_message_id: int | None = None
    model: str | None = None
    parameters: dict[str, Any] = {}
    continues: bool = False
    usage: Usage | None = None
    timings: Timings | None = None
    error: Failure | None = None
    ended_at: int | None = None


class RunPage(msgspec.Struct, frozen=True):
    """Runs, the newest first. `next` is the value of `before` for the next page."""

    runs: tuple[Run, ...]
    next: str | None = None


class Stopped(msgspec.Struct, frozen=True):
    """How a run that was stopped, or had ended, ended."""

    run_id: str
    status: EndStatus


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and whether its provider answers; `reason` says why not."""

    id: str
    name: str
    provider: str
    state: str
    reason: str | None = None
    context_length: int | None = None
    can_continue: bool = False
    demonstration: bool = False


class Models(msgspec.Struct, frozen=True):
    """All models of all providers."""

    models: tuple[Model, ...]
