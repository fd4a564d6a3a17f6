# SPDX-License-Identifier: Apache-2.0
"""Puts the admin tool together, for a process of its own and for a run in one process alike."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import requests
from openstack.connection import Connection

from doctor_maintenance.admin_tool.actions import Actions
from doctor_maintenance.admin_tool.api import Access, TokenCheck, create_app
from doctor_maintenance.admin_tool.api.peers import Peers
from doctor_maintenance.admin_tool.calls import CloudCalls
from doctor_maintenance.admin_tool.engine import Engine
from doctor_maintenance.admin_tool.host_side import HostSide, HostSideRules
from doctor_maintenance.admin_tool.journal import Journal, MemoryJournal
from doctor_maintenance.admin_tool.leases import DEFAULT_LEASE_S
from doctor_maintenance.admin_tool.memos import JournalMemos
from doctor_maintenance.admin_tool.moves import Mover, Watch
from doctor_maintenance.admin_tool.notifier import Driver, Notifier
from doctor_maintenance.clock import Clock
from doctor_maintenance.cloud_services import Services
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.observations import Observe, ignore
from doctor_maintenance.planning import SessionRules
from doctor_maintenance.protocol import Action
from doctor_maintenance.receiver import DEFAULT_MAX_BODY_BYTES
from doctor_maintenance.remote import Remote
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import Workers

if TYPE_CHECKING:
    from flask import Flask

BUS_PATH = "/bus/notifications"
"""Where the embedded cloud takes notifications."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """How an admin tool works; durations in seconds.

    Attributes:
        session: of new sessions.
        host_side: what is done on a host.
        poll_s: the time between two looks at instances in flight.
        migration_timeout_s: how long one migration may take.
        notify_retries: how often a notification that was not taken is published again.
        max_sessions: how many sessions are kept.
        max_body_bytes: the longest request body that is read.
        lease_s: after how long another admin tool on the journal that is silent is taken for dead.
    """

    session: SessionRules
    host_side: HostSideRules = field(default_factory=HostSideRules)
    poll_s: float = 0.5
    migration_timeout_s: float = 600.0
    notify_retries: int = 9
    max_sessions: int = 1000
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    lease_s: float = DEFAULT_LEASE_S


@dataclass(frozen=True, slots=True)
class AdminTool:
    """An admin tool.

    Attributes:
        engine: its sessions; touched only on its clock.
        app: its API, to be served or mounted.
        notifier: publishes.
    """

    engine: Engine
    app: Flask
    notifier: Notifier


def random_id() -> str:
    """Return a session ID that nobody can guess."""
    return str(uuid.uuid4())


def assemble(
    *,
    clock: Clock,
    workers: Workers,
    connection: Connection,
    driver: Driver,
    remote: Remote,
    rules: ToolRules,
    journal: Journal | None = None,
    observe: Observe = ignore,
    new_id: Callable[[], str] = random_id,
    access: Access | None = None,
    http: requests.Session | None = None,
) -> AdminTool:
    """Return an admin tool; ``engine.recover()`` takes up what the journal has.

    Args:
        clock: its time.
        workers: who does its blocking work.
        connection: to the cloud, as the operator.
        driver: publishes notifications.
        remote: runs commands on hosts.
        rules: how it works.
        journal: where sessions are kept; by default, in memory.
        observe: told of what it does (``session``, ``ssh``) and of what projects read (``readable``).
        new_id: returns a new session ID; random by default.
        access: lets requests in; by default, who has a token of the cloud's, and by the default policy.
        http: carries requests on to other admin tools; by default, one of its own.
    """
    kept = journal if journal is not None else MemoryJournal()
    memos = JournalMemos(kept)
    calls = CloudCalls(connection)
    services = Services(connection)
    notifier = Notifier(clock, workers, driver, retries=rules.notify_retries)
    watch = Watch(clock, workers, calls, rules.poll_s)
    actions = Actions(
        calls=calls,
        notifier=notifier,
        mover=Mover(clock, calls, watch, rules.migration_timeout_s, memos),
        host_side=HostSide(clock, calls, remote, rules.host_side, memos, observe),
    )
    engine = Engine(
        clock=clock,
        workers=workers,
        performer=actions,
        journal=kept,
        rules=rules.session,
        observe=observe,
        max_sessions=rules.max_sessions,
        lease_s=rules.lease_s,
    )
    app = create_app(
        engine,
        clock=clock,
        calls=calls,
        access=access or Access(TokenCheck(lambda: services["identity"], clock)),
        new_id=new_id,
        observe=observe,
        max_body_bytes=rules.max_body_bytes,
        peers=Peers(http if http is not None else requests.Session()),
    )
    return AdminTool(engine, app, notifier)


def rules_by(settings: Settings, admin_project_id: str, base_url: str) -> ToolRules:
    """Return the rules that the settings say.

    Args:
        settings: the options; groups ``admin_tool`` and ``ssh`` count.
        admin_project_id: the operator's own project.
        base_url: of the API, as projects reach it.
    """
    own = settings.admin_tool
    return ToolRules(
        session=SessionRules(
            admin_project_id=admin_project_id,
            base_url=base_url.rstrip("/"),
            reply_wait_s=own.reply_wait_s,
            own_action_wait_s=own.own_action_wait_s,
            drain_timeout_s=own.drain_timeout_s,
            move_attempts=own.migrate_retries + 1,
            move_retry_s=own.move_retry_s,
            refusal_wait_s=own.refusal_wait_s,
            poll_s=own.poll_s,
            settle_s=own.settle_s,
            default_action=Action(own.default_action),
            only_if_agreed=frozenset(own.only_if_agreed),
            test_host=own.test_command is not None,
            max_projects=own.max_projects,
        ),
        host_side=HostSideRules(
            maintenance_commands=own.maintenance_commands,
            test_command=own.test_command,
            reboot_command=own.reboot_command,
            command_timeout_s=own.command_timeout_s,
            host_timeout_s=own.host_timeout_s,
            poll_s=own.poll_s,
            ssh_port=settings.ssh.port,
        ),
        poll_s=own.poll_s,
        migration_timeout_s=own.migration_timeout_s,
        notify_retries=own.notify_retries,
        max_sessions=own.max_sessions,
        max_body_bytes=own.max_body_bytes,
        lease_s=own.lease_s,
    )


def embedded_bus(connection: Connection) -> str:
    """Return where the embedded cloud takes notifications: beside its Keystone.

    Raises:
        PreconditionError: the login has no Keystone of its own; then the URL must be given.
    """
    auth_url = getattr(connection.session.auth, "auth_url", None)
    if not isinstance(auth_url, str):
        raise PreconditionError("where notifications are posted is not known; set notification_url")
    keystone = urlsplit(auth_url)
    return urlunsplit((keystone.scheme, keystone.netloc, BUS_PATH, "", ""))
