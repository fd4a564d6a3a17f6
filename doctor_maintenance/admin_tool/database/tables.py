# SPDX-License-Identifier: Apache-2.0
"""The tables, as SQLAlchemy's Core sees them.

Nothing here is derived: what was asked for, what happened since, and who may write. How far a session is
follows from its events, so it stands nowhere and can contradict nothing. Mapped classes were refused:
rows are read once, in order, and never changed.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import MEDIUMTEXT

ID_CHARACTERS = 36
NAME_CHARACTERS = 255
KEY_CHARACTERS = 512
"""A command's key: its session's ID, a host's name, and what is to be done."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

_LONG_TEXT = Text().with_variant(MEDIUMTEXT(), "mysql", "mariadb")
"""JSON as text: a host with hundreds of instances takes more than MariaDB's TEXT has."""

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("opened", BigInteger, nullable=False),
)
"""One row: how many sessions were ever opened. Whoever opens one counts on, so two cannot at once."""

tools = Table(
    "tools",
    metadata,
    Column("tool_id", String(ID_CHARACTERS), primary_key=True),
    Column("name", String(NAME_CHARACTERS), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""The admin tools that drive sessions: each counts its beat while it lives."""

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(ID_CHARACTERS), primary_key=True),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("request", _LONG_TEXT, nullable=False),
    Column("rules", _LONG_TEXT, nullable=False),
    Column("length", Integer, nullable=False),
    Column("holder", String(ID_CHARACTERS), nullable=True),
    Column("fence", BigInteger, nullable=False),
)
"""The sessions. ``length`` is how many events there are, ``holder`` who drives it, and ``fence`` counts how
often that changed; a writer names both, so that whoever missed a change is refused."""

events = Table(
    "events",
    metadata,
    Column(
        "session_id",
        String(ID_CHARACTERS),
        ForeignKey("sessions.session_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("event", _LONG_TEXT, nullable=False),
)
"""What happened, in order from position 1; ``at`` in seconds since the epoch."""

memos = Table(
    "memos",
    metadata,
    Column(
        "session_id",
        String(ID_CHARACTERS),
        ForeignKey("sessions.session_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("command", String(KEY_CHARACTERS), primary_key=True),
    Column("memo", _LONG_TEXT, nullable=False),
)
"""What commands remember over a restart."""
