"""The process that writes the journal dies at any moment: whatever any reader was shown is still there."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fakes
from fakes.journals import PATIENCE_S, opened
from headrace.core.events import Text
from headrace.formats import native
from headrace.journal.port import Journal

WRITER = Path(fakes.__path__[0]) / "journal_writer.py"
DEATHS = 10


class Told:
    """What the readers of all lives were shown."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[int, bytes]] = {}
        self.sealed: set[str] = set()

    def hear(self, lines: Iterator[bytes]) -> int:
        count = 0
        for line in lines:
            if not line.endswith(b"\n"):
                break  # cut by the death
            kind, run, *rest = line[:-1].split(b" ", 3)
            if kind == b"sealed":
                self.sealed.add(run.decode())
            else:
                self.shown.setdefault(run.decode(), {})[int(rest[0])] = rest[1]
                count += 1
        return count

    async def check(self, journal: Journal) -> None:
        unsealed = {run.run_id for run in await journal.unsealed()}
        assert not unsealed & self.sealed
        for run, shown in self.shown.items():
            kept = await journal.read(run)
            assert list(kept) == [native.encode(Text(f"{run} {number}"), 0) for number in range(len(kept))]
            assert max(shown) < len(kept)
            assert all(kept[seq] == entry for seq, entry in shown.items())


def live_and_die(path: Path, sync: str, told: Path) -> None:
    """Let a process write until some moment after its first entry was shown, and kill it."""
    with told.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, WRITER, "stream", path, sync], stdout=stdout)
        end = time.monotonic() + PATIENCE_S
        while told.stat().st_size == 0 and process.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        time.sleep(random.uniform(0.0, 0.15))  # noqa: S311  any moment will do
        process.kill()
        assert process.wait() == -9


@pytest.mark.crash
@pytest.mark.parametrize("sync", ["normal", "full"])
def test_whatever_was_shown_is_kept_and_no_run_has_a_gap(tmp_path: Path, sync: str) -> None:
    told = Told()

    async def check() -> None:
        async with opened("sqlite", tmp_path) as journal:
            await told.check(journal)

    for death in range(DEATHS):
        words = tmp_path / f"told {death}"
        live_and_die(tmp_path / "journal.db", sync, words)
        with words.open("rb") as lines:
            assert told.hear(iter(lines)) > 0
        asyncio.run(check())
    assert told.sealed
    assert len(told.shown) > 20
