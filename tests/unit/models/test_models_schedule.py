from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from headrace.models.schedule import FairQueue

owners = st.integers(0, 4)


def filled(put: list[int]) -> FairQueue[tuple[int, int]]:
    """A queue into which these owners have put things in this order; a thing knows its owner and its number."""
    queue: FairQueue[tuple[int, int]] = FairQueue()
    for number, owner in enumerate(put):
        queue.put(owner, (owner, number))
    return queue


def emptied(queue: FairQueue[tuple[int, int]]) -> list[tuple[int, int]]:
    return [queue.pop() for _ in range(len(queue))]


def test_owners_take_turns() -> None:
    order = [owner for owner, _ in emptied(filled([1, 1, 1, 2, 3, 3]))]
    assert order == [1, 2, 3, 1, 3, 1]


def test_an_owner_with_a_thousand_things_delays_another_by_one() -> None:
    queue = filled([1] * 1_000)
    queue.put(2, (2, 0))
    assert [queue.pop()[0], queue.pop()[0]] == [1, 2]


def test_an_empty_queue_has_nothing_to_give() -> None:
    queue = filled([])
    assert (len(queue), list(queue)) == (0, [])
    with pytest.raises(IndexError):
        queue.pop()


def test_what_is_not_there_cannot_be_taken_out() -> None:
    queue = filled([1])
    for owner in (1, 2):
        with pytest.raises(ValueError, match=r"."):
            queue.remove(owner, (9, 9))
    assert emptied(queue) == [(1, 0)]


@given(st.lists(owners))
def test_everything_comes_out_once(put: list[int]) -> None:
    assert sorted(emptied(filled(put))) == sorted((owner, number) for number, owner in enumerate(put))


@given(st.lists(owners))
def test_iteration_tells_the_order_of_popping_and_takes_nothing(put: list[int]) -> None:
    queue = filled(put)
    told = list(queue)
    assert told == list(queue) == emptied(queue)


@given(st.lists(owners))
def test_an_owners_things_keep_their_order(put: list[int]) -> None:
    out = emptied(filled(put))
    for owner in set(put):
        numbers = [number for each, number in out if each == owner]
        assert numbers == sorted(numbers)


@given(st.lists(owners))
def test_while_two_owners_wait_neither_is_served_twice_in_a_row_more_than_the_other(put: list[int]) -> None:
    queue = filled(put)
    served = dict.fromkeys(put, 0)
    waiting = {owner: put.count(owner) for owner in put}
    while len(queue):
        still = [owner for owner in waiting if waiting[owner] > 0]
        assert max(served[owner] for owner in still) - min(served[owner] for owner in still) <= 1
        owner, _ = queue.pop()
        served[owner] += 1
        waiting[owner] -= 1


class QueueMachine(RuleBasedStateMachine):
    """Against the plainest model: a list of (owner, things) in the order of their turns."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue()
        self.turns: deque[tuple[int, list[int]]] = deque()
        self.number = 0

    @rule(owner=owners)
    def put(self, owner: int) -> None:
        self.number += 1
        self.queue.put(owner, self.number)
        for each, things in self.turns:
            if each == owner:
                things.append(self.number)
                return
        self.turns.append((owner, [self.number]))

    @rule()
    def pop(self) -> None:
        if not self.turns:
            with pytest.raises(IndexError):
                self.queue.pop()
            return
        owner, things = self.turns.popleft()
        assert self.queue.pop() == things.pop(0)
        if things:
            self.turns.append((owner, things))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if self.turns:
            owner, things = data.draw(st.sampled_from(list(self.turns)))
            thing = data.draw(st.sampled_from(things))
            self.queue.remove(owner, thing)
            things.remove(thing)
            if not things:
                self.turns.remove((owner, things))

    @invariant()
    def counts(self) -> None:
        assert len(self.queue) == sum(len(things) for _, things in self.turns)
        assert len(list(self.queue)) == len(self.queue)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
