"""This module describes the tables.

The migrations make the same tables, and a test proves it: a change here comes with a revision there. Every row has
its owner, but for what is the server's own: its secrets, and invitations of those who are no users yet. Ids count up and are never reused, and a message's id is greater than its parent's; so the order of ids is
the order of creation, and the newest message below another is the end of a branch.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    insert,
    text,
)

from headrace.core.events import Timings, Usage
from headrace.core.messages import Part
from headrace.core.principal import Scope
from headrace.store.columns import Encoded, Id
from headrace.store.records import Failure, Variable

__all__ = [
    "chats",
    "create",
    "invitations",
    "messages",
    "metadata",
    "runs",
    "secrets",
    "sessions",
    "spending",
    "templates",
    "tokens",
    "users",
]

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _owner() -> Column[int]:
    return Column("owner_id", Id, ForeignKey("users.id"), nullable=False)


users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    # Hashed; None lets nobody in.
    Column("passphrase", Text),
    sqlite_autoincrement=True,
)

chats = Table(
    "chats",
    metadata,
    Column("id", Id, primary_key=True),
    _owner(),
    Column("title", Text),
    Column("model", Text),
    Column("system_prompt", Text),
    Column("parameters", Encoded(dict[str, Any]), nullable=False),
    Column("leaf_id", Id, ForeignKey("messages.id", ondelete="SET NULL", use_alter=True), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("title_folded", Text, nullable=False),
    # What an imported chat is called where it comes from.
    Column("source_id", Text),
    Index(None, "owner_id", "updated_at"),
    Index(
        "ix_chats_source_id",
        "owner_id",
        "source_id",
        unique=True,
        sqlite_where=text("source_id IS NOT NULL"),
        postgresql_where=text("source_id IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True),
    _owner(),
    Column("chat_id", Id, ForeignKey("chats.id", ondelete="CASCADE"), nullable=False, index=True),
    # No cascade: SQLite follows one only 1,000 levels deep. A message and what is below it go in one statement.
    Column("parent_id", Id, ForeignKey("messages.id"), index=True),
    Column("author_id", Id, ForeignKey("users.id")),
    Column("role", Text, nullable=False),
    Column("parts", Encoded(tuple[Part, ...]), nullable=False),
    Column("status", Text, nullable=False),
    Column("model", Text),
    Column("usage", Encoded(Usage)),
    Column("timings", Encoded(Timings)),
    Column("error", Encoded(Failure)),
    Column("finish_reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # The last column: whoever does not search never reads that far.
    Column("text_folded", Text, nullable=False),
    sqlite_autoincrement=True,
)

runs = Table(
    "runs",
    metadata,
    # The order of creation; the id says nothing about it.
    Column("number", Id, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    _owner(),
    # Chat and user's message are no foreign keys, which would cost an index each: both go with the message.
    Column("chat_id", Id),
    Column("message_id", Id, ForeignKey("messages.id", ondelete="CASCADE"), index=True),
    Column("user_message_id", Id),
    Column("status", Text, nullable=False),
    Column("model_requested", Text, nullable=False),
    Column("model", Text),
    Column("parameters", Encoded(dict[str, Any]), nullable=False),
    Column("continues", Boolean, nullable=False),
    Column("usage", Encoded(Usage)),
    Column("timings", Encoded(Timings)),
    Column("error", Encoded(Failure)),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("client_id", Text),
    Column("body_hash", Text),
    UniqueConstraint("owner_id", "client_id"),
    Index(None, "owner_id", "number"),
    # For the start after a crash, among any number of runs that have ended.
    Index(
        "ix_runs_unfinished", "number", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")
    ),
    sqlite_autoincrement=True,
)

# A digest is what a secret is recognised by; the secret itself is kept nowhere.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Id, primary_key=True),
    Column("owner_id", Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("scopes", Encoded(tuple[Scope, ...])),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False, index=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    sqlite_autoincrement=True,
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id")),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text),
    Column("role", Text, nullable=False),
    Column("created_by", Id, ForeignKey("users.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    sqlite_autoincrement=True,
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

spending = Table(
    "spending",
    metadata,
    # Days since the epoch, in UTC.
    Column("day", BigInteger, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("id", Id, primary_key=True),
    _owner(),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("content", Text, nullable=False),
    Column("variables", Encoded(tuple[Variable, ...]), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "owner_id", "id"),
    sqlite_autoincrement=True,
)


def create(connection: Connection, now_ms: int) -> None:
    """Make every table in an empty database, with the user `local` and one empty chat, both of id 1."""
    metadata.create_all(connection, checkfirst=False)
    owner = {"name": "local", "role": "admin", "created_at": now_ms}
    owner_id = connection.execute(insert(users).returning(users.c.id), owner).scalar_one()
    connection.execute(
        insert(chats),
        {
            "owner_id": owner_id,
            "parameters": {},
            "title_folded": "",
            "created_at": now_ms,
            "updated_at": now_ms,
        },
    )
