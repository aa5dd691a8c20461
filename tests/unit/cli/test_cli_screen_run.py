import io

import pytest

from headrace.cli.screen import Screen
from headrace.cli.screen_run import RunView
from headrace.cli.turn import Heard
from headrace.core import events
from headrace.core.events import Event


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*happened: Event, notes: io.StringIO | None = None) -> tuple[str, str]:
    """Return what is on standard output and on standard error after these events."""
    answer, notes = io.StringIO(), notes or io.StringIO()
    view = RunView(Screen(answer, notes))
    view.show([Heard(seq, event, b"") for seq, event in enumerate(happened)])
    if isinstance(happened[-1], events.TERMINAL):
        view.end(happened[-1])
    return answer.getvalue(), notes.getvalue()


def statuses(*happened: Event) -> list[str]:
    """Return each status that a terminal shows, in order."""
    _, drawn = shown(*happened, notes=Terminal())
    return [each.split("\x1b[0m")[0] for each in drawn.split("\x1b[J\x1b[2m")[1:]]


PHASES: list[Event] = [
    events.RunStarted(run_id="run_1", model="box/a"),
    events.RunQueued(2),
    events.RunQueued(1),
    events.ModelLoading("box/a"),
    events.ModelLoading("box/a", 0.9),
    events.ModelReady("box/a"),
    events.PromptProgress(0, 100),
    events.PromptProgress(50, 100),
]


def test_the_answer_is_all_that_is_said_of_a_run_that_went_well() -> None:
    assert shown(events.Text("Hel"), events.Text("lo"), events.RunFinished("stop")) == ("Hello\n", "")


def test_nothing_is_written_for_an_answer_without_text() -> None:
    assert shown(events.RunFinished("stop")) == ("", "")


def test_what_happens_before_the_answer_is_noted_once_for_each_phase() -> None:
    assert shown(*PHASES)[1] == "waiting for room\nloading box/a\nreading the prompt, 100 tokens\n"


def test_on_a_terminal_every_change_of_it_is_shown_in_place() -> None:
    assert statuses(*PHASES) == [
        "waiting for box/a",
        "waiting for room, place 2",
        "waiting for room, place 1",
        "loading box/a",
        "loading box/a, 90%",
        "waiting for box/a",
        "reading the prompt, 100 tokens, 0%",
        "reading the prompt, 100 tokens, 50%",
    ]


def test_a_prompt_without_tokens_is_no_trouble() -> None:
    assert statuses(events.PromptProgress(0, 0)) == ["reading the prompt, 0 tokens, 0%"]


def test_a_run_whose_model_is_not_known_yet_waits_for_the_one_asked_for() -> None:
    assert statuses(events.RunStarted(run_id="run_1", model_requested="a")) == ["waiting for a"]


def test_the_numbers_come_last() -> None:
    timings = events.Timings(first_token_ms=210, tokens_per_second=35.24)
    _, notes = shown(
        events.RunStarted(run_id="run_1", model="box/a"),
        events.ModelSwitched("box/a", "box/b", "too long"),
        events.Usage(output_tokens=120, timings=timings),
        events.RunFinished("stop"),
    )
    switched, numbers = notes.splitlines()
    assert switched == "box/b answers in place of box/a: too long"
    assert numbers == "box/b, first token after 0.21 s, 35.2 tokens/s, 120 tokens"


def test_estimated_numbers_are_called_so() -> None:
    _, notes = shown(events.Usage(output_tokens=7, estimated=True), events.RunFinished("stop"))
    assert notes == "about 7 tokens\n"


def test_a_model_that_was_known_before_is_named() -> None:
    notes = io.StringIO()
    RunView(Screen(io.StringIO(), notes), model="box/a").end(events.RunFinished("stop"))
    assert notes.getvalue() == "box/a\n"


@pytest.mark.parametrize(
    ("terminal", "note"),
    [
        (events.RunFinished("length"), "ended: length\n"),
        (events.RunStopped("user"), "stopped by user\n"),
        (events.RunFailed("bad_key", "The key was refused.", retryable=False), "bad_key: The key was refused.\n"),
        (events.RunInterrupted("crash"), "interrupted: crash\n"),
    ],
)
def test_an_end_that_is_not_the_usual_one_is_told(terminal: events.Terminal, note: str) -> None:
    assert shown(terminal)[1] == note


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (events.Image("image/png", "AAAA"), "[a picture, image/png]\n"),
        (events.ToolCall("1", "weather", '{"city": "Bern"}'), '[calls weather with {"city": "Bern"}]\n'),
        (events.ToolResult("1", "rain\n"), "[the call gave: rain ]\n"),
        (events.Sources([{}, {}]), "[2 sources]\n"),
        (events.Corrections(None), "[0 corrections of the message]\n"),
    ],
)
def test_what_has_no_words_is_named(event: Event, note: str) -> None:
    assert shown(event) == ("", note)


def test_a_lost_connection_is_told_each_time_it_is_tried_again() -> None:
    notes = io.StringIO()
    view = RunView(Screen(io.StringIO(), notes))
    for delay in (0.25, 0.5):
        view.lost(delay)
    view.found()
    assert notes.getvalue() == (
        "the connection is lost; trying again in 0.25 s\nthe connection is lost; trying again in 0.5 s\n"
    )


def test_on_a_terminal_it_is_a_status_that_goes_when_the_connection_is_back() -> None:
    notes = Terminal()
    view = RunView(Screen(io.StringIO(), notes))
    view.lost(0.25)
    assert notes.getvalue().endswith("trying again in 0.25 s\x1b[0m\r")
    view.found()
    assert notes.getvalue().endswith("\r\x1b[J")
