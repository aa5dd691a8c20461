"""This module describes what the commands read of the server's replies; what else is in them is passed over."""

from typing import Any

import msgspec

from headrace.core.events import Timings
from headrace.core.messages import Part

__all__ = ["Chat", "Made", "Message", "Model", "Models", "Run", "Runs", "Stopped", "Tree", "Usage"]


class Made(msgspec.Struct, frozen=True):
    """A chat that was made."""

    id: int


class Chat(msgspec.Struct, frozen=True):
    """A chat without its messages."""

    id: int
    title: str | None
    system_prompt: str | None


class Message(msgspec.Struct, frozen=True):
    """A message; `seq` is the last event that its parts hold, where it is being made."""

    id: int
    parent_id: int | None
    role: str
    parts: tuple[Part, ...]
    status: str
    model: str | None = None
    runs: tuple[str, ...] = ()
    seq: int | None = None


class Tree(Chat, frozen=True, kw_only=True):
    """A chat with its messages; `leaf_id` is the one at which it goes on."""

    leaf_id: int | None
    messages: tuple[Message, ...]


class Model(msgspec.Struct, frozen=True):
    """A model and how its provider is."""

    id: str
    name: str
    state: str
    reason: str | None = None


class Models(msgspec.Struct, frozen=True):
    """All models."""

    models: tuple[Model, ...]


class Usage(msgspec.Struct, frozen=True):
    """What an answer took."""

    output_tokens: int | None = None
    estimated: bool = False


class Run(msgspec.Struct, frozen=True):
    """A run; `created_at` is in Unix milliseconds."""

    id: str
    status: str
    chat_id: int | None
    model_requested: str
    model: str | None
    created_at: int
    usage: Usage | None = None
    timings: Timings | None = None


class Runs(msgspec.Struct, frozen=True):
    """A page of runs, all that the server says of each; `next` is the value of `before` for the next page."""

    runs: tuple[dict[str, Any], ...]
    next: str | None = None


class Stopped(msgspec.Struct, frozen=True):
    """How a run that was stopped, or had ended, ended."""

    run_id: str
    status: str
