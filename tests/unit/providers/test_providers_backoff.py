import asyncio

import pytest

from headrace.providers.backoff import Backoff


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set by the test."""
    now = [1000.0]
    monkeypatch.setattr("headrace.providers.backoff._now", lambda: now[0])
    return now


@pytest.mark.usefixtures("now")
def test_what_never_failed_may_be_tried_at_once() -> None:
    assert Backoff().wait_s == 0


@pytest.mark.usefixtures("now")
def test_the_wait_doubles_with_each_failure_in_a_row_up_to_a_bound() -> None:
    backoff = Backoff()
    waits = []
    for _ in range(9):
        backoff.failed()
        waits.append(backoff.wait_s)
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30, 30]


def test_the_wait_passes(now: list[float]) -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.failed()
    now[0] += 1.5
    assert backoff.wait_s == pytest.approx(0.5)
    now[0] += 1
    assert backoff.wait_s == 0


def test_what_works_for_a_minute_starts_afresh(now: list[float]) -> None:
    backoff = Backoff()
    for works_s, wait_s in ((59.0, 1.0), (60.0, 0.0)):
        backoff.failed()
        backoff.succeeded()
        now[0] += works_s
        backoff.failed()
        assert backoff.wait_s == wait_s
        backoff = Backoff()


async def test_the_time_is_the_loops() -> None:
    backoff = Backoff()
    backoff.failed()
    backoff.failed()
    assert 0 < backoff.wait_s <= 1
    await asyncio.sleep(0)
