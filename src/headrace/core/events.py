"""This module describes what comes back from a model: a closed, tagged union of events.

The names are those on the wire and in the journal, so they are never changed. Exactly one of `TERMINAL` ends a run
and nothing follows it. When an event happened is not in the event: the journal stamps it.
"""

from typing import Any, Literal

import msgspec

from headrace.core.refusal import Refusal

__all__ = [
    "TERMINAL",
    "Corrections",
    "Event",
    "Extra",
    "FinishReason",
    "Image",
    "InterruptReason",
    "ModelLoading",
    "ModelReady",
    "ModelSwitched",
    "PromptProgress",
    "Reasoning",
    "Route",
    "RunFailed",
    "RunFinished",
    "RunInterrupted",
    "RunQueued",
    "RunStarted",
    "RunStopped",
    "Sources",
    "Terminal",
    "Text",
    "Timings",
    "ToolCall",
    "ToolResult",
    "Usage",
    "type_of",
]

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
InterruptReason = Literal["crash", "shutdown"]


class Route(msgspec.Struct, frozen=True):
    """Why this model answers: the kind of question, and the reason in a few words."""

    category: str
    reason: str


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag="run.started", omit_defaults=True):
    """Always event 0. `parameters` are the owner's; `model` is the id chosen, when known by now."""

    run_id: str
    chat_id: int | None = None
    user_message_id: int | None = None
    assistant_message_id: int | None = None
    model_requested: str = "auto"
    model: str | None = None
    route: Route | None = None
    parameters: dict[str, Any] = {}
    continues: bool = False
    simulated: bool = False
    cached: bool = False


class RunQueued(msgspec.Struct, frozen=True, tag="run.queued"):
    """The run waits for room; `place` counts from 1."""

    place: int


class ModelLoading(msgspec.Struct, frozen=True, tag="model.loading", omit_defaults=True):
    """The model is being loaded; `progress` from 0 to 1 where it is known."""

    model: str
    progress: float | None = None


class ModelReady(msgspec.Struct, frozen=True, tag="model.ready"):
    """The model is loaded."""

    model: str


class ModelSwitched(msgspec.Struct, frozen=True, tag="model.switched", rename={"origin": "from"}):
    """Another model answers than was asked for."""

    origin: str
    to: str
    reason: str


class PromptProgress(msgspec.Struct, frozen=True, tag="prompt.progress", omit_defaults=True):
    """The model has read so many tokens of the prompt; `cached` of them were known from before."""

    read: int
    total: int
    cached: int = 0


class Sources(msgspec.Struct, frozen=True, tag="sources"):
    """The numbered sources of this answer."""

    sources: list[dict[str, Any]]


class Text(msgspec.Struct, frozen=True, tag="text", gc=False):
    """The next piece of the answer."""

    delta: str


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning", gc=False):
    """The next piece of the model's thoughts."""

    delta: str


class Image(msgspec.Struct, frozen=True, tag="image"):
    """A picture that the model made, as base64."""

    media_type: str
    data: str


class ToolCall(msgspec.Struct, frozen=True, tag="tool.call"):
    """A complete call that the model asks for; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True, tag="tool.result"):
    """What the call with this id gave."""

    id: str
    text: str


class Corrections(msgspec.Struct, frozen=True, tag="corrections"):
    """Corrections of the user's message; None where the corrector failed or was too slow."""

    corrections: list[dict[str, Any]] | None


class Extra(msgspec.Struct, frozen=True, kw_only=True, tag="extra", omit_defaults=True):
    """What the upstream said besides, in OpenAI's chat format, for a client that speaks it too.

    `chunk`, `choice`, `delta` and `usage` are where it stood. It belongs to what comes next.
    """

    chunk: dict[str, Any] = {}
    choice: dict[str, Any] = {}
    delta: dict[str, Any] = {}
    usage: dict[str, Any] = {}


class Timings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How long it took, in milliseconds since `run.started` or as durations, and how fast it went.

    `queued_ms`: waiting for room. `loading_ms`: the model's loading. `first_token_ms`: since `run.started`.
    `generation_ms`: from the first token to the last. `total_ms`: the whole run. `prompt_tokens_per_second` and
    `tokens_per_second` are the engine's own where it tells them, otherwise measured here.
    """

    queued_ms: int | None = None
    loading_ms: int | None = None
    first_token_ms: int | None = None
    generation_ms: int | None = None
    total_ms: int | None = None
    prompt_tokens_per_second: float | None = None
    tokens_per_second: float | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True, tag="usage", omit_defaults=True):
    """What the answer took, in tokens; `estimated` until and unless the provider counted."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = False
    timings: Timings | None = None


class RunFinished(msgspec.Struct, frozen=True, tag="run.finished"):
    """The model ended its answer and said why."""

    reason: FinishReason


class RunStopped(msgspec.Struct, frozen=True, tag="run.stopped"):
    """Somebody stopped the run: `by` is `user`, `disconnect` or `deleted`."""

    by: str


class RunFailed(msgspec.Struct, frozen=True, tag="run.failed", omit_defaults=True):
    """The run failed; `code` is one of `errors.ProviderError.CODES`.

    `refusal`: what the model's server answered where it refused the request, or had no room for it.
    """

    code: str
    message: str
    retryable: bool
    refusal: Refusal | None = None


class RunInterrupted(msgspec.Struct, frozen=True, tag="run.interrupted"):
    """This server went away in mid-answer."""

    reason: InterruptReason


Terminal = RunFinished | RunStopped | RunFailed | RunInterrupted

Event = (
    RunStarted
    | RunQueued
    | ModelLoading
    | ModelReady
    | ModelSwitched
    | PromptProgress
    | Sources
    | Text
    | Reasoning
    | Image
    | ToolCall
    | ToolResult
    | Corrections
    | Extra
    | Usage
    | RunFinished
    | RunStopped
    | RunFailed
    | RunInterrupted
)

TERMINAL = (RunFinished, RunStopped, RunFailed, RunInterrupted)


def type_of(event: Event) -> str:
    """Return the event's name on the wire, as `text` or `run.started`."""
    return str(event.__struct_config__.tag)
