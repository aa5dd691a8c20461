"""This module turns rows into records, and says which columns a record is made of."""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Row, Table

from headrace.core.errors import BadField
from headrace.store import schema
from headrace.store.records import Chat, Invitation, Message, Run, Session, Template, Token, User

__all__ = [
    "CHAT",
    "INVITATION",
    "LIMIT_MAX",
    "MESSAGE",
    "RUN",
    "SESSION",
    "TEMPLATE",
    "TOKEN",
    "USER",
    "AnyRow",
    "by_message",
    "checked_limit",
    "first",
    "record",
]

AnyRow = Row[*tuple[Any, ...]]

R = TypeVar("R", bound=msgspec.Struct)

LIMIT_MAX = 200
"""How many items a page of a list may have."""


def _columns(table: Table, kind: type[msgspec.Struct]) -> list[Column[Any]]:
    return [table.c[name] for name in kind.__struct_fields__ if name in table.c]


CHAT = _columns(schema.chats, Chat)
MESSAGE = _columns(schema.messages, Message)
RUN = _columns(schema.runs, Run)
# For SELECT only: in RETURNING, SQLite from 3.38 on may answer IS NOT NULL by another column of the table.
USER: list[ColumnElement[Any]] = [
    *_columns(schema.users, User),
    schema.users.c.passphrase.is_not(None).label("has_passphrase"),
]
TOKEN = _columns(schema.tokens, Token)
SESSION = _columns(schema.sessions, Session)
INVITATION = _columns(schema.invitations, Invitation)
TEMPLATE = _columns(schema.templates, Template)


def record(kind: type[R], row: Iterable[Any], **more: Any) -> R:
    """Return the row as a record of this kind. Its columns are the record's first fields; `more` are the rest."""
    # Of five ways the fastest: 3 us for a message of 15 columns, where the row's own mapping costs 7.
    return kind(**dict(zip(kind.__struct_fields__, row, strict=False)), **more)


def first(row: AnyRow | None, missing: Exception) -> AnyRow:
    """Return the row; raise `missing` where there is none."""
    if row is None:
        raise missing
    return row


def by_message(rows: Iterable[Row[int, str]]) -> dict[int, tuple[str, ...]]:
    """Return the run ids of each message, in the order of the rows (message id, run id)."""
    found: dict[int, tuple[str, ...]] = {}
    for message_id, run_id in rows:
        found[message_id] = (*found.get(message_id, ()), run_id)
    return found


def checked_limit(limit: int) -> int:
    """Return the limit of a list. Raises `BadField` outside 1 to `LIMIT_MAX`."""
    if not 1 <= limit <= LIMIT_MAX:
        raise BadField(f"The limit must be from 1 to {LIMIT_MAX}.", field="limit")
    return limit
