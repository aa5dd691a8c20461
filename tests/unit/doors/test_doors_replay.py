"""A paced cursor over a real journal."""

import asyncio

from headrace.core.events import Text
from headrace.doors.replay import PacedCursor
from headrace.formats import native
from headrace.journal.memory import MemoryJournal

LIMIT = 512


class Player:
    """Takes whatever is due, whenever it is woken."""

    def __init__(self) -> None:
        self.cursor: PacedCursor | None = None
        self.entries: list[bytes] = []
        self.wanted = 0
        self.all = asyncio.Event()

    def wake(self) -> None:
        if self.cursor is not None:
            self.entries.extend(self.cursor.take(LIMIT) or ())
            if len(self.entries) == self.wanted:
                self.all.set()


async def test_what_was_made_while_an_entry_was_held_back_comes_after_it() -> None:
    journal, player = MemoryJournal(), Player()
    epoch = await journal.claim("run")
    player.cursor = PacedCursor(await journal.follow("run", 0, player.wake), 1.0, player.wake)
    player.wanted = 3
    for t in (0, 30, 31):
        journal.append("run", epoch, [Text(str(t))], t)
        await asyncio.sleep(0)  # the commit's turn of the loop
    async with asyncio.timeout(5):
        await player.all.wait()
    assert [native.time_of(entry) for entry in player.entries] == [0, 30, 31]
    player.cursor.close()
    await journal.close()
