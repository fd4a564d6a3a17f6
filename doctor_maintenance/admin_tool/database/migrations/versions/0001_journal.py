# SPDX-License-Identifier: Apache-2.0
"""The first tables: sessions, their events and memos, and the tools that drive them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import MEDIUMTEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    long_text = sa.Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
    journal = op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    op.bulk_insert(journal, [{"id": 1, "opened": 0}])
    op.create_table(
        "tools",
        sa.Column("tool_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tool_id", name="pk_tools"),
    )
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("request", long_text, nullable=False),
        sa.Column("rules", long_text, nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(36), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_sessions"),
        sa.UniqueConstraint("number", name="uq_sessions_number"),
    )
    op.create_table(
        "events",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", long_text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "position", name="pk_events"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.session_id"],
            name="fk_events_session_id",
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "memos",
        sa.Column("session_id", sa.String(36), nullable=False),
        sa.Column("command", sa.String(512), nullable=False),
        sa.Column("memo", long_text, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "command", name="pk_memos"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["sessions.session_id"],
            name="fk_memos_session_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Drop the tables, and with them every session."""
    for name in ("memos", "events", "sessions", "tools", "journal"):
        op.drop_table(name)
