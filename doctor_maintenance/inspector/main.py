# SPDX-License-Identifier: Apache-2.0
"""The inspector as a process of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from openstack.connection import Connection

from doctor_maintenance import observations, serving
from doctor_maintenance.clock import Clock, WallClock
from doctor_maintenance.cloud import connect_by, http_session
from doctor_maintenance.exceptions import CloudError, PreconditionError
from doctor_maintenance.inspector.actions import OperatorCloud
from doctor_maintenance.inspector.api import create_app
from doctor_maintenance.inspector.inspector import Inspector, Publish
from doctor_maintenance.lifecycle import serve_until_stopped
from doctor_maintenance.settings import Settings
from doctor_maintenance.workers import ThreadWorkers, Workers

LOG = logging.getLogger(__name__)

MakePublish = Callable[[Clock, Workers, Connection], Publish]
"""Returns what publishes notifications with an operator's connection."""


def serve(
    settings: Settings,
    make_publish: MakePublish,
    *,
    seen: Path | None = None,
    die_with_parent: bool = False,
) -> int:
    """Serve until told to stop.

    Args:
        settings: the options; groups ``inspector`` and ``cloud`` count.
        make_publish: how projects are told of their instances.
        seen: the file that what is witnessed is appended to; None: nowhere.
        die_with_parent: end as well when standard input does.

    Returns:
        The exit status.

    Raises:
        PreconditionError: the port is in use, or the cloud does not let us in as an operator.
    """
    own = settings.inspector
    connection = connect_by(settings.cloud, http_session())
    cloud = OperatorCloud(connection)
    try:
        disabled = cloud.disabled_hosts()
    except CloudError as error:
        raise PreconditionError(
            f"the cloud does not let the inspector in: {error}; check the operator's credentials"
        ) from error
    with ExitStack() as stack:
        clock = WallClock()
        observe = observations.ignore
        if seen is not None:
            observe = stack.enter_context(
                observations.ObservationFile(seen, clock, "inspector")
            ).observe
        clock.start()
        stack.callback(clock.stop)
        workers = stack.enter_context(ThreadWorkers(clock, own.workers))
        inspector = Inspector(
            clock,
            workers,
            cloud,
            make_publish(clock, workers, connection),
            observe=observe,
        )
        stack.callback(lambda: clock.call(inspector.close))
        clock.call(lambda: inspector.found(disabled))
        if own.secret is None:
            LOG.warning(
                "the alarm URL has no secret word, so anybody may post to it; set inspector.secret"
            )
        server = serving.serve(
            create_app(inspector, clock, secret=own.secret, max_body_bytes=own.max_body_bytes),
            own.bind,
            own.port,
            threads=own.threads,
            max_body_bytes=own.max_body_bytes,
            tls=serving.Tls.from_settings(own.tls_certificate, own.tls_key),
        )
        return serve_until_stopped(
            own.url or server.url, server.close, die_with_parent=die_with_parent
        )
