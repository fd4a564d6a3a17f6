# SPDX-License-Identifier: Apache-2.0
"""The app manager as a process of its own."""

from __future__ import annotations

import base64
import itertools
import logging
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from doctor_maintenance import observations, serving
from doctor_maintenance.clock import WallClock
from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.exceptions import CloudError, PreconditionError, UsageError
from doctor_maintenance.lifecycle import serve_until_stopped
from doctor_maintenance.probe import ask_once
from doctor_maintenance.protocol import Action
from doctor_maintenance.settings import AppManagerSettings, ProbeSettings, Settings
from doctor_maintenance.workers import ThreadWorkers
from sample_app_manager import strategies
from sample_app_manager.actions import ProjectCloud
from sample_app_manager.api import create_app
from sample_app_manager.manager import Manager
from sample_app_manager.peer import AdminTool
from sample_app_manager.policy import Rules
from sample_app_manager.seams import Ask, Waits
from sample_app_manager.store import FileStore, NoStore, Store

LOG = logging.getLogger(__name__)

_ASK_TIMEOUT_S = 0.5
"""How long one question may take; the next one may be answered by the other side."""


def serve(settings: Settings, *, seen: Path | None = None, die_with_parent: bool = False) -> int:
    """Serve until told to stop.

    Args:
        settings: the options; groups ``app_manager``, ``probe`` and ``cloud`` count.
        seen: the file that what is witnessed is appended to; None: nowhere.
        die_with_parent: end as well when standard input does.

    Returns:
        The exit status.

    Raises:
        UsageError: the strategy or the user data file does not exist.
        PreconditionError: the port is in use, or the cloud does not let us in.
    """
    own = settings.app_manager
    strategy = strategies.find(own.strategy)
    http = http_session()
    cloud = ProjectCloud(connect_by(settings.cloud, http), _user_data(own.user_data_file))
    try:
        project_id = cloud.project_id()
    except CloudError as error:
        raise PreconditionError(
            f"the cloud does not let the app manager in: {error}; check the project's credentials"
        ) from error
    with ExitStack() as stack:
        clock = WallClock()
        observe = observations.ignore
        if seen is not None:
            source = f"app_manager:{project_id}"
            observe = stack.enter_context(observations.ObservationFile(seen, clock, source)).observe
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, own.workers))
        manager = Manager(
            clock,
            workers,
            cloud,
            AdminTool(http, cloud.token, own.request_timeout_s, own.admin_tool_url),
            project_id=project_id,
            strategy=strategy,
            strategy_name=own.strategy,
            rules=rules_of(own),
            ask=None if own.ask == "neutron" else live_ask(settings.probe),
            waits=waits_of(own),
            observe=observe,
            store=_store(own, stack),
        )
        stack.callback(lambda: clock.call(manager.close))
        if own.secret is None:
            LOG.warning(
                "the alarm URL has no secret word, so anybody may post to it; set app_manager.secret"
            )
        server = serving.serve(
            create_app(manager, clock, secret=own.secret, max_body_bytes=own.max_body_bytes),
            own.bind,
            own.port,
            threads=own.threads,
            max_body_bytes=own.max_body_bytes,
            tls=serving.Tls.from_settings(own.tls_certificate, own.tls_key),
        )
        clock.call(manager.resume)
        return serve_until_stopped(
            own.url or server.url, server.close, die_with_parent=die_with_parent
        )


def rules_of(own: AppManagerSettings) -> Rules:
    """Return what the settings say that the application wants."""
    return Rules(
        action=Action(own.action),
        single_action=None if own.single_action is None else Action(own.single_action),
        refuse=own.policy == "refuse",
        silent=own.policy == "silent",
    )


def waits_of(own: AppManagerSettings) -> Waits:
    """Return the limits that the settings set."""
    return Waits(
        switch_over_s=own.switch_over_timeout_s,
        poll_s=own.poll_s,
        reply_retries=own.reply_retries,
        look_s=own.look_s,
    )


def _store(own: AppManagerSettings, stack: ExitStack) -> Store:
    """Return what is written into, if anything."""
    if own.state_file is None:
        return NoStore()
    store = FileStore(Path(own.state_file))
    stack.callback(store.close)
    return store


def live_ask(probe: ProbeSettings) -> Ask:
    """Return a function that asks the service over the network, as the probe does."""
    kind = socket.SOCK_DGRAM if probe.protocol == "udp" else socket.SOCK_STREAM
    numbers = itertools.count()
    nonce = f"app-manager-{secrets.token_hex(8)}"

    def ask(address: str) -> str | None:
        found = ask_once((address, probe.port), kind, next(numbers), nonce, _ASK_TIMEOUT_S)
        return None if found is None else found.who

    return ask


def _user_data(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return base64.b64encode(Path(path).read_bytes()).decode("ascii")
    except OSError as error:
        raise UsageError(f"the user data file {path} cannot be read: {error}") from error
