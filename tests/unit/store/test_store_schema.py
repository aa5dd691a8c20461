import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, event

from headrace.core.errors import Conflict
from headrace.core.messages import TextPart
from headrace.core.principal import LOCAL
from headrace.store import migrate, schema, sqlite
from headrace.store.records import ChatChanges, Outcome, TemplateChanges
from headrace.store.revisions import prepare
from headrace.store.store import Store


def migrated(path: Path) -> None:
    with sqlite.migrator(path).begin() as connection:
        migrate.upgrade(connection, "head")


@pytest.mark.parametrize("make", [prepare, migrated])
def test_the_tables_are_those_that_are_described(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "headrace.db")
    with sqlite.reader(tmp_path / "headrace.db").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_a_new_database_is_the_same_as_a_migrated_one(tmp_path: Path) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    prepare(new)
    migrated(old)
    assert shape(new) == shape(old)
    assert first_rows(new) == first_rows(old)


def shape(path: Path) -> dict[str, object]:
    """Return all that SQLite knows of the tables, whatever order it was told in."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        found: dict[str, object] = {
            table: [
                "AUTOINCREMENT" in sql,
                *(
                    sorted(row[1:] for row in connection.execute(f"PRAGMA {what}({table})"))
                    for what in ("table_xinfo", "foreign_key_list")
                ),
            ]
            for table, sql in tables
        }
        for name, unique, origin, partial in connection.execute(
            'SELECT il.name, il."unique", il.origin, il.partial FROM sqlite_master AS m, pragma_index_list(m.name) AS il'
        ).fetchall():
            if origin == "c":
                columns = [row[2:] for row in connection.execute(f"PRAGMA index_info({name})")]
                (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
                found[name] = [unique, partial, columns, sql.rpartition(" WHERE ")[2] if partial else None]
    return found


def first_rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            row
            for statement in (
                "SELECT id, name, role FROM users",
                "SELECT id, owner_id, title, model, system_prompt, parameters, leaf_id, title_folded FROM chats",
                "SELECT name, seq FROM sqlite_sequence ORDER BY name",
                "SELECT version_num FROM alembic_version",
            )
            for row in connection.execute(statement)
        ]


def test_every_row_has_an_owner() -> None:
    for table in schema.metadata.sorted_tables:
        if table not in {schema.users, schema.secrets, schema.invitations}:
            owner = table.c["owner_id" if "owner_id" in table.c else "user_id"]
            assert not owner.nullable
            assert owner.references(schema.users.c.id)


async def test_no_call_goes_through_a_whole_table(tmp_path: Path) -> None:
    with statements() as sent:
        await every_call(tmp_path / "headrace.db")
    with closing(sqlite3.connect(tmp_path / "headrace.db")) as connection:
        plans = {
            statement: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in sent
            if statement.startswith(("SELECT", "WITH", "UPDATE", "DELETE"))
        }
    assert len(plans) > 20
    slow = {
        statement: plan
        for statement, plan in plans.items()
        if any(
            re.match(
                r"SCAN (users|chats|messages|runs|templates|tokens|sessions|invitations|spending|secrets)\b(?!.*ix_runs_unfinished)|.*\(owner_id=\?\)",
                step,
            )
            for step in plan
        )
    }
    assert slow == {}


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Collect what is sent to any database meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def every_call(path: Path) -> None:
    """Make each call of the store once, so that it does something."""
    store = Store(path)
    await store.open()
    await store.users.get(LOCAL)
    turn = await store.turns.begin(LOCAL, 1, parts=(TextPart("Hello"),), run_id="r1", now_ms=1, client_id="c")
    with pytest.raises(Conflict):
        await store.turns.begin(LOCAL, 1, parts=(), run_id="r2", now_ms=1)
    with pytest.raises(Conflict):
        await store.turns.regenerate(LOCAL, turn.assistant_message_id, run_id="r2", now_ms=1)
    await store.runs.unfinished()
    await store.runs.finish("r1", Outcome(status="stopped", parts=(TextPart("Hi"),), ended_at=2))
    await store.turns.resume(LOCAL, turn.assistant_message_id, run_id="r2", now_ms=3)
    await store.runs.finish("r2", Outcome(status="complete", parts=(TextPart("!"),), ended_at=4))
    again = await store.turns.regenerate(LOCAL, turn.assistant_message_id, run_id="r3", now_ms=5)
    await store.runs.get(LOCAL, "r1")
    await store.runs.find_by_client_id(LOCAL, "c")
    await store.runs.list(LOCAL)
    await store.runs.list(LOCAL, statuses=["queued"])
    await store.messages.get(LOCAL, turn.assistant_message_id)
    await store.messages.tree(LOCAL, 1)
    await store.messages.path(LOCAL, turn.assistant_message_id)
    await store.messages.delete(LOCAL, again.assistant_message_id)
    await store.messages.delete(LOCAL, turn.user_message_id or 0)
    chat = await store.chats.create(LOCAL, now_ms=6)
    await store.chats.get(LOCAL, chat.id)
    await store.chats.update(LOCAL, chat.id, ChatChanges(title="Hello"), now_ms=7)
    await store.chats.list(LOCAL)
    await store.chats.list(LOCAL, query="hello")
    await store.chats.delete(LOCAL, chat.id)
    await every_call_of_templates(store)
    await every_call_of_who_may(store)
    await store.close()


async def every_call_of_templates(store: Store) -> None:
    template = await store.templates.create(LOCAL, name="Greet", content="Hello", now_ms=1)
    await store.templates.get(LOCAL, template.id)
    await store.templates.list(LOCAL)
    await store.templates.update(LOCAL, template.id, TemplateChanges(name="Greeting"), now_ms=2)
    await store.templates.delete(LOCAL, template.id)


async def every_call_of_who_may(store: Store) -> None:
    """Make each call that lets somebody in, but for those that list all there is or clean up."""
    await store.secrets.master()
    user = await store.users.add("mary", "admin", 1)
    await store.users.change(user.id, now_ms=2, role="member", disabled=True)
    await store.users.set_passphrase(user.id, "hashed")
    await store.users.passphrase("mary")
    await store.users.spendings(1)
    token = await store.tokens.create(user.id, "laptop", bytes(32), "hr_abcde", None, None, 1)
    await store.tokens.find(bytes(32))
    await store.tokens.states([token.id])
    await store.tokens.used({token.id: 2})
    await store.tokens.revoke(LOCAL, token.id, 3)
    session = await store.sessions.create(user.id, bytes(32), 9, 1)
    await store.sessions.find(bytes(32))
    await store.sessions.states([session.id])
    await store.sessions.end(LOCAL, session.id, 2)
    await store.sessions.end_all(user.id, 3)
    await store.invitations.create(bytes(32), "member", None, None, user.id, 9, 1)
    await store.invitations.take(bytes(32), 2)
