import asyncio
import dataclasses
import gc
import threading
import time

import argon2
import pytest
from argon2.profiles import CHEAPEST

from headrace.access.passphrases import PARAMETERS, Passphrases
from headrace.core.errors import Overloaded, ServerError

MEASURABLE = dataclasses.replace(CHEAPEST, time_cost=3, memory_cost=8 * 1024)  # some 10 ms
IMPOSSIBLE = dataclasses.replace(CHEAPEST, memory_cost=2**31)  # 2 TiB


@pytest.fixture
def passphrases() -> Passphrases:
    return Passphrases(CHEAPEST)


async def test_the_passphrase_that_was_hashed_is_right(passphrases: Passphrases) -> None:
    assert await passphrases.verify("correct horse", await passphrases.hash("correct horse"))


async def test_another_passphrase_is_wrong(passphrases: Passphrases) -> None:
    assert not await passphrases.verify("correct horsf", await passphrases.hash("correct horse"))


async def test_every_character_counts(passphrases: Passphrases) -> None:
    assert not await passphrases.verify("a" * 1024, await passphrases.hash("a" * 1023 + "b"))


async def test_the_same_passphrase_has_another_hash_each_time(passphrases: Passphrases) -> None:
    assert await passphrases.hash("correct horse") != await passphrases.hash("correct horse")


async def test_a_hash_is_argon2id_with_its_parameters(passphrases: Passphrases) -> None:
    assert (await passphrases.hash("correct horse")).startswith("$argon2id$v=19$m=8,t=1,p=1$")


async def test_a_hash_of_other_parameters_can_still_be_checked(passphrases: Passphrases) -> None:
    hashed = argon2.PasswordHasher.from_parameters(dataclasses.replace(CHEAPEST, time_cost=2)).hash("correct horse")
    assert await passphrases.verify("correct horse", hashed)


def test_hashes_cost_at_least_what_owasp_asks_for() -> None:
    assert PARAMETERS.type is argon2.Type.ID
    assert (PARAMETERS.memory_cost, PARAMETERS.time_cost) >= (19 * 1024, 2)


@pytest.mark.parametrize("typed", ["cafe\u0301", "caf\u00e9", "\uff43\uff41\uff46\u00e9"])
async def test_a_passphrase_is_the_same_on_every_keyboard(passphrases: Passphrases, typed: str) -> None:
    assert await passphrases.verify(typed, await passphrases.hash("caf\u00e9"))


@pytest.mark.parametrize("text", ["", "\0", "\ud800", "\U0001f30a" * 1_000])
async def test_any_text_can_be_checked(passphrases: Passphrases, text: str) -> None:
    assert await passphrases.verify(text, await passphrases.hash(text))


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
async def test_no_passphrase_is_right_where_there_is_none(passphrases: Passphrases, passphrase: str) -> None:
    assert not await passphrases.verify(passphrase, None)


async def test_a_user_who_is_not_there_costs_as_much_as_a_wrong_passphrase() -> None:
    passphrases = Passphrases(MEASURABLE)
    hashed = await passphrases.hash("correct horse")

    async def cpu_s(stored: str | None) -> float:
        before = time.process_time()  # what other processes do does not count
        await passphrases.verify("wrong", stored)
        return time.process_time() - before

    wrong = min([await cpu_s(hashed) for _ in range(5)])
    nobody = min([await cpu_s(None) for _ in range(5)])
    assert 0.5 < nobody / wrong < 2


async def test_the_loop_goes_on_meanwhile(passphrases: Passphrases) -> None:
    hashing = asyncio.ensure_future(passphrases.hash("correct horse"))
    await asyncio.sleep(0)  # the task takes its first step; on the loop, this would be its last
    assert not hashing.done()
    await hashing


async def test_at_most_two_are_worked_on_at_once() -> None:
    before = set(threading.enumerate())
    passphrases = Passphrases(CHEAPEST)
    await asyncio.gather(*(passphrases.hash("correct horse") for _ in range(20)))
    assert len(set(threading.enumerate()) - before) <= 2


async def test_callers_who_leave_make_no_room_for_a_third() -> None:
    before = set(threading.enumerate())
    passphrases = Passphrases(MEASURABLE)
    left = [asyncio.ensure_future(passphrases.hash("correct horse")) for _ in range(10)]
    await asyncio.sleep(0)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await passphrases.hash("correct horse")
    assert len(set(threading.enumerate()) - before) <= 2


async def test_the_threads_end_with_the_object() -> None:
    before = set(threading.enumerate())
    passphrases = Passphrases(CHEAPEST)
    await passphrases.hash("correct horse")
    threads = set(threading.enumerate()) - before
    del passphrases
    gc.collect()
    for thread in threads:
        thread.join(10)
    assert [thread.is_alive() for thread in threads] == [False]


async def test_the_65th_is_refused_until_there_is_room(passphrases: Passphrases) -> None:
    results = await asyncio.gather(*(passphrases.verify("wrong", None) for _ in range(65)), return_exceptions=True)
    assert [type(result) for result in results] == [bool] * 64 + [Overloaded]
    assert not await passphrases.verify("wrong", None)


async def test_a_damaged_hash_is_an_error_of_the_server(passphrases: Passphrases) -> None:
    for damaged in ("", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "$argon2id$é"):
        with pytest.raises(ServerError, match="could not be checked"):
            await passphrases.verify("correct horse", damaged)


async def test_too_little_memory_is_an_error_of_the_server() -> None:
    with pytest.raises(ServerError, match="could not be hashed"):
        await Passphrases(IMPOSSIBLE).hash("correct horse")
