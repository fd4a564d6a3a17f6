# SPDX-License-Identifier: Apache-2.0
"""The admin tool as a process of its own."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from openstack.connection import Connection

from doctor_maintenance import observations, serving
from doctor_maintenance.admin_tool.api import Access, TokenCheck
from doctor_maintenance.admin_tool.api.access_middleware import Guard, MiddlewareIdentity
from doctor_maintenance.admin_tool.assembly import (
    AdminTool,
    ToolRules,
    assemble,
    embedded_bus,
    rules_by,
)
from doctor_maintenance.admin_tool.calls import CloudCalls
from doctor_maintenance.admin_tool.engine import Engine
from doctor_maintenance.admin_tool.http_driver import HttpTransport
from doctor_maintenance.admin_tool.journal import Journal, JournalError, MemoryJournal
from doctor_maintenance.admin_tool.notifier import BusDriver, Driver, load_driver
from doctor_maintenance.admin_tool.policy import Policy
from doctor_maintenance.admin_tool.state_dir import JOURNAL_FILE, locked, state_dir, tool_name
from doctor_maintenance.clock import Clock, WallClock
from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.cloud_services import Services
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.lifecycle import serve_until_stopped
from doctor_maintenance.remote import ParamikoRemote
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import ThreadWorkers

LOG = logging.getLogger(__name__)

_IN_MEMORY = "memory"
_GRACE_S = 2.0
"""What the end may take beyond the time that sessions have for theirs."""


def serve(settings: Settings, *, seen: Path | None = None, die_with_parent: bool = False) -> int:
    """Serve until told to stop; running sessions are then canceled or waited for.

    Args:
        settings: the options; groups ``admin_tool``, ``ssh`` and ``cloud`` count.
        seen: the file that what is witnessed is appended to; None: nowhere.
        die_with_parent: end as well when standard input does.

    Returns:
        The exit status.

    Raises:
        PreconditionError: the port is in use, the cloud does not let us in, or a file is missing.
    """
    own = settings.admin_tool
    http = http_session()
    connection = connect_by(settings.cloud, http)
    try:
        admin_project_id = CloudCalls(connection).admin_project_id()
    except CloudError as error:
        raise PreconditionError(
            f"the cloud does not let the admin tool in: {error}; check the operator's credentials"
        ) from error
    with ExitStack() as stack:
        clock = WallClock()
        observe = observations.ignore
        if seen is not None:
            file = observations.ObservationFile(seen, clock, "admin_tool")
            observe = stack.enter_context(file).observe
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, own.workers))
        rules = rules_by(settings, admin_project_id, own.url or "")
        journal = _journal(settings, stack)
        tool = assemble(
            clock=clock,
            workers=workers,
            connection=connection,
            driver=driver_by(settings, connection),
            remote=_remote(settings, workers),
            rules=rules,
            observe=observe,
            journal=journal,
            access=_access(settings, connection, clock),
            http=http,
        )
        if own.authtoken_file is not None:
            guarded = Guard(tool.app.wsgi_app, own.authtoken_file)
            setattr(tool.app, "wsgi_app", guarded)  # noqa: B010 - Flask's way; mypy sees a method
        url = clock.call(lambda: _open_doors(settings, tool, rules, journal, stack))
        return serve_until_stopped(
            url,
            lambda: _end(tool.engine, clock, own.stop_timeout_s),
            die_with_parent=die_with_parent,
        )


def _open_doors(
    settings: Settings, tool: AdminTool, rules: ToolRules, journal: Journal, stack: ExitStack
) -> str:
    """Listen, take up what was left, and return the URL; requests wait until both are done."""
    own = settings.admin_tool
    server = serving.serve(
        tool.app,
        own.bind,
        own.port,
        threads=own.threads,
        max_body_bytes=own.max_body_bytes,
        tls=serving.Tls.from_settings(own.tls_certificate, own.tls_key),
    )
    stack.callback(server.close)
    url = own.url or server.url
    tool.engine.rules = replace(rules.session, base_url=url.rstrip("/"))
    journal.url = own.peer_url or server.url
    try:
        tool.engine.recover()
    except JournalError as error:
        raise PreconditionError(str(error)) from error
    return url


def _journal(settings: Settings, stack: ExitStack) -> Journal:
    """Open the journal that the settings name."""
    url = settings.admin_tool.journal_url
    if url == _IN_MEMORY:
        return MemoryJournal()
    # SQLAlchemy takes 26 MiB, and this module is read by others for the driver alone.
    from doctor_maintenance.admin_tool.database import Database
    from doctor_maintenance.admin_tool.journal_sql import SqlJournal

    folder = state_dir(settings)
    stack.enter_context(locked(folder))
    database = Database(url or f"sqlite:///{folder / JOURNAL_FILE}")
    stack.callback(database.close)
    LOG.info("the journal is %s", database.place)
    return SqlJournal(database, tool_name(folder))


def _end(engine: Engine, clock: WallClock, within_s: float) -> None:
    """Let sessions come to an end, for so long."""
    ended = threading.Event()
    clock.call(lambda: engine.close(within_s, ended.set))
    if not ended.wait(within_s + _GRACE_S):
        LOG.error("sessions did not come to an end within %g s", within_s)


def driver_by(settings: Settings, connection: Connection) -> Driver:
    """Return the notification driver that the settings name; the inspector uses it too."""
    own = settings.admin_tool
    if own.notify_driver == "http":
        url = own.notification_url or embedded_bus(connection)
        transport = HttpTransport(url, connection.session, own.notify_timeout_s)
        return load_driver("http", transport)
    return BusDriver(own.transport_url, settings.oslo)


def _access(settings: Settings, connection: Connection, clock: Clock) -> Access:
    own = settings.admin_tool
    policy = Policy(own.policy_file)
    if own.authtoken_file is not None:
        return Access(MiddlewareIdentity(), policy)
    services = Services(connection)
    return Access(TokenCheck(lambda: services["identity"], clock), policy)


def _remote(settings: Settings, workers: ThreadWorkers) -> ParamikoRemote:
    ssh = settings.ssh
    return ParamikoRemote(
        workers,
        user=ssh.user,
        key_file=ssh.key_file,
        known_hosts=ssh.known_hosts,
        accept_unknown=ssh.accept_unknown,
        connect_timeout_s=ssh.connect_timeout_s,
    )
