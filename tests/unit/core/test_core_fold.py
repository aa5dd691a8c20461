"""A run's events, folded into the message that they make."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core import events
from headrace.core.fold import Fold, join, status_of
from headrace.core.messages import ImagePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart, text_of

PIECE = st.builds(events.Text, st.text(min_size=1)) | st.builds(events.Reasoning, st.text(min_size=1))
OTHER = st.sampled_from(
    [
        events.Image("image/png", "QUJD"),
        events.ToolCall("c", "f", "{}"),
        events.ToolResult("c", "1"),
        events.RunQueued(1),
        events.ModelLoading("m"),
        events.PromptProgress(1, 2),
        events.Sources([]),
        events.Corrections(None),
        events.Extra(chunk={"a": 1}),
        events.Usage(input_tokens=1),
    ]
)


def folded(*run: events.Event) -> Fold:
    fold = Fold()
    for event in run:
        fold.feed(event)
    return fold


def test_a_new_message_is_empty() -> None:
    fold = Fold()
    assert (fold.seq, fold.parts, fold.status, fold.model, fold.usage) == (-1, (), None, None, None)


def test_adjacent_pieces_of_one_kind_are_one_part() -> None:
    fold = folded(
        events.Reasoning("r"),
        events.Reasoning("s"),
        events.Text("a"),
        events.RunQueued(1),
        events.Text("b"),
        events.Reasoning("t"),
    )
    assert fold.parts == (ReasoningPart("rs"), TextPart("ab"), ReasoningPart("t"))
    assert fold.seq == 5


def test_other_parts_stand_where_they_came() -> None:
    fold = folded(
        events.Text("a"),
        events.ToolCall("c", "f", "{}"),
        events.ToolResult("c", "1"),
        events.Image("image/png", "QUJD"),
        events.Text("b"),
    )
    assert fold.parts == (
        TextPart("a"),
        ToolCallPart("c", "f", "{}"),
        ToolResultPart("c", "1"),
        ImagePart("image/png", "QUJD"),
        TextPart("b"),
    )


def test_the_model_is_the_last_one_told() -> None:
    fold = folded(events.RunStarted(run_id="r"))
    assert fold.model is None
    for event, model in (
        (events.RunStarted(run_id="r", model="a"), "a"),
        (events.ModelSwitched("a", "b", "why"), "b"),
        (events.ModelReady("c"), "c"),
        (events.RunStarted(run_id="r"), "c"),
    ):
        fold.feed(event)
        assert fold.model == model


def test_usage_is_the_last_one_told() -> None:
    assert folded(events.Usage(input_tokens=1), events.Usage(input_tokens=2)).usage == events.Usage(input_tokens=2)


@pytest.mark.parametrize(
    ("terminal", "status"),
    [
        (events.RunFinished("stop"), "complete"),
        (events.RunStopped("user"), "stopped"),
        (events.RunFailed("internal", "why", retryable=True), "failed"),
        (events.RunInterrupted("crash"), "interrupted"),
    ],
)
def test_the_terminal_event_is_the_status(terminal: events.Terminal, status: str) -> None:
    fold = folded(events.Text("a"), terminal)
    assert fold.terminal == terminal
    assert fold.status == status_of(terminal) == status
    assert fold.parts == (TextPart("a"),)


def test_every_terminal_event_has_a_status() -> None:
    assert set(events.TERMINAL) == set(get_args(events.Terminal))


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECE | OTHER, max_size=30), st.sets(st.integers(0, 30)))
def test_reading_in_mid_answer_changes_nothing(run: list[events.Event], read_at: set[int]) -> None:
    fold = Fold()
    for seq, event in enumerate(run):
        fold.feed(event)
        if seq in read_at:
            assert fold.parts == folded(*run[: seq + 1]).parts
    assert fold.parts == folded(*run).parts
    assert text_of(fold.parts) == "".join(event.delta for event in run if isinstance(event, events.Text))


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECE | OTHER, max_size=30), st.integers(0, 30))
def test_many_at_once_are_what_they_are_one_by_one(run: list[events.Event], first: int) -> None:
    fold, apart = Fold(), folded(*run)
    fold.feed_all(run[:first])
    fold.feed_all(run[first:])
    assert (fold.seq, fold.parts, fold.usage, fold.model) == (apart.seq, apart.parts, apart.usage, apart.model)


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ((), (TextPart("b"),), (TextPart("b"),)),
        ((TextPart("a"),), (), (TextPart("a"),)),
        ((TextPart("a"),), (TextPart("b"),), (TextPart("ab"),)),
        (
            (ReasoningPart("r"), TextPart("a")),
            (TextPart("b"), ImagePart("image/png", "QUJD")),
            (ReasoningPart("r"), TextPart("ab"), ImagePart("image/png", "QUJD")),
        ),
        ((TextPart("a"),), (ReasoningPart("r"), TextPart("b")), (TextPart("a"), ReasoningPart("r"), TextPart("b"))),
        ((ReasoningPart("r"),), (ReasoningPart("s"),), (ReasoningPart("r"), ReasoningPart("s"))),
    ],
)
def test_a_continued_answer_goes_on_in_its_last_text(
    before: tuple[Part, ...], after: tuple[Part, ...], joined: tuple[Part, ...]
) -> None:
    assert join(before, after) == joined


def test_an_empty_piece_makes_no_part() -> None:
    fold = Fold()
    for event in (events.Text(""), events.Reasoning(""), events.Text("a")):
        fold.feed(event)
    assert fold.parts == (TextPart("a"),)
