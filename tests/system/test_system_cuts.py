import asyncio

import pytest

from system.calls import Caller
from system.readers import CutReader, Dice

pytestmark = pytest.mark.asyncio(loop_scope="session")

FINISHED = 700
"""How many times readers of a finished run are cut, and below: of live runs. Together over 1,000."""
LIVE_RUNS, LIVE_READERS, LIVE_CUTS = 5, 10, 10


async def test_a_finished_run_is_the_same_however_its_readers_are_cut(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")
    whole = await caller.body(turn.run_id)
    dice, cuts = Dice(), 0

    while cuts < FINISHED:
        reader = CutReader(caller, turn.run_id, dice)
        await reader.read(dice.randint(1, 12), dice.choice([3, 200, len(whole) // 4, len(whole)]))

        assert reader.joined == whole, f"dice {dice.number}, cut {cuts}"
        cuts += reader.cuts


async def test_a_run_in_the_making_is_the_same_however_its_readers_are_cut(caller: Caller) -> None:
    dice, cuts = Dice(), 0
    for _ in range(LIVE_RUNS):
        turn = await caller.turn(await caller.chat(), model="script/live-scenic")
        readers = [CutReader(caller, turn.run_id, dice.more()) for _ in range(LIVE_READERS)]

        await asyncio.gather(*(reader.read(LIVE_CUTS, 2000) for reader in readers))

        whole = await caller.body(turn.run_id)
        assert all(reader.joined == whole for reader in readers), f"dice {dice.number}"
        cuts += sum(reader.cuts for reader in readers)
    assert cuts >= LIVE_RUNS * LIVE_READERS * LIVE_CUTS * 0.8, f"the runs ended before they were read: {cuts} cuts"
