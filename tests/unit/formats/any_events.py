"""Every event with anything in it, and the golden runs."""

import json
from typing import Any, get_args

from cutting import GOLDEN
from hypothesis import strategies as st

from headrace.core import events

# halves of surrogate pairs stand alone: two side by side are one character as soon as they are written as JSON
TEXT = st.text(st.characters(exclude_categories=())).map(lambda text: str(json.loads(json.dumps(text))))
COUNT = st.none() | st.integers(0, 2**53)
SPEED = st.none() | st.floats(0, 1e9)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
OBJECT: st.SearchStrategy[dict[str, Any]] = st.dictionaries(TEXT, VALUE, max_size=3)

KINDS: dict[type, st.SearchStrategy[Any]] = {
    events.RunStarted: st.builds(
        events.RunStarted,
        run_id=TEXT,
        chat_id=COUNT,
        user_message_id=COUNT,
        assistant_message_id=COUNT,
        model_requested=TEXT,
        model=st.none() | TEXT,
        route=st.none() | st.builds(events.Route, TEXT, TEXT),
        parameters=OBJECT,
        continues=st.booleans(),
        simulated=st.booleans(),
        cached=st.booleans(),
    ),
    events.RunQueued: st.builds(events.RunQueued, st.integers(1, 2000)),
    events.ModelLoading: st.builds(events.ModelLoading, TEXT, st.none() | st.floats(0, 1)),
    events.ModelReady: st.builds(events.ModelReady, TEXT),
    events.ModelSwitched: st.builds(events.ModelSwitched, TEXT, TEXT, TEXT),
    events.PromptProgress: st.builds(events.PromptProgress, st.integers(0), st.integers(0), st.integers(0)),
    events.Sources: st.builds(events.Sources, st.lists(OBJECT, max_size=3)),
    events.Text: st.builds(events.Text, TEXT),
    events.Reasoning: st.builds(events.Reasoning, TEXT),
    events.Image: st.builds(events.Image, TEXT, TEXT),
    events.ToolCall: st.builds(events.ToolCall, TEXT, TEXT, TEXT),
    events.ToolResult: st.builds(events.ToolResult, TEXT, TEXT),
    events.Corrections: st.builds(events.Corrections, st.none() | st.lists(OBJECT, max_size=3)),
    events.Extra: st.builds(events.Extra, chunk=OBJECT, choice=OBJECT, delta=OBJECT, usage=OBJECT),
    events.Usage: st.builds(
        events.Usage,
        input_tokens=COUNT,
        output_tokens=COUNT,
        reasoning_tokens=COUNT,
        cached_tokens=COUNT,
        estimated=st.booleans(),
        timings=st.none()
        | st.builds(
            events.Timings,
            queued_ms=COUNT,
            loading_ms=COUNT,
            first_token_ms=COUNT,
            generation_ms=COUNT,
            total_ms=COUNT,
            prompt_tokens_per_second=SPEED,
            tokens_per_second=SPEED,
        ),
    ),
    events.RunFinished: st.builds(events.RunFinished, st.sampled_from(get_args(events.FinishReason))),
    events.RunStopped: st.builds(events.RunStopped, TEXT),
    events.RunFailed: st.builds(events.RunFailed, TEXT, TEXT, st.booleans()),
    events.RunInterrupted: st.builds(events.RunInterrupted, st.sampled_from(get_args(events.InterruptReason))),
}

EVENT: st.SearchStrategy[events.Event] = st.one_of(*KINDS.values())

RUNS = ("answer", "tools", "stopped", "failed", "refused", "interrupted")


def golden_run(name: str) -> list[bytes]:
    """Return the entries of a golden run."""
    return (GOLDEN / "native" / f"{name}.jsonl").read_bytes().splitlines()
