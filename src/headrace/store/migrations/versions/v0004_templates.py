"""Templates: named prompts with variables."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "templates",
        _id("id"),
        _id("owner_id"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("variables", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], "fk_templates_owner_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_templates_owner_id_id", "templates", ["owner_id", "id"])


def _id(name: str) -> sa.Column[int]:
    # SQLite's AUTOINCREMENT knows no other word than INTEGER.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)
