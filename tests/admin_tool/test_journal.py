# SPDX-License-Identifier: Apache-2.0
"""The journal: one test body for memory and for every database that there is; see ``database_url`` in conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command, script
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, insert, inspect, select, text
from sqlalchemy import event as hook

from doctor_maintenance.admin_tool.database import Database
from doctor_maintenance.admin_tool.database.connection import (
    HEAD,
    DatabaseError,
    alembic_config,
)
from doctor_maintenance.admin_tool.database.tables import events, metadata, sessions
from doctor_maintenance.admin_tool.journal import (
    Journal,
    JournalError,
    LeaseLostError,
    Listed,
    MemoryJournal,
    OpenedMeanwhileError,
)
from doctor_maintenance.admin_tool.journal_sql import SqlJournal
from doctor_maintenance.admin_tool.sessions import Sessions
from doctor_maintenance.exceptions import (
    LocalProtocolError,
    NotFoundError,
    PreconditionError,
    UsageError,
)
from doctor_maintenance.planning import SeenInstance, Session, SessionRequest, SessionRules
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import (
    Action,
    MaintenanceType,
    NotificationState,
    Reply,
    SessionState,
    Verdict,
)

RULES = SessionRules(
    admin_project_id="admin", base_url="http://tool", only_if_agreed=frozenset("b")
)
EVENTS: tuple[saw.Event, ...] = (
    saw.Opened(),
    saw.TimerFired("start"),
    saw.ComputeDisabled("s/h/disable", False),
    saw.HostSurveyed("s/h/survey", (SeenInstance("i", "p", "ACTIVE"),), frozenset({"p", "q"})),
    saw.ReplyReceived(
        "p",
        1,
        Reply("s", Verdict.ACK, NotificationState.PLANNED_MAINTENANCE, {"i": Action.MIGRATE}),
    ),
    saw.InstanceMoved("s/h/move/i#1", "i", "häst"),
    saw.CommandFailed("s/h/x", "a 'reason' — with everything: \N{SNOWMAN} \\ %s :name", True),
    saw.OperatorContinued("h"),
)


def request(session_id: str = "s") -> SessionRequest:
    return SessionRequest(
        session_id, ("h",), MaintenanceType.FULL, 1.5, {"h": frozenset({"i"})}, {"why": "disk"}
    )


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


Tool = Callable[..., SqlJournal]


@pytest.fixture
def tool(url: str) -> Iterator[Tool]:
    """Return what starts an admin tool's journal, by name."""
    opened: list[Database] = []

    def start(name: str = "one") -> SqlJournal:
        opened.append(Database(url))
        journal = SqlJournal(opened[-1], name, f"http://{name}")
        journal.begin()
        return journal

    yield start
    for database in opened:
        database.close()


@pytest.fixture(params=["memory", "database"])
def journal(request: pytest.FixtureRequest, tool: Tool) -> Journal:
    return MemoryJournal() if request.param == "memory" else tool()


def listed(journal: Journal, session_id: str = "s") -> Listed:
    found = journal.find(session_id)
    assert found is not None
    return found


def test_a_session_comes_back_as_it_was_stored(journal: Journal) -> None:
    journal.open(request(), RULES, 0)
    for number, event in enumerate(EVENTS):
        journal.append("s", 4102444800.1 + number / 3, event)

    stored = journal.session("s")

    assert stored.request == request()
    assert stored.rules == RULES
    assert tuple(event for _, event in stored.events) == EVENTS
    assert [at for at, _ in stored.events] == [4102444800.1 + n / 3 for n in range(len(EVENTS))]
    assert journal.events("s", 6) == stored.events[6:]


def test_sessions_are_listed_oldest_first(journal: Journal) -> None:
    for number, session_id in enumerate(("z", "a", "m")):
        journal.open(request(session_id), RULES, number)
    journal.append("a", 1.0, saw.Opened())

    catalog = journal.catalog()

    assert catalog.opened == 3
    assert [(item.session_id, item.length) for item in catalog.sessions] == [
        ("z", 0),
        ("a", 1),
        ("m", 0),
    ]


def test_a_memo_is_replaced_and_recalled(journal: Journal) -> None:
    journal.open(request(), RULES, 0)
    assert journal.recall("s", "s/h/work-REBOOT") == {}

    journal.remember("s", "s/h/work-REBOOT", {"boot_id": "one"})
    journal.remember("s", "s/h/work-REBOOT", {"boot_id": "two"})

    assert journal.recall("s", "s/h/work-REBOOT") == {"boot_id": "two"}


def test_what_is_removed_is_gone(journal: Journal) -> None:
    journal.open(request(), RULES, 0)
    journal.append("s", 1.0, saw.Opened())
    journal.remember("s", "s/h/x", {"a": "b"})

    journal.remove("s")

    assert journal.catalog().sessions == ()
    assert journal.events("s") == ()
    assert journal.recall("s", "s/h/x") == {}
    with pytest.raises(NotFoundError):
        journal.session("s")


def test_a_removed_session_does_not_let_two_sessions_be_opened_at_once(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    one.open(request("first"), RULES, 0)
    seen = other.catalog().opened
    one.remove("first")
    one.open(request("second"), RULES, 1)

    with pytest.raises(OpenedMeanwhileError):
        other.open(request("third"), RULES, seen)

    assert [item.session_id for item in other.catalog().sessions] == ["second"]


def test_a_long_event_is_kept_whole(tool: Tool) -> None:
    journal = tool()
    journal.open(request(), RULES, 0)
    many = tuple(SeenInstance(f"{n:036d}", "p" * 36, "ACTIVE") for n in range(2000))
    journal.append("s", 1.0, saw.HostSurveyed("k", many, frozenset()))

    ((_, event),) = journal.events("s")

    assert isinstance(event, saw.HostSurveyed)
    assert event.instances == many


def test_what_was_stored_is_there_after_a_restart(tool: Tool) -> None:
    journal = tool("one")
    journal.open(request(), RULES, 0)
    journal.append("s", 2.0, saw.Opened())

    again = tool("one")

    assert again.events("s") == ((2.0, saw.Opened()),)
    assert listed(again).holder is None


def test_a_former_process_of_the_same_tool_writes_no_more(tool: Tool) -> None:
    former = tool("one")
    former.open(request(), RULES, 0)
    latter = tool("one")
    assert latter.claim(listed(latter))

    with pytest.raises(LeaseLostError):
        former.append("s", 1.0, saw.Opened())
    latter.append("s", 2.0, saw.Opened())

    assert latter.events("s") == ((2.0, saw.Opened()),)


def test_only_the_holder_writes(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    one.open(request(), RULES, 0)

    assert listed(other).url == "http://one"
    assert not other.claim(listed(other))
    for write in (
        lambda: other.append("s", 1.0, saw.Opened()),
        lambda: other.remember("s", "k", {}),
        lambda: other.remove("s"),
    ):
        with pytest.raises(LeaseLostError):
            write()
    assert listed(one).length == 0


def test_a_tool_that_was_buried_alive_stores_nothing_and_begins_anew(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    one.open(request(), RULES, 0)
    ((one_id, beat),) = other.beats().items()

    assert other.bury(one_id, beat)
    with pytest.raises(LeaseLostError):
        one.append("s", 1.0, saw.Opened())
    with pytest.raises(LeaseLostError):
        one.remember("s", "k", {"a": "b"})
    assert other.claim(listed(other))
    one.beat()

    assert list(other.beats()) == [one_id]
    assert not one.claim(listed(one))
    assert listed(one).holder is not None


def test_a_tool_that_shows_its_beat_is_not_buried(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    ((one_id, beat),) = other.beats().items()
    one.beat()

    assert not other.bury(one_id, beat)
    assert other.beats() == {one_id: beat + 1}


def test_two_tools_that_claim_at_once_do_not_both_get_it(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    one.open(request(), RULES, 0)
    one.free("s")
    seen_by_one, seen_by_other = listed(one), listed(other)

    assert one.claim(seen_by_one)
    assert not other.claim(seen_by_other)


def test_a_tool_that_is_held_up_within_a_write_stops_nobody_for_long(url: str, tool: Tool) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite's lock is the process's, for as long as it is there")
    journal = tool()
    journal.open(request(), RULES, 0)
    held_up = Database(url)

    def write() -> None:
        with held_up.writing("begin, and be held up") as connection:
            connection.execute(sessions.update().values(length=7))
            journal.append("s", 1.0, saw.Opened())
            connection.execute(sessions.update().values(length=8))

    with pytest.raises(DatabaseError):
        write()
    assert journal.events("s") == ((1.0, saw.Opened()),)
    assert listed(journal).length == 1
    held_up.close()


def test_an_end_frees_everything(tool: Tool) -> None:
    one, other = tool("one"), tool("other")
    one.open(request(), RULES, 0)

    one.end()

    assert other.beats() == {}
    assert other.claim(listed(other))


def test_an_event_that_was_stored_behind_our_back_is_not_overwritten(url: str, tool: Tool) -> None:
    journal = tool()
    journal.open(request(), RULES, 0)
    row = {"session_id": "s", "position": 1, "at": 1.0, "event": '{"event":"Opened"}'}
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(events), row)
        connection.execute(sessions.update().values(length=1))

    with pytest.raises(LeaseLostError):
        journal.append("s", 2.0, saw.TimerFired("start"))

    with engine.connect() as connection:
        assert connection.execute(select(events.c.at)).scalars().all() == [1.0]
    engine.dispose()


def test_an_event_of_a_later_release_is_an_error_that_names_it(url: str, tool: Tool) -> None:
    journal = tool()
    journal.open(request(), RULES, 0)
    engine = create_engine(url)
    row = {"session_id": "s", "position": 1, "at": 1.0, "event": '{"event":"Teleported"}'}
    with engine.begin() as connection:
        connection.execute(insert(events), row)
    engine.dispose()

    with pytest.raises(LocalProtocolError, match="Teleported"):
        journal.session("s")


def test_migrations_and_tables_say_the_same(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        config = alembic_config(connection)
        command.upgrade(config, "head")
        connection.commit()
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        opened = connection.execute(text("SELECT id, opened FROM journal")).all()
        heads = script.ScriptDirectory.from_config(config).get_heads()
    engine.dispose()

    assert heads == [HEAD]
    assert [tuple(row) for row in opened] == [(1, 0)]
    Database(url).close()


def test_no_state_is_stored_beside_the_events_that_it_follows_from() -> None:
    columns = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}

    assert columns == {
        "journal": {"id", "opened"},
        "tools": {"tool_id", "name", "url", "beat"},
        "sessions": {"session_id", "number", "request", "rules", "length", "holder", "fence"},
        "events": {"session_id", "position", "at", "event"},
        "memos": {"session_id", "command", "memo"},
    }


def test_a_new_database_is_at_the_newest_migration(url: str) -> None:
    Database(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        config = alembic_config(connection)
        command.upgrade(config, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        command.downgrade(config, "base")
        connection.commit()
        assert inspect(connection).get_table_names() == ["alembic_version"]
    engine.dispose()


def test_an_older_database_is_migrated(url: str) -> None:
    Database(url).close()
    engine = create_engine(url)
    with engine.connect() as connection:
        command.downgrade(alembic_config(connection), "base")
        connection.commit()
    engine.dispose()

    database = Database(url)
    with database.reading("look") as connection:
        assert connection.execute(text("SELECT opened FROM journal")).scalar() == 0
    database.close()


def test_a_database_of_a_later_release_is_refused(url: str) -> None:
    Database(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    engine.dispose()

    with pytest.raises(PreconditionError, match="another release"):
        Database(url)


@pytest.mark.parametrize("bad", ["nonsense", "nosuch://host/name", ""])
def test_a_url_that_is_none_is_a_usage_error(bad: str) -> None:
    with pytest.raises(UsageError, match="journal_url"):
        Database(bad)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.write_text("not a database, but long enough to be read as one" * 100)

    with pytest.raises(PreconditionError, match="not a database"):
        Database(f"sqlite:///{path}")


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(PreconditionError) as caught:
        Database("postgresql+psycopg://user:hunter2@127.0.0.1:1/journal")

    assert "hunter2" not in str(caught.value)


def test_what_was_committed_survives_the_machine(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'deep' / 'journal.sqlite3'}")
    with database.reading("look") as connection:
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    database.close()

    assert found == ["wal", 2, 1]
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


def test_a_database_that_fails_is_said_to_and_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    database = Database(f"sqlite:///{path}")
    journal = SqlJournal(database, "one")
    journal.begin()
    journal.open(request(), RULES, 0)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO elsewhere"))

    with pytest.raises(JournalError, match="store an event"):
        journal.append("s", 1.0, saw.Opened())

    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO events"))
    journal.append("s", 2.0, saw.Opened())
    assert journal.events("s") == ((2.0, saw.Opened()),)
    engine.dispose()
    database.close()


@pytest.mark.parametrize("length", [50, 5000])
def test_storing_an_event_takes_the_same_few_statements_however_long_the_session_is(
    length: int, tmp_path: Path
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'journal.sqlite3'}")
    journal = SqlJournal(database, "one")
    journal.begin()
    journal.open(request(), RULES, 0)
    with database.writing("fill") as connection:
        row = {"session_id": "s", "at": 1.0, "event": '{"event":"Opened"}'}
        connection.execute(insert(events), [{**row, "position": n + 1} for n in range(length)])
        connection.execute(sessions.update().values(length=length))
    assert journal.claim(listed(journal))
    statements: list[str] = []
    hook.listen(
        database._engine, "before_cursor_execute", lambda *words: statements.append(words[2])
    )

    journal.append("s", 2.0, saw.Opened())

    assert [statement.split()[0] for statement in statements] == ["UPDATE", "INSERT"]
    database.close()


def answer(command: do.Answered, present: dict[str, list[SeenInstance]]) -> saw.Event:
    """Do what a command wants in a world where everything succeeds."""
    match command:
        case do.DisableCompute():
            return saw.ComputeDisabled(command.key, False)
        case do.Survey():
            seen = tuple(present[command.host])
            return saw.HostSurveyed(command.key, seen, frozenset())
        case do.MoveInstance():
            present[command.host] = [
                item for item in present[command.host] if item.instance_id != command.instance_id
            ]
            return saw.InstanceMoved(command.key, command.instance_id, "elsewhere")
        case _:
            return saw.Done(command.key)


def test_a_session_of_a_hundred_hosts_is_replayed_from_two_questions(tmp_path: Path) -> None:
    hosts = tuple(f"compute{number}" for number in range(100))
    present = {
        host: [SeenInstance(f"{host}-{item}", "p", "ACTIVE") for item in range(4)] for host in hosts
    }
    database = Database(f"sqlite:///{tmp_path / 'journal.sqlite3'}")
    journal = SqlJournal(database, "one")
    journal.begin()
    session = Session(SessionRequest("s", hosts, MaintenanceType.FULL, 0.0), RULES)
    journal.open(session.request, RULES, 0)
    happened: list[saw.Event] = [saw.Opened()]
    taken = 0
    while happened:
        event = happened.pop(0)
        journal.append("s", float(taken), event)
        taken += 1
        for given in session.handle(event, float(taken)):
            if isinstance(given, do.SetTimer) and not given.name.endswith("/drain"):
                happened.append(saw.TimerFired(given.name))
            elif not isinstance(given, do.SetTimer | do.CancelTimer | do.EndSession):
                happened.append(answer(given, present))
    statements: list[str] = []
    hook.listen(
        database._engine, "before_cursor_execute", lambda *words: statements.append(words[2])
    )

    known = Sessions(journal).replayed("s")

    assert known.over
    assert known.session.state is SessionState.MAINTENANCE_OVER
    assert known.length == taken > 1000
    assert len(statements) == 2
    database.close()
