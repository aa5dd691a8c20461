"""Who may: tokens, sessions, invitations, the server's secrets, and what each user has spent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", _time("disabled_at", nullable=True))
    op.add_column("users", sa.Column("passphrase", sa.Text()))
    op.execute("UPDATE users SET role = 'member' WHERE role = 'user'")
    op.execute("UPDATE users SET role = 'admin' WHERE id = 1")
    _create_tokens()
    _create_sessions()
    _create_invitations()
    _create_secrets()
    _create_spending()


def _id(name: str, *, nullable: bool = True) -> sa.Column[int]:
    # SQLite's AUTOINCREMENT knows no other word than INTEGER.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, nullable: bool = True) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _digest() -> sa.Column[bytes]:
    return sa.Column("digest", sa.LargeBinary(), nullable=False)


def _user(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.id"], f"fk_{table}_{column}")


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        _id("id", nullable=False),
        _id("owner_id", nullable=False),
        _digest(),
        _text("name", nullable=False),
        _text("hint", nullable=False),
        _text("scopes"),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _time("last_used_at", nullable=True),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        _user("tokens", "owner_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_tokens_owner_id", "tokens", ["owner_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        _id("id", nullable=False),
        _id("user_id", nullable=False),
        _digest(),
        _time("created_at"),
        _time("expires_at"),
        _time("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
        _user("sessions", "user_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])


def _create_invitations() -> None:
    op.create_table(
        "invitations",
        _id("id", nullable=False),
        _id("user_id"),
        _digest(),
        _text("name"),
        _text("role", nullable=False),
        _id("created_by"),
        _time("created_at"),
        _time("expires_at"),
        _time("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("digest", name="uq_invitations_digest"),
        _user("invitations", "user_id"),
        _user("invitations", "created_by"),
        sqlite_autoincrement=True,
    )


def _create_secrets() -> None:
    op.create_table(
        "secrets",
        _text("name", nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secrets"),
    )


def _create_spending() -> None:
    op.create_table(
        "spending",
        _time("day"),
        _id("user_id", nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "user_id", name="pk_spending"),
        _user("spending", "user_id"),
    )
