from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from headrace.core.messages import TextPart
from headrace.store.database import Database
from headrace.store.prepared import Prepared
from headrace.store.schema import chats, messages, users

ADD = Prepared(insert(users).returning(users.c.id), "name", "role", "created_at")
NAMES = Prepared(select(users.c.id, users.c.name).where(users.c.id > bindparam("above")).order_by(users.c.id))
RENAME = Prepared(update(users).where(users.c.id == bindparam("user")), "name")
ADD_MESSAGE = Prepared(
    insert(messages), "owner_id", "chat_id", "role", "parts", "status", "created_at", "updated_at", "text_folded"
)
PARTS = Prepared(select(messages.c.parts, messages.c.usage, messages.c.chat_id.label("where_it_is")))


def user(name: str) -> dict[str, object]:
    return {"name": name, "role": "member", "created_at": 1}


@pytest.fixture
async def database(tmp_path: Path) -> Database:
    opened = Database(tmp_path / "headrace.db")
    await opened.open()
    return opened


async def test_rows_come_with_the_columns_names(database: Database) -> None:
    def work(connection: Connection) -> tuple[object, ...]:
        first = ADD.first(connection, user("ann")).id
        ADD.first(connection, user("bo"))
        RENAME.run(connection, {"user": first, "name": "Ann"})
        return (first, [row.name for row in NAMES.all(connection, {"above": 1})], NAMES.first(connection, {"above": 9}))

    assert await database.write(work) == (2, ["Ann", "bo"], None)
    await database.close()


async def test_values_pass_through_the_columns_types_both_ways(database: Database) -> None:
    message = {
        "owner_id": 1,
        "chat_id": 1,
        "role": "user",
        "parts": (TextPart("hi"),),
        "status": "complete",
        "created_at": 1,
        "updated_at": 1,
        "text_folded": "hi",
    }

    def work(connection: Connection) -> Any:
        ADD_MESSAGE.run(connection, message)
        return PARTS.first(connection, {})

    row = await database.write(work)
    assert (row.parts, row.usage, row.where_it_is) == ((TextPart("hi"),), None, 1)
    await database.close()


async def test_a_number_that_no_database_holds_finds_nothing(database: Database) -> None:
    get = Prepared(select(chats.c.id).where(chats.c.id == bindparam("chat", type_=chats.c.id.type)))
    assert await database.read(lambda connection: get.first(connection, {"chat": 2**70})) is None
    await database.close()


async def test_a_missing_value_is_told_by_its_name(database: Database) -> None:
    with pytest.raises(KeyError, match="role"):
        await database.write(lambda connection: ADD.run(connection, {"name": "ann", "created_at": 1}))
    await database.close()
