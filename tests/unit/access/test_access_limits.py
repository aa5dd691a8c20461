import asyncio
from collections.abc import Callable, Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.engines import Clock
from headrace.access.limits import Limits, LimitSettings
from headrace.core.errors import TooManyRequests

DAY_S = 86_400
ANN, BOB = 1, 2


def limits(clock: Clock | None = None, /, **settings: int) -> Limits:
    return Limits(LimitSettings(**settings), clock or Clock())


def refused(call: Callable[[int], object], user_id: int = ANN) -> TooManyRequests:
    with pytest.raises(TooManyRequests) as error:
        call(user_id)
    return error.value


def let_in(call: Callable[[int], object], users: Iterable[int]) -> list[int]:
    """Call for these users in turn; return those who were let in."""
    done = []
    for user_id in users:
        try:
            call(user_id)
        except TooManyRequests:
            continue
        done.append(user_id)
    return done


def test_nothing_is_limited_unless_it_is_set() -> None:
    free = limits()
    free.spent(ANN, 10**15)
    for call in (free.request, free.slot, free.check_tokens):
        assert len(let_in(call, [ANN] * 1_000)) == 1_000


@pytest.mark.parametrize("setting", msgspec.structs.fields(LimitSettings), ids=lambda field: field.name)
def test_a_limit_that_would_let_nobody_in_is_no_setting(setting: msgspec.structs.FieldInfo) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({setting.name: 0}, LimitSettings)


# Requests a minute


def test_a_user_may_make_as_many_requests_as_are_set() -> None:
    assert len(let_in(limits(requests_per_minute=3).request, [ANN] * 5)) == 3


def test_each_user_has_requests_of_their_own() -> None:
    assert let_in(limits(requests_per_minute=1).request, [ANN, BOB, ANN, BOB]) == [ANN, BOB]


def test_all_users_share_the_requests_of_all() -> None:
    assert let_in(limits(requests_per_minute_all=3).request, [ANN, BOB, ANN, BOB]) == [ANN, BOB, ANN]


def test_a_request_makes_room_60_s_after_it_was_made() -> None:
    clock = Clock()
    limited = limits(clock, requests_per_minute=1)
    limited.request(ANN)
    clock.move(59.75)
    refused(limited.request)
    clock.move(0.25)
    limited.request(ANN)


async def test_50_parallel_callers_to_a_limit_of_10_get_exactly_10() -> None:
    limited = limits(requests_per_minute=10, requests_per_minute_all=40)

    async def call() -> None:
        await asyncio.sleep(0)
        limited.request(ANN)

    results = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert results.count(None) == 10


def test_a_request_that_the_user_may_not_make_takes_nothing_from_all() -> None:
    limited = limits(requests_per_minute=1, requests_per_minute_all=2)
    assert let_in(limited.request, [ANN] * 10 + [BOB]) == [ANN, BOB]


def test_a_request_that_all_may_not_make_takes_nothing_from_the_user() -> None:
    clock = Clock()
    limited = limits(clock, requests_per_minute=2, requests_per_minute_all=1)
    limited.request(BOB)
    assert let_in(limited.request, [ANN] * 10) == []
    clock.move(60)
    limited.request(ANN)
    clock.move(60)
    limited.request(ANN)


def test_a_refused_request_says_what_to_do() -> None:
    limited = limits(requests_per_minute=1)
    limited.request(ANN)
    error = refused(limited.request)
    assert error.message == (
        "You may make 1 requests a minute. Wait 60 s, or have `[limits] requests_per_minute` raised."
    )
    assert (error.code, error.status, error.details) == ("rate_limited", 429, {"limit": "requests_per_minute"})


def test_a_request_that_all_may_not_make_says_so() -> None:
    limited = limits(requests_per_minute_all=1)
    limited.request(BOB)
    error = refused(limited.request)
    assert error.message == (
        "All users together may make 1 requests a minute. Wait 60 s, or have `[limits] requests_per_minute_all` raised."
    )


def test_where_both_limits_are_reached_the_wait_is_the_longer_one() -> None:
    clock = Clock()
    limited = limits(clock, requests_per_minute=1, requests_per_minute_all=2)
    limited.request(BOB)
    clock.move(20)
    limited.request(ANN)
    clock.move(10)
    error = refused(limited.request)  # there is room for all in 30 s, for this user in 50 s
    assert (error.retry_after_s, error.details["limit"]) == (50, "requests_per_minute")


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from([ANN, BOB]), st.integers(0, 160)), max_size=40),
)
def test_a_refused_request_is_let_in_after_its_wait_and_no_whole_second_before(
    most: int, most_all: int, asked: list[tuple[int, int]]
) -> None:
    clock = Clock()
    limited = limits(clock, requests_per_minute=most, requests_per_minute_all=most_all)
    for user_id, quarters in asked:
        clock.move(quarters / 4)
        if not let_in(limited.request, [user_id]):
            wait_s = refused(limited.request, user_id).retry_after_s
            assert 1 <= wait_s <= 60
            clock.move(wait_s - 1)
            assert wait_s == 1 or refused(limited.request, user_id).retry_after_s == 1
            clock.move(1)
            limited.request(user_id)


class Ticking(Clock):
    """A clock that goes on by 10 ms whenever it is read."""

    def monotonic(self) -> float:
        self.move(0.01)
        return super().monotonic()


def test_room_that_is_made_while_a_request_is_refused_is_1_s_away() -> None:
    clock = Ticking()
    limited = limits(clock, requests_per_minute_all=1)
    limited.request(ANN)
    clock.move(59.97)
    error = refused(limited.request)
    assert (error.retry_after_s, error.details["limit"]) == (1, "requests_per_minute_all")


# Streams at once


def test_a_user_may_hold_as_many_slots_as_are_set() -> None:
    assert let_in(limits(streams=2).slot, [ANN, ANN, ANN, BOB]) == [ANN, ANN, BOB]


def test_all_users_share_the_slots_of_all() -> None:
    assert let_in(limits(streams_all=2).slot, [ANN, BOB, ANN, BOB]) == [ANN, BOB]


async def test_50_parallel_callers_to_10_slots_get_exactly_10() -> None:
    limited = limits(streams=10)

    async def call() -> object:
        await asyncio.sleep(0)
        return limited.slot(ANN)

    results = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(result, TooManyRequests) for result in results) == 40
    assert limited.in_use() == 10


def test_a_slot_that_is_freed_is_there_at_once() -> None:
    limited = limits(streams=1)
    slot = limited.slot(ANN)
    refused(limited.slot)
    slot.free()
    limited.slot(ANN)


def test_a_slot_is_freed_once() -> None:
    limited = limits(streams=2)
    slot, _ = limited.slot(ANN), limited.slot(ANN)
    slot.free()
    slot.free()
    assert limited.in_use(ANN) == 1


def test_1_000_slots_taken_and_freed_twice_leave_none_in_use() -> None:
    limited = limits()
    slots = [limited.slot(number % 7) for number in range(1_000)]
    assert limited.in_use() == 1_000
    for slot in slots:
        slot.free()
        slot.free()
    assert [limited.in_use(who) for who in (None, *range(7))] == [0] * 8


def test_slots_in_use_are_counted_by_user_and_in_all() -> None:
    limited = limits()
    limited.slot(ANN)
    limited.slot(BOB)
    assert [limited.in_use(who) for who in (None, ANN, BOB, 3)] == [2, 1, 1, 0]


def test_a_slot_that_is_refused_is_not_in_use() -> None:
    limited = limits(streams=1, streams_all=2)
    assert let_in(limited.slot, [ANN] * 10 + [BOB]) == [ANN, BOB]
    let_in(limited.slot, [3] * 10)
    assert [limited.in_use(who) for who in (None, ANN, BOB, 3)] == [2, 1, 1, 0]


@pytest.mark.parametrize("setting", ["streams", "streams_all"])
def test_a_slot_that_is_refused_names_its_setting_and_may_be_asked_for_again_in_1_s(setting: str) -> None:
    limited = limits(**{setting: 1})
    limited.slot(ANN)
    error = refused(limited.slot)
    assert error.message.endswith(f"Stop one, or wait until one ends, or have `[limits] {setting}` raised.")
    assert error.retry_after_s == 1


# Tokens a day


def test_a_user_may_go_on_until_the_tokens_of_the_day_are_used_up() -> None:
    limited = limits(tokens_per_day=100)
    limited.spent(ANN, 99)
    limited.check_tokens(ANN)
    limited.spent(ANN, 500)
    refused(limited.check_tokens)
    limited.check_tokens(BOB)


def test_all_users_share_the_tokens_of_all() -> None:
    limited = limits(tokens_per_day_all=100)
    limited.spent(ANN, 60)
    limited.spent(BOB, 40)
    assert let_in(limited.check_tokens, [ANN, BOB, 3]) == []


def test_asking_whether_tokens_are_left_takes_none() -> None:
    limited = limits(tokens_per_day=1)
    assert len(let_in(limited.check_tokens, [ANN] * 100)) == 100


@pytest.mark.parametrize("setting", ["tokens_per_day", "tokens_per_day_all"])
def test_used_up_tokens_come_back_at_midnight_utc(setting: str) -> None:
    clock = Clock()
    clock.seconds = 20_000 * DAY_S - 3_599.5
    limited = limits(clock, **{setting: 10})
    limited.spent(ANN, 10)
    error = refused(limited.check_tokens)
    assert error.retry_after_s == 3_600
    assert error.message.endswith(f"Wait until midnight UTC, in 3600 s, or have `[limits] {setting}` raised.")
    clock.move(3_599)
    assert refused(limited.check_tokens).retry_after_s == 1
    clock.move(0.5)
    limited.check_tokens(ANN)


def test_tokens_of_yesterday_are_not_counted_today() -> None:
    clock = Clock()
    limited = limits(clock, tokens_per_day=10)
    limited.spent(ANN, 9)
    clock.move(DAY_S)
    limited.spent(ANN, 9)
    limited.check_tokens(ANN)


def test_what_was_used_today_is_restored_at_the_start() -> None:
    limited = limits(tokens_per_day=10, tokens_per_day_all=15)
    limited.restore(0, {ANN: 10, BOB: 4})
    assert let_in(limited.check_tokens, [ANN, BOB, 3]) == [BOB, 3]
    limited.spent(BOB, 1)
    assert let_in(limited.check_tokens, [ANN, BOB, 3]) == []


def test_what_is_restored_takes_the_place_of_what_was_counted() -> None:
    limited = limits(tokens_per_day=10, tokens_per_day_all=10)
    limited.spent(ANN, 10)
    limited.restore(0, {BOB: 9})
    limited.check_tokens(ANN)


def test_what_was_used_on_another_day_is_not_restored() -> None:
    clock = Clock()
    limited = limits(clock, tokens_per_day=10)
    clock.move(DAY_S)
    limited.restore(0, {ANN: 10})
    limited.check_tokens(ANN)
    limited.restore(1, {ANN: 10})
    refused(limited.check_tokens)
