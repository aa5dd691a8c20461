import asyncio
import gc
import random

import pytest

from headrace.models import admission
from headrace.models.admission import Admission, Lease

PATIENCE_S = 10.0


def ignore(_place: int) -> None:
    pass


class Caller:
    """One who asks for a slot, in a task of its own, and keeps it."""

    def __init__(self, gate: Admission, *, slots: int = 1, owner: int = 1) -> None:
        self.places: list[int] = []
        self.lease: Lease | None = None
        self.task = asyncio.ensure_future(self._ask(gate, slots, owner))

    async def _ask(self, gate: Admission, slots: int, owner: int) -> None:
        self.lease = await gate.admit("box", slots=slots, owner=owner, on_place=self.places.append)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def admitted(callers: list[Caller]) -> list[int]:
    return [number for number, caller in enumerate(callers) if caller.lease is not None]


async def test_as_many_are_admitted_as_there_are_slots() -> None:
    gate = Admission()
    callers = [Caller(gate, slots=2) for _ in range(4)]
    await turns()
    assert admitted(callers) == [0, 1]
    assert gate.waiting() == 2
    for number in range(4):
        lease = callers[number].lease
        assert lease is not None
        lease.release()
        await turns()
        assert len(admitted(callers)) == min(4, number + 3)
    assert gate.waiting() == 0


async def test_no_bound_means_no_waiting() -> None:
    gate = Admission()
    leases = [await gate.admit("box", slots=None, owner=1, on_place=ignore) for _ in range(100)]
    for lease in leases:
        lease.release()
    assert gate.waiting() == 0


async def test_providers_do_not_share_slots() -> None:
    gate = Admission()
    await gate.admit("a", slots=1, owner=1, on_place=ignore)
    await asyncio.wait_for(gate.admit("b", slots=1, owner=1, on_place=ignore), PATIENCE_S)


async def test_a_lease_released_twice_gives_one_slot() -> None:
    gate = Admission()
    lease = await gate.admit("box", slots=1, owner=1, on_place=ignore)
    callers = [Caller(gate) for _ in range(3)]
    await turns()
    lease.release()
    lease.release()
    await turns()
    assert admitted(callers) == [0]
    for caller in callers[1:]:
        caller.task.cancel()
    await turns()


async def test_a_lease_is_released_at_the_end_of_its_block_however_it_ends() -> None:
    gate = Admission()
    for _ in range(3):
        lease = await asyncio.wait_for(gate.admit("box", slots=1, owner=1, on_place=ignore), PATIENCE_S)
        with pytest.raises(RuntimeError), lease:
            raise RuntimeError("the answer failed")


async def test_a_slot_goes_to_who_waits_before_who_comes() -> None:
    gate = Admission()
    lease = await gate.admit("box", slots=1, owner=1, on_place=ignore)
    waits = Caller(gate)
    await turns()
    lease.release()
    comes = Caller(gate)
    await turns()
    assert waits.lease is not None
    assert comes.lease is None
    comes.task.cancel()
    await turns()


async def test_owners_take_turns() -> None:
    gate = Admission()
    lease = await gate.admit("box", slots=1, owner=0, on_place=ignore)
    order: list[int] = []

    async def answer(owner: int) -> None:
        with await gate.admit("box", slots=1, owner=owner, on_place=ignore):
            order.append(owner)

    tasks = [asyncio.ensure_future(answer(owner)) for owner in (1, 1, 1, 2, 2, 3)]
    await turns()
    lease.release()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
    assert order == [1, 2, 3, 1, 2, 1]


# Places.


async def test_those_who_wait_are_told_their_place_at_once() -> None:
    gate = Admission()
    callers = [Caller(gate, owner=owner) for owner in (1, 1, 1, 1, 2)]
    await turns()
    assert [caller.places for caller in callers] == [[], [1], [2], [3], [2]]
    for caller in callers[1:]:
        caller.task.cancel()
    await turns()


async def test_places_are_told_again_when_they_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "PLACES_EVERY_S", 0.0)
    gate = Admission()
    callers = [Caller(gate) for _ in range(4)]
    await turns()
    callers[2].task.cancel()
    await turns()
    assert [caller.places for caller in callers] == [[], [1], [2], [3, 2]]
    lease = callers[0].lease
    assert lease is not None
    lease.release()
    await turns()
    assert [caller.places for caller in callers] == [[], [1], [2], [3, 2, 1]]
    callers[3].task.cancel()
    await turns()


async def test_many_changes_are_told_in_one_go() -> None:
    gate = Admission()
    callers = [Caller(gate) for _ in range(10)]
    await turns()
    for caller in callers[1:9]:
        caller.task.cancel()
        await turns()
    assert callers[9].places == [9]
    gate._tell(gate._gates["box"])  # a second later
    assert callers[9].places == [9, 1]
    callers[9].task.cancel()
    await turns()


async def test_a_caller_whose_callback_fails_does_not_stay_in_the_queue() -> None:
    gate = Admission()
    lease = await gate.admit("box", slots=1, owner=1, on_place=ignore)

    def fail(_place: int) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await gate.admit("box", slots=1, owner=1, on_place=fail)
    assert gate.waiting() == 0
    lease.release()
    await asyncio.wait_for(gate.admit("box", slots=1, owner=1, on_place=ignore), PATIENCE_S)


# Cancelling.


async def test_cancelling_leaves_the_queue() -> None:
    gate = Admission()
    callers = [Caller(gate) for _ in range(3)]
    await turns()
    callers[1].task.cancel()
    await turns()
    assert gate.waiting() == 1
    lease = callers[0].lease
    assert lease is not None
    lease.release()
    await turns()
    assert admitted(callers) == [0, 2]


async def test_one_admitted_and_cancelled_in_one_turn_passes_the_slot_on() -> None:
    gate = Admission()
    callers = [Caller(gate) for _ in range(3)]
    await turns()
    lease = callers[0].lease
    assert lease is not None
    lease.release()
    callers[1].task.cancel()
    await turns()
    assert admitted(callers) == [0, 2]


async def test_one_cancelled_and_then_passed_the_slot_in_one_turn_loses_none() -> None:
    gate = Admission()
    callers = [Caller(gate) for _ in range(3)]
    await turns()
    callers[1].task.cancel()
    lease = callers[0].lease
    assert lease is not None
    lease.release()
    await turns()
    assert admitted(callers) == [0, 2]
    assert callers[1].task.cancelled()


async def test_the_slot_is_free_when_all_who_waited_were_cancelled_in_that_turn() -> None:
    gate = Admission()
    callers = [Caller(gate) for _ in range(4)]
    await turns()
    for caller in callers[1:]:
        caller.task.cancel()
    lease = callers[0].lease
    assert lease is not None
    lease.release()
    await turns()
    assert gate.waiting() == 0
    await asyncio.wait_for(gate.admit("box", slots=1, owner=1, on_place=ignore), PATIENCE_S)


@pytest.mark.parametrize("chunk", range(10))
async def test_no_schedule_exceeds_the_slots_or_loses_one(chunk: int) -> None:
    for seed in range(chunk * 100, chunk * 100 + 100):
        await _schedule(random.Random(seed))  # noqa: S311  a schedule that can be repeated
    gc.collect()


async def _schedule(choose: random.Random) -> None:
    """Callers come, hold, release and are cancelled in any order; then as many get a slot at once as there are."""
    gate, slots = Admission(), choose.randrange(1, 4)
    running, most, served = 0, 0, 0

    async def answer(owner: int) -> None:
        nonlocal running, most, served
        with await gate.admit("box", slots=slots, owner=owner, on_place=ignore) as lease:
            running += 1
            most = max(most, running)
            try:
                for _ in range(choose.randrange(4)):
                    await asyncio.sleep(0)
                served += 1
            finally:
                running -= 1
            if choose.random() < 0.2:
                lease.release()

    tasks = [asyncio.ensure_future(answer(choose.randrange(3))) for _ in range(choose.randrange(1, 12))]
    for _ in range(choose.randrange(12)):
        if choose.random() < 0.5:
            choose.choice(tasks).cancel()
        if choose.random() < 0.5:
            await asyncio.sleep(0)
        if choose.random() < 0.2:
            tasks.append(asyncio.ensure_future(answer(choose.randrange(3))))
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE_S)
    assert all(result is None or isinstance(result, asyncio.CancelledError) for result in results)
    assert most <= slots
    assert served >= sum(result is None for result in results)
    assert gate.waiting() == 0
    for _ in range(slots):
        await asyncio.wait_for(gate.admit("box", slots=slots, owner=1, on_place=ignore), PATIENCE_S)
    extra = Caller(gate, slots=slots)
    await turns()
    assert extra.lease is None
    extra.task.cancel()
    await asyncio.gather(extra.task, return_exceptions=True)
