import sqlite3
from contextlib import closing
from pathlib import Path

from fakes.journals import entry, opened, run_of
from headrace.app.doctor_databases import check_databases
from headrace.app.doctor_findings import Finding
from headrace.journal.segments import encode_segment
from headrace.store.store import Store


async def made(folder: Path) -> None:
    async with opened("sqlite", folder) as journal:
        await run_of(journal, "run_1", 10)


def insert(folder: Path, segment: bytes) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as db, db:
        db.execute("INSERT INTO segments (id, data) VALUES (100, ?)", (segment,))


def journal_of(folder: Path) -> Finding:
    return check_databases(folder)[1]


async def test_databases_that_are_in_use_are_examined_and_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "headrace.db")
    await store.open()
    async with opened("sqlite", tmp_path) as journal:
        await run_of(journal, "run_1", 10)

        findings = check_databases(tmp_path)

        assert await run_of(journal, "run_2", 10) == 1
    await store.close()
    assert [finding.status for finding in findings] == ["ok", "ok"]
    assert "1 of them go on" in findings[1].what


async def test_a_journal_that_a_crash_left_can_be_recovered(tmp_path: Path) -> None:
    await made(tmp_path)
    insert(tmp_path, encode_segment([(1, 10, [entry("more")]), (99, 7, [entry("of a run that was removed")])]))
    assert journal_of(tmp_path).status == "ok"


async def test_a_segment_that_is_torn_is_damage(tmp_path: Path) -> None:
    await made(tmp_path)
    insert(tmp_path, b"1234 torn")
    finding = journal_of(tmp_path)
    assert finding.status == "problem"
    assert "checksum" in finding.what


async def test_entries_that_are_missing_are_damage(tmp_path: Path) -> None:
    await made(tmp_path)
    insert(tmp_path, encode_segment([(1, 25, [entry("after a gap")])]))
    finding = journal_of(tmp_path)
    assert finding.status == "problem"
    assert "entries 10 to 24 of a run are missing" in finding.what


async def test_a_file_of_another_program_is_told_from_damage(tmp_path: Path) -> None:
    for name in ("headrace.db", "journal.db"):
        with closing(sqlite3.connect(tmp_path / name)) as db, db:
            db.execute("CREATE TABLE songs (title TEXT)")
    findings = check_databases(tmp_path)
    assert [finding.status for finding in findings] == ["problem", "problem"]
    assert all("another program" in finding.what for finding in findings)


async def test_an_examination_ends_when_its_time_is_up(tmp_path: Path) -> None:
    await made(tmp_path)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db, db:
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
            "INSERT INTO runs (run_id, epoch, sealed_at) SELECT 'filler' || i, 1, i FROM n"
        )
    finding = check_databases(tmp_path, patience_s=0.0)[1]
    assert finding.status == "warning"
    assert "could not be examined" in finding.what
