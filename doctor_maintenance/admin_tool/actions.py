# SPDX-License-Identifier: Apache-2.0
"""Performs the commands of a session: each becomes a flow that ends with the event that answers it.

No command ends without an answer. What cannot be done is a ``CommandFailed`` with the reason, so a session
never waits for something that nobody does any more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from doctor_maintenance.admin_tool.calls import CloudCalls, Server
from doctor_maintenance.admin_tool.host_side import HostSide
from doctor_maintenance.admin_tool.journal import JournalError
from doctor_maintenance.admin_tool.moves import Mover
from doctor_maintenance.admin_tool.notifier import Notifier
from doctor_maintenance.admin_tool.patience import patiently
from doctor_maintenance.exceptions import CloudError, MaintenanceError
from doctor_maintenance.flow import Flow, callback, wait
from doctor_maintenance.planning import SeenInstance
from doctor_maintenance.planning import commands as do
from doctor_maintenance.planning import events as saw

LOG = logging.getLogger(__name__)

_ENABLE_TRIES = 45
"""How often enabling is tried: about 7 minutes long, as a host must not be left disabled lightly."""

_ARRIVAL_POLL_S = 1.0
_ARRIVAL_LOOKS = 60
"""How often it is looked whether what was on its way to a host when it was disabled has arrived."""

_NOT_THERE = frozenset({"DELETED", "SOFT_DELETED"})


@dataclass(frozen=True, slots=True)
class Actions:
    """Whatever a session can ask for.

    Attributes:
        calls: the cloud.
        notifier: the message bus.
        mover: moves instances.
        host_side: works on hosts.
    """

    calls: CloudCalls
    notifier: Notifier
    mover: Mover
    host_side: HostSide

    def perform(self, command: do.Answered) -> Flow[saw.Event]:
        """Perform a command and return the event that answers it."""
        try:
            return (yield from self._perform(command))
        except JournalError:
            raise  # nothing is wrong with the command
        except MaintenanceError as error:
            permanent = isinstance(error, CloudError) and error.permanent
            return saw.CommandFailed(command.key, str(error), permanent)

    def _perform(self, command: do.Answered) -> Flow[saw.Event]:
        match command:
            case do.DisableCompute():
                return (yield from self._disable(command))
            case do.EnableCompute():
                return (yield from self._enable(command))
            case do.Survey():
                return (yield from self._survey(command))
            case do.NotifyProject() | do.NotifyHost():
                return (yield from self._notify(command))
            case do.MoveInstance():
                return (yield from self.mover.move(command))
            case do.Maintain():
                yield from self.host_side.maintain(command)
            case do.RestoreInstances():
                yield from self.host_side.restore(command)
            case _:
                assert_never(command)
        return saw.Done(command.key)

    def _disable(self, command: do.DisableCompute) -> Flow[saw.Event]:
        by_operator = yield from patiently(lambda: self.calls.disable(command.host, command.reason))
        return saw.ComputeDisabled(command.key, by_operator)

    def _enable(self, command: do.EnableCompute) -> Flow[saw.Event]:
        session_id = command.key.partition("/")[0]
        ours = yield from patiently(
            lambda: self.calls.enable(command.host, session_id), _ENABLE_TRIES
        )
        if not ours:
            LOG.warning(
                "session %s: host %s was disabled by somebody else meanwhile; it is left so",
                session_id,
                command.host,
            )
        return saw.Done(command.key)

    def _survey(self, command: do.Survey) -> Flow[saw.Event]:
        """Look who is on a host, when whatever was on its way there has arrived and been built."""
        for _ in range(_ARRIVAL_LOOKS):
            arriving = yield from patiently(lambda: self.calls.arriving(command.host))
            servers = yield from patiently(lambda: self.calls.servers_on(command.host))
            building = [item.instance_id for item in servers if item.status == "BUILD"]
            if not arriving and not building:
                break
            yield from wait(_ARRIVAL_POLL_S)
        else:
            return saw.CommandFailed(
                command.key,
                f"{', '.join([*arriving, *building])} may be on the way to {command.host}, or be built there, for more"
                f" than {_ARRIVAL_LOOKS * _ARRIVAL_POLL_S:g} s; see to the migrations and instances that Nova lists",
            )
        subscribed = yield from patiently(self.calls.subscribed_projects)
        instances = tuple(
            SeenInstance(item.instance_id, item.project_id, _status_at_rest(item))
            for item in sorted(servers, key=lambda item: item.instance_id)
            if item.status not in _NOT_THERE
        )
        return saw.HostSurveyed(command.key, instances, subscribed)

    def _notify(self, command: do.NotifyProject | do.NotifyHost) -> Flow[saw.Event]:
        notification = command.notification
        event_type, payload = notification.event_type.value, notification.to_wire()
        yield from callback(partial(self.notifier.publish, command.key, event_type, payload))
        return saw.Done(command.key)


def _status_at_rest(server: Server) -> str:
    """Return the status; of one that another session moves and that is off, what it will be."""
    return "SHUTOFF" if server.off and server.status != "ACTIVE" else server.status
