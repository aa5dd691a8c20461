"""This module reads the scripts that the provider `scripted` plays.

A script is a file NAME.toml or NAME.json with a list `step`; each step does one thing, `wait_ms` after the step before:

    [[step]]
    wait_ms = 20          # before each repetition
    text = "token {i} "   # {i}: the repetition, from 0; {prompt}: the user's last message
    repeat = 100
    words = false         # true: each word is an event of its own, after its own wait

    [[step]]
    finish = "stop"       # without it the answer ends as that of a server that hangs up

In place of `text`: `reasoning = "..."`, `tool_call = {name, arguments, id}`, `progress = {read, total, cached}`,
`loading = true` or the part loaded so far (the model is ready with the next other step), `usage = {input_tokens, ...}`,
`fail = {code, message}`, `hang = true` (silent until it is stopped), or nothing at all: a wait.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import (
    Event,
    FinishReason,
    ModelLoading,
    ModelReady,
    PromptProgress,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)

__all__ = ["Fail", "Finish", "Hang", "Moment", "Progress", "Step", "Steps", "Tool", "Used", "load", "play", "resume"]

_MAX_FILES = 200
_MAX_BYTES = 1024 * 1024
_MAX_STEPS = 10_000
_SUFFIXES = {".toml", ".json"}
_WORD = re.compile(r"\S+\s*|\s+")

_Count = Annotated[int, Meta(ge=0)]


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call of a tool; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"


class Progress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the prompt has been read, in tokens."""

    read: _Count
    total: _Count
    cached: _Count = 0


class Used(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the answer took, in tokens."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    reasoning_tokens: _Count | None = None
    cached_tokens: _Count | None = None


class Fail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A failure; `code` is one of `ProviderError.CODES`."""

    code: str
    message: str = "The script says so."

    def __post_init__(self) -> None:
        """Check the code."""
        if self.code not in ProviderError.CODES:
            raise ValueError(f"no such code {self.code!r}; these are: {', '.join(ProviderError.CODES)}")


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a script: one thing to do, after a wait, perhaps repeatedly."""

    wait_ms: Annotated[float, Meta(ge=0, le=3_600_000)] = 0
    repeat: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    words: bool = False
    text: str | None = None
    reasoning: str | None = None
    tool_call: Tool | None = None
    progress: Progress | None = None
    loading: bool | Annotated[float, Meta(ge=0, le=1)] | None = None
    usage: Used | None = None
    fail: Fail | None = None
    finish: FinishReason | None = None
    hang: bool = False

    def __post_init__(self) -> None:
        """Check that the step does one thing."""
        done = [name for name in _THINGS if getattr(self, name) not in (None, False)]
        if len(done) > 1:
            raise ValueError(f"a step does one thing, this one has {' and '.join(done)}")


_THINGS = ("text", "reasoning", "tool_call", "progress", "loading", "usage", "fail", "finish", "hang")

Steps = tuple[Step, ...]


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    step: Annotated[tuple[Step, ...], Meta(max_length=_MAX_STEPS)]


class Finish(msgspec.Struct, frozen=True):
    """The model ends its answer."""

    reason: FinishReason


class Hang(msgspec.Struct, frozen=True):
    """Nothing comes any more."""


Moment = tuple[float, Event | Fail | Finish | Hang]
"""What happens so many seconds after the start."""


def load(folder: Path) -> Mapping[str, Steps]:
    """Return the scripts of a folder by name.

    Raises `SettingsError` that names the file, and the key in it: where the folder or a file cannot be read, is too
    large (1 MiB, 200 files, 10,000 steps) or does not say what a script says.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    except OSError as error:
        raise SettingsError(f"{folder}: the folder of scripts cannot be read: {error.strerror}") from error
    if len(files) > _MAX_FILES:
        raise SettingsError(f"{folder}: has {len(files)} scripts, at most {_MAX_FILES} can be read")
    scripts: dict[str, Steps] = {}
    for path in files:
        if path.stem in scripts:
            raise SettingsError(f"{path}: there is another script named {path.stem!r}")
        scripts[path.stem] = _read(path)
    return scripts


def _read(path: Path) -> Steps:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: the script cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise SettingsError(f"{path}: the script is larger than {_MAX_BYTES} bytes")
    try:
        document = _parse(data.decode(), path.suffix)
        return msgspec.convert(document, _Script).step
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {str(error).replace('$.', '')}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not {path.suffix[1:].upper()}: {error}") from error


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        return tomllib.loads(text)
    document = json.loads(text)
    return {"step": document} if isinstance(document, list) else document


def play(steps: Steps, *, model: str, prompt: str) -> Iterator[Moment]:
    """Yield what happens in a script, in order, and when."""
    due = 0.0
    loading = False
    for step in steps:
        for number in range(step.repeat):
            for thing in _things(step, number, model, prompt):
                due += step.wait_ms / 1000
                if loading and not isinstance(thing, ModelLoading | Fail | Hang | None):
                    yield due, ModelReady(model)
                loading = isinstance(thing, ModelLoading) or (loading and thing is None)
                if thing is not None:
                    yield due, thing


def resume(moments: Iterator[Moment], said: str) -> Iterator[Moment] | None:
    """Return what happens after the text `said`; None where that is not how the text of the script begins.

    A failure or silence right after it is passed over: it has been played.
    """
    cut = 0.0
    for due, thing in moments:
        if isinstance(thing, Text):
            piece, said = said[: len(thing.delta)], said[len(thing.delta) :]
            if not thing.delta.startswith(piece):
                return None
            cut = due
            if not said:
                rest = thing.delta[len(piece) :]
                return _after(moments, cut, Text(rest) if rest else None)
    return None


def _after(moments: Iterator[Moment], cut: float, first: Text | None) -> Iterator[Moment]:
    if first is not None:
        yield 0.0, first
    passing = first is None
    for due, thing in moments:
        if passing and isinstance(thing, Fail | Hang):
            cut = due
            continue
        passing = False
        yield due - cut, thing


def _things(step: Step, number: int, model: str, prompt: str) -> list[Event | Fail | Finish | Hang | None]:
    if step.text is not None:
        return [Text(piece) for piece in _pieces(step, step.text, number, prompt)]
    if step.reasoning is not None:
        return [Reasoning(piece) for piece in _pieces(step, step.reasoning, number, prompt)]
    if step.loading not in (None, False):
        return [ModelLoading(model, None if step.loading is True else step.loading)]
    if step.usage is not None:
        return [Usage(**msgspec.structs.asdict(step.usage))]
    return [_thing(step)]


def _thing(step: Step) -> Event | Fail | Finish | Hang | None:
    if step.tool_call is not None:
        return ToolCall(step.tool_call.id, step.tool_call.name, step.tool_call.arguments)
    if step.progress is not None:
        return PromptProgress(step.progress.read, step.progress.total, step.progress.cached)
    if step.finish is not None:
        return Finish(step.finish)
    return step.fail or (Hang() if step.hang else None)


def _pieces(step: Step, template: str, number: int, prompt: str) -> list[str]:
    text = template.replace("{i}", str(number)).replace("{prompt}", prompt)
    return _WORD.findall(text) if step.words else [text]
