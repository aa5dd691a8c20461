"""Where an imported chat comes from, so that importing it again does not double it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chats", sa.Column("source_id", sa.Text()))
    imported = sa.text("source_id IS NOT NULL")
    op.create_index(
        "ix_chats_source_id",
        "chats",
        ["owner_id", "source_id"],
        unique=True,
        sqlite_where=imported,
        postgresql_where=imported,
    )
