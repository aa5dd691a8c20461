import asyncio
from pathlib import Path

from fakes.engines import Works, turns
from headrace.chat.turns import Asked, Turns
from headrace.core.messages import Message, TextPart
from headrace.core.principal import LOCAL
from headrace.journal.memory import MemoryJournal
from headrace.models.catalogue import Catalogue
from headrace.store.store import Store

HI = (TextPart("Hi"),)


class SlowJournal(MemoryJournal):
    """A journal whose logs begin once they may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()

    async def claim(self, run_id: str) -> int:
        await self.may.wait()
        return await super().claim(run_id)


async def test_who_asks_the_same_while_it_starts_is_answered_once_there_is_something_to_follow(tmp_path: Path) -> None:
    store, journal = Store(tmp_path / "headrace.db"), SlowJournal()
    await store.open()
    works = Works(journal)
    chat = Turns(store, works.engine, Catalogue(works.watched), works.clock)
    asked = Asked(client_id="0b5f6c39-7a0b-4d2c-8d0f-3a3f6e0f8f10")
    alone = Asked(client_id="0b5f6c39-7a0b-4d2c-8d0f-3a3f6e0f8f11")
    messages = (Message("user", HI),)

    asking = [asyncio.ensure_future(chat.begin(LOCAL, 1, HI, asked)) for _ in range(3)]
    alike = [asyncio.ensure_future(chat.alone(LOCAL, messages, alone)) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in (*asking, *alike))
    journal.may.set()

    begun = [turn.run_id for turn in await asyncio.gather(*asking)]
    begun_alone = [run.id for run in await asyncio.gather(*alike)]
    for run_ids in (begun, begun_alone):
        (run_id,) = set(run_ids)
        assert await journal.read(run_id)
        await works.engine.settled(run_id)
    await store.close()
