"""This module describes what our own API shows of chats, messages, runs and models."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from headrace.core.events import Timings, Usage
from headrace.core.messages import Part
from headrace.models.catalogue import Entry, Health
from headrace.models.pulls import Pull
from headrace.providers.port import FoundBy, State
from headrace.store import records

__all__ = [
    "ChatPage",
    "ChatView",
    "Failure",
    "MessageView",
    "ModelList",
    "ProviderList",
    "ProviderView",
    "PullList",
    "RunPage",
    "RunView",
    "Stopped",
    "TreeView",
    "Turn",
    "answer",
    "chat_view",
    "events_path",
    "message_view",
    "provider_view",
    "returns",
    "run_view",
    "tree_view",
]


class Failure(msgspec.Struct, frozen=True):
    """Why an answer failed."""

    code: str
    message: str
    retryable: bool


class UsageView(msgspec.Struct, frozen=True):
    """What an answer took, in tokens; `estimated` where the provider did not count."""

    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cached_tokens: int | None
    estimated: bool


class ChatView(msgspec.Struct, frozen=True, kw_only=True):
    """A chat. Times are Unix milliseconds."""

    id: int
    owner_id: int
    title: str | None
    model: str | None
    system_prompt: str | None
    parameters: dict[str, Any]
    leaf_id: int | None
    created_at: int
    updated_at: int


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message. While it is being made, `parts` are those so far and `seq` is the last event that they hold."""

    id: int
    chat_id: int
    parent_id: int | None
    owner_id: int
    author_id: int | None
    role: str
    parts: tuple[Part, ...]
    status: str
    seq: int | None
    model: str | None
    runs: tuple[str, ...]
    usage: UsageView | None
    timings: Timings | None
    error: Failure | None
    finish_reason: str | None
    created_at: int
    updated_at: int


class TreeView(ChatView, frozen=True, kw_only=True):
    """A chat with all its messages; `parent_id` makes them a tree."""

    messages: tuple[MessageView, ...]


class ChatPage(msgspec.Struct, frozen=True):
    """Chats, the last used first. `next` is the value of `before` for the next page."""

    chats: tuple[ChatView, ...]
    next: str | None


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `events` is where its events are."""

    id: str
    owner_id: int
    chat_id: int | None
    user_message_id: int | None
    assistant_message_id: int | None
    status: str
    model_requested: str
    model: str | None
    parameters: dict[str, Any]
    continues: bool
    usage: UsageView | None
    timings: Timings | None
    error: Failure | None
    created_at: int
    ended_at: int | None
    events: str


class RunPage(msgspec.Struct, frozen=True):
    """Runs, the newest first. `next` is the value of `before` for the next page."""

    runs: tuple[RunView, ...]
    next: str | None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was started, and where its events are."""

    run_id: str
    user_message_id: int | None
    assistant_message_id: int | None
    events: str


class Stopped(msgspec.Struct, frozen=True):
    """A run that goes on no more, and how it ended."""

    run_id: str
    status: str


class ModelList(msgspec.Struct, frozen=True):
    """All models of all providers; those of a provider that is down say so."""

    models: tuple[Entry, ...]


class PullList(msgspec.Struct, frozen=True):
    """Downloads of models, the newest first."""

    pulls: tuple[Pull, ...]


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A provider, whether it answers, and why not. `since` is when it came into this state, in Unix milliseconds.

    `off` is one that could be used: `reason` says what would switch it on.
    """

    name: str
    kind: str
    found_by: FoundBy
    state: State
    reason: str | None
    since: int
    models: int


class ProviderList(msgspec.Struct, frozen=True):
    """All providers: those of the settings in their order, then those that were found."""

    providers: tuple[ProviderView, ...]


def chat_view(chat: records.Chat) -> ChatView:
    """Return a chat as it is shown."""
    return ChatView(**msgspec.structs.asdict(chat))


def message_view(message: records.Message, *, seq: int | None = None) -> MessageView:
    """Return a message as it is shown; `seq` where it is being made."""
    fields = msgspec.structs.asdict(message)
    error, usage = fields.pop("error"), fields.pop("usage")
    return MessageView(**fields, seq=seq, error=_failure(error), usage=_usage(usage))


def tree_view(chat: records.Chat, messages: Sequence[MessageView]) -> TreeView:
    """Return a chat with its messages as it is shown."""
    return TreeView(**msgspec.structs.asdict(chat), messages=tuple(messages))


def run_view(run: records.Run, *, status: str | None = None, model: str | None = None) -> RunView:
    """Return a run as it is shown; `status` and `model` where it goes on."""
    return RunView(
        id=run.id,
        owner_id=run.owner_id,
        chat_id=run.chat_id,
        user_message_id=run.user_message_id,
        assistant_message_id=run.message_id,
        status=status or run.status,
        model_requested=run.model_requested,
        model=model or run.model,
        parameters=run.parameters,
        continues=run.continues,
        usage=_usage(run.usage),
        timings=run.timings,
        error=_failure(run.error),
        created_at=run.created_at,
        ended_at=run.ended_at,
        events=events_path(run.id),
    )


def provider_view(health: Health) -> ProviderView:
    """Return a provider as it is shown."""
    return ProviderView(
        name=health.provider.name,
        kind=health.provider.kind,
        found_by=health.found_by,
        state=health.state,
        reason=health.reason,
        since=health.since_ms,
        models=len(health.models),
    )


def events_path(run_id: str) -> str:
    """Return where a run's events are."""
    return f"/api/v1/runs/{run_id}/events"


def answer(view: msgspec.Struct, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a view as JSON."""
    return Response(msgspec.json.encode(view), status_code=status, headers=headers, media_type="application/json")


def returns(
    view: type[msgspec.Struct], *, status: int = 200, text: str = "As asked."
) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses` wants to know of a view, for OpenAPI."""
    (schema,), parts = msgspec.json.schema_components([view], ref_template="#/$defs/{name}")
    # one self-contained schema: a name of its own in the document's components could clash with pydantic's
    inlined = _inline(schema, parts)
    return {status: {"description": text, "content": {"application/json": {"schema": inlined}}}}


def _inline(schema: Any, parts: Mapping[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(parts[schema["$ref"].rpartition("/")[2]], parts)
        return {key: _inline(value, parts) for key, value in schema.items() if key != "discriminator"}
    return [_inline(one, parts) for one in schema] if isinstance(schema, list) else schema


def _usage(usage: Usage | None) -> UsageView | None:
    if usage is None:
        return None
    return UsageView(
        usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.cached_tokens, usage.estimated
    )


def _failure(error: records.Failure | None) -> Failure | None:
    return Failure(error.code, error.message, error.retryable) if error is not None else None
