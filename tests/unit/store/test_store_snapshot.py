import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headrace.core.ids import new_run_id
from headrace.core.principal import LOCAL
from headrace.store.snapshot import Snapshot
from headrace.store.store import Store


async def test_a_copy_is_the_database_as_it_was_when_it_was_looked_at(tmp_path: Path) -> None:
    store, copied = Store(tmp_path / "headrace.db"), tmp_path / "copy" / "headrace.db"
    copied.parent.mkdir()
    await store.open()
    await store.chats.create(LOCAL, now_ms=1, title="before")
    with Snapshot(tmp_path / "headrace.db") as snapshot:
        for _ in range(50):
            await store.chats.create(LOCAL, now_ms=1, title="after")
        snapshot.copy_to(copied)
    await store.close()
    assert [path.name for path in copied.parent.iterdir()] == ["headrace.db"]
    with closing(sqlite3.connect(copied)) as db:
        assert db.execute("SELECT title FROM chats").fetchall() == [(None,), ("before",)]
    copy = Store(copied)
    await copy.open()
    assert len((await copy.chats.list(LOCAL)).items) == 2
    await copy.close()


async def test_a_snapshot_tells_which_runs_it_does_not_know(tmp_path: Path) -> None:
    store, run_id = Store(tmp_path / "headrace.db"), new_run_id()
    await store.open()
    await store.runs.create(LOCAL, run_id=run_id, now_ms=1)
    with Snapshot(tmp_path / "headrace.db") as snapshot:
        later = new_run_id()
        await store.runs.create(LOCAL, run_id=later, now_ms=1)
        assert snapshot.unknown([run_id, later, "other"]) == [later, "other"]
    await store.close()


def test_there_is_no_snapshot_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Snapshot(tmp_path / "headrace.db")
    (tmp_path / "headrace.db").write_bytes(b"#!/bin/sh\n" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        Snapshot(tmp_path / "headrace.db")
