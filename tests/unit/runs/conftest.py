from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.engines import Works
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings


@pytest.fixture
async def works(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Works]:
    """An engine that looks at its clock often; at the end nothing of it may be left over."""
    monkeypatch.setattr("headrace.runs.engine.WATCH_EVERY_S", 0.001)
    works = Works()
    works.engine.open()
    yield works
    await works.engine.drain(0)
    await works.engine.close()
    assert list(works.engine.active()) == []
    assert works.upstream.open == 0


@pytest.fixture
async def disk_journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    """A journal on the disk that folds whatever it finds when it is asked to."""
    upkeep = UpkeepSettings(every_s=3600.0, fold_after_s=0.0, fold_entries=1)
    journal = SqliteJournal(tmp_path / "journal.db", upkeep=upkeep)
    await journal.open()
    yield journal
    await journal.close()
