"""A disk that refuses in the middle of a commit: nothing of it is shown, and nothing is lost or doubled."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import fakes
from fakes.journals import opened
from headrace.core.events import Text
from headrace.formats import native

WRITER = Path(fakes.__path__[0]) / "journal_writer.py"


@pytest.mark.parametrize("sync", ["normal", "full"])
def test_a_disk_that_refuses_for_a_while_costs_nothing_but_time(tmp_path: Path, sync: str) -> None:
    process = subprocess.run(
        [sys.executable, WRITER, "full", tmp_path / "journal.db", sync], check=True, timeout=60, capture_output=True
    )
    lines = process.stdout.splitlines()
    assert process.stderr == b""
    troubles = [line.split(b" ", 4)[1:] for line in lines if line.startswith(b"trouble")]
    assert len(troubles) == 3
    for before, after, appended, why in troubles:
        assert before == after  # nothing is shown meanwhile
        assert int(after) < int(appended)
        assert b"The journal cannot be written" in why

    shown: dict[bytes, list[bytes]] = {}
    for line in lines:
        if line.startswith(b"shown"):
            _, run, seq, each = line.split(b" ", 3)
            assert int(seq) == len(shown.setdefault(run, []))
            shown[run].append(each)

    async def kept() -> dict[bytes, list[bytes]]:
        async with opened("sqlite", tmp_path) as journal:
            return {run: list(await journal.read(run.decode())) for run in shown}

    assert asyncio.run(kept()) == shown
    for run, entries in shown.items():
        texts = [native.encode(Text(f"{run.decode()} {number}"), 0) for number in range(len(entries) // 2)]
        assert entries[::2] == texts
        assert set(entries[1::2]) == {native.encode(Text("x" * 1_000), 0)}
    assert sum(line.startswith(b"sealed") for line in lines) == len(shown) == 5
