import pytest

from headrace.core.status import ENDED, LIVE, Status
from headrace.runs.state import Signal, advance, has_ended

ONWARD: dict[Signal, Status] = {"load": "loading", "read": "reading", "token": "streaming"}
ENDINGS: dict[Signal, Status] = {
    "finish": "complete",
    "stop": "stopped",
    "fail": "failed",
    "interrupt": "interrupted",
}
STREAMING: dict[Signal, Status] = dict.fromkeys(ONWARD, "streaming")

TABLE: dict[Status, dict[Signal, Status]] = {
    "queued": ONWARD | ENDINGS,
    "loading": ONWARD | ENDINGS,
    "reading": ONWARD | ENDINGS,
    "streaming": STREAMING | ENDINGS,
}


@pytest.mark.parametrize(("status", "signal"), [(status, signal) for status in LIVE for signal in ONWARD | ENDINGS])
def test_a_live_run_advances(status: Status, signal: Signal) -> None:
    assert advance(status, signal) == TABLE[status][signal]


@pytest.mark.parametrize("signal", ONWARD | ENDINGS)
@pytest.mark.parametrize("status", ENDED)
def test_nothing_follows_the_end(status: Status, signal: Signal) -> None:
    with pytest.raises(ValueError, match=f"a run that is {status} takes no '{signal}'"):
        advance(status, signal)


@pytest.mark.parametrize(("status", "ended"), [*((each, False) for each in LIVE), *((each, True) for each in ENDED)])
def test_a_status_tells_whether_the_run_has_ended(status: Status, *, ended: bool) -> None:
    assert has_ended(status) is ended


def test_a_word_that_is_no_status_is_refused() -> None:
    with pytest.raises(ValueError, match="'done' is no status"):
        has_ended("done")
