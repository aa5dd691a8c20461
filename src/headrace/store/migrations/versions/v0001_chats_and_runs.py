"""Users, chats, messages and runs; the user `local` and one empty chat."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_users()
    _create_chats()
    _create_messages()
    _create_runs()
    if op.get_bind().dialect.supports_alter:
        # Chats and messages refer to each other; SQLite was told when the table was made.
        op.create_foreign_key("fk_chats_leaf_id", "chats", "messages", ["leaf_id"], ["id"], ondelete="SET NULL")
    _insert_first_rows()


def _id(name: str, *, nullable: bool = True) -> sa.Column[int]:
    # SQLite's AUTOINCREMENT knows no other word than INTEGER.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _foreign_key(table: str, column: str, target: str, *, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [target], f"fk_{table}_{column}", ondelete=ondelete)


def _create_users() -> None:
    op.create_table(
        "users",
        _id("id", nullable=False),
        _text("name", nullable=False),
        _text("role", nullable=False),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
        sqlite_autoincrement=True,
    )


def _create_chats() -> None:
    op.create_table(
        "chats",
        _id("id", nullable=False),
        _id("owner_id", nullable=False),
        _text("title"),
        _text("model"),
        _text("system_prompt"),
        _text("parameters", nullable=False),
        _id("leaf_id"),
        _time("created_at"),
        _time("updated_at"),
        _text("title_folded", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chats"),
        _foreign_key("chats", "owner_id", "users.id"),
        sa.ForeignKeyConstraint(["leaf_id"], ["messages.id"], "fk_chats_leaf_id", ondelete="SET NULL", use_alter=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chats_owner_id_updated_at", "chats", ["owner_id", "updated_at"])
    op.create_index("ix_chats_leaf_id", "chats", ["leaf_id"])


def _create_messages() -> None:
    op.create_table(
        "messages",
        _id("id", nullable=False),
        _id("owner_id", nullable=False),
        _id("chat_id", nullable=False),
        _id("parent_id"),
        _id("author_id"),
        _text("role", nullable=False),
        _text("parts", nullable=False),
        _text("status", nullable=False),
        _text("model"),
        _text("usage"),
        _text("timings"),
        _text("error"),
        _text("finish_reason"),
        _time("created_at"),
        _time("updated_at"),
        _text("text_folded", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        _foreign_key("messages", "owner_id", "users.id"),
        _foreign_key("messages", "chat_id", "chats.id", ondelete="CASCADE"),
        _foreign_key("messages", "parent_id", "messages.id"),
        _foreign_key("messages", "author_id", "users.id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_chat_id", "messages", ["chat_id"])
    op.create_index("ix_messages_parent_id", "messages", ["parent_id"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        _id("number", nullable=False),
        _text("id", nullable=False),
        _id("owner_id", nullable=False),
        _id("chat_id"),
        _id("message_id"),
        _id("user_message_id"),
        _text("status", nullable=False),
        _text("model_requested", nullable=False),
        _text("model"),
        _text("parameters", nullable=False),
        sa.Column("continues", sa.Boolean(), nullable=False),
        _text("usage"),
        _text("timings"),
        _text("error"),
        _time("created_at"),
        _time("ended_at", nullable=True),
        _text("client_id"),
        _text("body_hash"),
        sa.PrimaryKeyConstraint("number", name="pk_runs"),
        sa.UniqueConstraint("id", name="uq_runs_id"),
        sa.UniqueConstraint("owner_id", "client_id", name="uq_runs_owner_id_client_id"),
        _foreign_key("runs", "owner_id", "users.id"),
        _foreign_key("runs", "message_id", "messages.id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_message_id", "runs", ["message_id"])
    op.create_index("ix_runs_owner_id_number", "runs", ["owner_id", "number"])
    unfinished = sa.text("ended_at IS NULL")
    op.create_index("ix_runs_unfinished", "runs", ["number"], sqlite_where=unfinished, postgresql_where=unfinished)


def _insert_first_rows() -> None:
    now_ms = time.time_ns() // 1_000_000
    op.execute(
        sa.text("INSERT INTO users (name, role, created_at) VALUES ('local', 'admin', :now)").bindparams(now=now_ms)
    )
    op.execute(
        sa.text(
            "INSERT INTO chats (owner_id, parameters, created_at, updated_at, title_folded)"
            " SELECT id, '{}', :now, :now, '' FROM users"
        ).bindparams(now=now_ms)
    )
