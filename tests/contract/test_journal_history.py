"""Writers and readers at once, and a check of what everybody saw: the only truth is the order of the appends."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.journals import KINDS, Reader, append, entry, opened
from headrace.journal import files
from headrace.journal.port import Journal
from headrace.journal.upkeep import UpkeepSettings

RESTLESS = UpkeepSettings(every_s=0.001, fold_after_s=0.002, fold_entries=20, wal_bytes=40_000)
"""Folding, clearing and checkpoints all the time."""

RUNS = 12
ENTRIES = 150


class History:
    """What was appended to each run, and what was acknowledged: shown to anybody."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  a schedule that can be repeated, not a secret
        self.appended: dict[str, list[bytes]] = {f"run {number}": [] for number in range(RUNS)}
        self.shown = dict.fromkeys(self.appended, 0)

    def check(self, run: str, start: int, seen: list[bytes]) -> None:
        assert seen == self.appended[run][start : start + len(seen)]
        if seen:
            self.shown[run] = max(self.shown[run], start + len(seen))

    async def write(self, journal: Journal, run: str) -> None:
        epoch = await journal.claim(run)
        while len(self.appended[run]) < ENTRIES:
            for _ in range(self.random.randrange(4)):
                delta = f"{run} {len(self.appended[run])}"
                self.appended[run].append(entry(delta))
                append(journal, run, epoch, delta)
            if self.random.random() < 0.02:
                epoch = await journal.claim(run)
            await asyncio.sleep(self.random.choice([0, 0, 0, 0.001]))
        await journal.seal(run, epoch)

    async def follow(self, journal: Journal, run: str) -> None:
        """Read to the end, leaving and coming back on the way, sometimes from an earlier place."""
        start = 0
        while True:
            reader = await Reader.of(journal, run, start)
            assert await reader.until(self.random.randrange(1, 60)) is reader.seen
            reader.cursor.close()
            self.check(run, start, reader.seen)
            if reader.cursor.ended():
                return
            start = self.random.randrange(start + len(reader.seen) + 1)

    async def look(self, journal: Journal, run: str) -> None:
        """What was shown to anybody is there for everybody, now and later."""
        promised, start = self.shown[run], self.random.randrange(ENTRIES)
        found = list(await journal.read(run, start))
        self.check(run, start, found)
        assert start + len(found) >= promised


@pytest.fixture(params=KINDS)
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Journal]:
    monkeypatch.setattr(files, "CHUNK_ENTRIES", 16)
    async with opened(request.param, tmp_path, RESTLESS) as opened_journal:
        yield opened_journal


@pytest.mark.parametrize("seed", range(3))
async def test_every_reader_sees_what_was_appended_in_order_without_gap_or_double(journal: Journal, seed: int) -> None:
    history = History(seed)

    async def look_around() -> None:
        while True:
            await asyncio.sleep(0.001)
            await history.look(journal, history.random.choice(known))

    writers = [asyncio.ensure_future(history.write(journal, run)) for run in history.appended]
    known = list(history.appended)
    await asyncio.sleep(0)  # every run is claimed
    looking = asyncio.ensure_future(look_around())
    async with asyncio.timeout(60):
        readers = [history.follow(journal, run) for run in known for _ in range(3)]
        await asyncio.gather(*writers, *readers)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert looking.cancelled()
    for run in known:
        history.check(run, 0, list(await journal.read(run)))
        assert history.shown[run] == len(history.appended[run])
    assert await journal.unsealed() == []
