# SPDX-License-Identifier: Apache-2.0
"""The connection to the database, and its errors in our own words.

What was committed must survive the machine, not only the process: SQLite runs with a write-ahead log and
``synchronous=FULL``, servers are left as their administrators configured them. Tables are brought up to
date when it is opened, under a lock, because two admin tools may be started at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from doctor_maintenance.admin_tool.database.tables import journal, metadata
from doctor_maintenance.exceptions import MaintenanceError, PreconditionError, UsageError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The newest migration; a test compares it with alembic's own opinion."""

_BUSY_MS = 5_000
_IDLE_S = 5
"""How long a server lets a transaction of ours lie idle, in seconds; it waits for nothing but our next statement."""
_LOCK_NUMBER = 0x646D_6A6C
_LOCK_S = 60
_MIGRATIONS = "doctor_maintenance.admin_tool.database:migrations"

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)
"""Alembic's own table."""


class DatabaseError(MaintenanceError):
    """The database did not do what it was asked for; whether it had an effect may be unknown."""


class Database:
    """An open database with the tables of this release.

    Args:
        url: SQLAlchemy's: ``sqlite:////var/lib/…/journal.sqlite3``, ``postgresql+psycopg://…``,
            ``mysql+pymysql://…``.

    Raises:
        UsageError: the URL cannot be read.
        PreconditionError: the database is not there, its driver is not installed, or a newer release has
            written it.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            with self._engine.connect() as connection:
                if _revision(connection) != HEAD:
                    _bring_up_to_date(connection)
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise PreconditionError(
                f"the journal's database {self.place} cannot be used: {_short(error)}"
            ) from error

    @property
    def place(self) -> str:
        """Where it is, without the password."""
        return str(self._engine.url.render_as_string(hide_password=True))

    @contextmanager
    def reading(self, what: str) -> Iterator[Connection]:
        """Look into the database.

        Args:
            what: what for, for the error.

        Raises:
            DatabaseError: it does not answer.
        """
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(f"{what}: the database fails: {_short(error)}") from error

    @contextmanager
    def writing(self, what: str) -> Iterator[Connection]:
        """Change the database: all of it or nothing, and stored when the block is over.

        Args:
            what: what for, for the error.

        Raises:
            DatabaseError: it fails; what was to be stored may be stored all the same.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise DatabaseError(f"{what}: the database fails: {_short(error)}") from error

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()


def _engine(text_url: str) -> Engine:
    try:
        url = make_url(text_url)
        if url.get_backend_name() == "sqlite":
            return _sqlite(url)
        engine = create_engine(url, pool_pre_ping=True, pool_recycle=3600)
        event.listen(engine, "connect", partial(_limit_idling, engine))
        return engine
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(f"admin_tool.journal_url is no URL of a database: {error}") from error
    except ModuleNotFoundError as error:
        raise PreconditionError(
            f"the driver of the journal's database is not installed: {error}; install this project with "
            "[postgresql] or [mysql]"
        ) from error


def _limit_idling(engine: Engine, connection: Any, _: Any) -> None:
    """Let the server end what a process began to write that was held up: others wait for its locks.

    MySQL has no such limit; there a transaction ends with its connection.
    """
    if engine.dialect.name == "postgresql":
        statement = f"SET idle_in_transaction_session_timeout = {_IDLE_S * 1000}"
    elif getattr(engine.dialect, "is_mariadb", False):
        statement = f"SET SESSION idle_write_transaction_timeout = {_IDLE_S}"
    else:
        return
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
    connection.commit()


def _sqlite(url: URL) -> Engine:
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if url.database in (None, "", ":memory:"):
        options["poolclass"] = StaticPool
    else:
        folder = Path(str(url.database)).parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise PreconditionError(f"the journal's folder cannot be made: {error}") from error
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _: Any) -> None:
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _revision(connection: Connection) -> str | None:
    """Return which migration the tables are at; None if there are none.

    Alembic would tell as well, but it takes half a second and 12 MiB, and most starts need nothing else of
    it.
    """
    found = None
    if inspect(connection).has_table(_VERSION.name):
        found = connection.execute(select(_VERSION.c.version_num)).scalar()
    connection.rollback()
    return None if found is None else str(found)


def _bring_up_to_date(connection: Connection) -> None:
    with _alone(connection):
        if inspect(connection).has_table(_VERSION.name):
            _migrate(connection)
        else:
            _create(connection)
        connection.commit()


def _create(connection: Connection) -> None:
    """Make the tables of this release at once; a test holds them against what the migrations make."""
    metadata.create_all(connection)
    _VERSION.create(connection)
    connection.execute(insert(journal), {"id": 1, "opened": 0})
    connection.execute(insert(_VERSION), {"version_num": HEAD})


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise PreconditionError(
            f"the journal was written by another release of this project: {error}; use that release, or "
            "another database"
        ) from error


def alembic_config(connection: Connection) -> Config:
    """Return alembic's configuration: our migrations, on a connection that we have."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    return config


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Let nobody else migrate meanwhile."""
    kind = connection.dialect.name
    if kind == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
    elif kind == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})
        yield
    else:
        name = {"name": "doctor_maintenance_journal", "wait_s": _LOCK_S}
        connection.execute(text("SELECT GET_LOCK(:name, :wait_s)"), name)
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)


def _short(error: SQLAlchemyError) -> str:
    """Return an error without the statement: its parameters are what sessions are about."""
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().replace("\n", " ")[:300]
