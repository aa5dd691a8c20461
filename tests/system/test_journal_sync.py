"""`full` means that the disk has it before a reader does: what the process asks of the kernel, in order."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fakes

WRITER = Path(fakes.__path__[0]) / "journal_writer.py"
CALLS = "fdatasync,fsync,write,writev,pwrite64,pwritev"
STEPS = 10

strace = shutil.which("strace")


def calls_of(folder: Path, sync: str) -> list[str]:
    """Return what the writer did, in the order in which the calls were done: `wal`, `sync`, `shown SEQ`."""
    trace = folder / "trace"
    command: list[str | Path] = [strace or "", "-f", "-y", "-s", "64", "-e", f"trace={CALLS}", "-o", trace]
    subprocess.run([*command, sys.executable, WRITER, "steps", folder / "journal.db", sync], check=True, timeout=60)
    begun: dict[str, str] = {}
    calls: list[str] = []
    for line in trace.read_text(errors="replace").splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            begun[thread] = call
            continue
        if call.startswith("<... "):
            call = begun.pop(thread) + call
        if shown := re.match(r'write\(1<.*"shown a (\d+) ', call):
            calls.append(f"shown {shown[1]}")
        elif re.match(r"pwrite64\(\d+<.*journal\.db-wal>", call):
            calls.append("wal")
        elif re.match(r"(fdatasync|fsync)\(\d+<.*journal\.db-wal>.*= 0", call):
            calls.append("sync")
    return calls


def before_each_showing(calls: list[str]) -> list[list[str]]:
    """Return what was done since the showing before, for each showing."""
    ends = [at for at, call in enumerate(calls) if call.startswith("shown")]
    assert [calls[end] for end in ends] == [f"shown {seq}" for seq in range(STEPS)]
    return [calls[start:end] for start, end in zip([0, *(end + 1 for end in ends)], ends, strict=False)]


@pytest.mark.skipif(strace is None, reason="strace is not installed")
def test_full_syncs_the_write_ahead_log_before_each_entry_is_shown(tmp_path: Path) -> None:
    for done in before_each_showing(calls_of(tmp_path, "full")):
        assert "wal" in done
        assert done[-1] == "sync", "the last thing before a reader hears of it"


@pytest.mark.skipif(strace is None, reason="strace is not installed")
def test_normal_writes_before_each_entry_is_shown_and_leaves_the_rest_to_the_kernel(tmp_path: Path) -> None:
    showings = before_each_showing(calls_of(tmp_path, "normal"))
    assert all("wal" in done for done in showings)
    assert not any("sync" in done for done in showings[1:])
