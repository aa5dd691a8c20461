"""The names of events: on the wire and in the journal, so never changed."""

from typing import get_args

import msgspec
import pytest

from headrace.core import events

NAMES = {
    events.RunStarted: "run.started",
    events.RunQueued: "run.queued",
    events.ModelLoading: "model.loading",
    events.ModelReady: "model.ready",
    events.ModelSwitched: "model.switched",
    events.PromptProgress: "prompt.progress",
    events.Sources: "sources",
    events.Text: "text",
    events.Reasoning: "reasoning",
    events.Image: "image",
    events.ToolCall: "tool.call",
    events.ToolResult: "tool.result",
    events.Corrections: "corrections",
    events.Extra: "extra",
    events.Usage: "usage",
    events.RunFinished: "run.finished",
    events.RunStopped: "run.stopped",
    events.RunFailed: "run.failed",
    events.RunInterrupted: "run.interrupted",
}


def test_the_names_are_those_of_the_api() -> None:
    assert {kind: kind.__struct_config__.tag for kind in get_args(events.Event)} == NAMES


@pytest.mark.parametrize(
    "event",
    [events.Text("a"), events.RunFinished("stop"), events.RunStarted(run_id="r"), events.ModelSwitched("a", "b", "c")],
)
def test_an_event_knows_its_name(event: events.Event) -> None:
    assert events.type_of(event) == NAMES[type(event)]


def test_fields_have_the_names_of_the_api() -> None:
    assert msgspec.json.encode(events.ModelSwitched("a", "b", "c")) == (
        b'{"type":"model.switched","from":"a","to":"b","reason":"c"}'
    )
    assert msgspec.json.encode(events.RunStarted(run_id="r")) == b'{"type":"run.started","run_id":"r"}'
    assert msgspec.json.encode(events.Usage(output_tokens=2, timings=events.Timings(total_ms=5))) == (
        b'{"type":"usage","output_tokens":2,"timings":{"total_ms":5}}'
    )


def test_the_terminal_events_are_four() -> None:
    assert {kind for kind, name in NAMES.items() if name in {f"run.{end}" for end in ENDS}} == set(events.TERMINAL)


ENDS = ("finished", "stopped", "failed", "interrupted")
