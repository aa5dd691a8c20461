"""A process that writes a journal and tells what its readers saw, for tests that watch it or kill it.

    python tests/fakes/journal_writer.py steps PATH SYNC    # one entry after the other; each is told when it is shown
    python tests/fakes/journal_writer.py stream PATH SYNC   # many runs, until killed; every entry shown is told
    python tests/fakes/journal_writer.py full PATH SYNC     # the disk refuses for a while; what came of it is told

It tells on stdout, in lines, each written at once: `shown RUN SEQ ENTRY`, `sealed RUN`.
"""

import asyncio
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from headrace.core.events import Text
from headrace.journal import sqlite
from headrace.journal.files import Sync
from headrace.journal.port import Cursor
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

STEPS = 10
RUNS = 20
BUSY = UpkeepSettings(every_s=0.005, fold_after_s=0.01, fold_entries=50, wal_bytes=100_000)


def tell(*lines: str) -> None:
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


class Teller:
    """A reader that tells what it is shown, as soon as it is."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.cursor: Cursor

    def wake(self) -> None:
        start = self.cursor.position
        if entries := self.cursor.take(1_000):
            tell(*(f"shown {self.run} {seq} {entry.decode()}" for seq, entry in enumerate(entries, start)))


async def follow(journal: SqliteJournal, run: str, start: int = 0) -> None:
    teller = Teller(run)
    teller.cursor = await journal.follow(run, start, teller.wake)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  for what nothing else tells
            await asyncio.sleep(0.001)


async def steps(journal: SqliteJournal) -> None:
    epoch = await journal.claim("a")
    await follow(journal, "a")
    for number in range(STEPS):
        journal.append("a", epoch, [Text(f"a {number}")], 0)
        await until(lambda: journal.committed("a") == number + 1)  # noqa: B023  awaited before it changes


async def stream(journal: SqliteJournal) -> None:
    choose = random.Random()  # noqa: S311  any moment will do
    lengths: dict[str, tuple[int, int]] = {}

    async def begin(run: str, length: int) -> None:
        lengths[run] = (await journal.claim(run), length)
        await follow(journal, run, length)

    for cut in await journal.unsealed():
        await begin(cut.run_id, cut.committed)
    while True:
        while len(lengths) < RUNS:
            await begin(f"{time.time_ns()}", 0)
        for run in choose.sample(list(lengths), 4):
            epoch, length = lengths[run]
            count = choose.randrange(1, 6)
            journal.append(run, epoch, [Text(f"{run} {length + more}") for more in range(count)], 0)
            lengths[run] = (epoch, length + count)
        if choose.random() < 0.05:
            ended, (epoch, _) = lengths.popitem()
            await journal.seal(ended, epoch)
            tell(f"sealed {ended}")
        await asyncio.sleep(0)


async def full(journal: SqliteJournal) -> None:
    sqlite.RETRY_S = 0.005
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    runs = [f"run-{number}" for number in range(5)]
    epochs = {run: await journal.claim(run) for run in runs}
    for run in runs:
        await follow(journal, run)
    length = 0
    for _ in range(3):
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal._files.wal.stat().st_size + 30_000, most))
        while journal.trouble is None:
            for run in runs:
                journal.append(run, epochs[run], [Text(f"{run} {length}"), Text("x" * 1_000)], 0)
            length += 1
            await asyncio.sleep(0.001)
        before = journal.committed(runs[0])
        await asyncio.sleep(0.02)  # some more attempts
        tell(f"trouble {before} {journal.committed(runs[0])} {2 * length} {journal.trouble}")
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        await until(lambda: journal.trouble is None)
    for run in runs:
        await journal.seal(run, epochs[run])
        tell(f"sealed {run}")


async def main(play: str, path: Path, sync: Sync) -> None:
    journal = SqliteJournal(path, sync=sync, upkeep=BUSY if play == "stream" else UpkeepSettings(every_s=3600.0))
    await journal.open()
    await {"steps": steps, "stream": stream, "full": full}[play](journal)
    await journal.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), cast("Sync", sys.argv[3])))
