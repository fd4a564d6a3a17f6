# SPDX-License-Identifier: Apache-2.0
"""What a session wants done, as data. The engine performs it and answers with an event of the same key.

A key is the command's identity: the same decision, replayed from the journal, has the same key, so a
restarted engine knows what was asked for and not yet answered. The order of a list of commands is
the order in which they must take effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from doctor_maintenance.protocol import Action, HostNotification, ProjectNotification, SessionState


class WorkStep(StrEnum):
    """A part of the maintenance itself, in this order.

    ``COMMANDS``: the operator's commands over SSH. ``REBOOT``: reboot, and wait for another boot ID.
    ``SERVICE``: nova-compute is up again. ``TEST``: the operator's test of the host passes.
    """

    COMMANDS = "COMMANDS"
    REBOOT = "REBOOT"
    SERVICE = "SERVICE"
    TEST = "TEST"


@dataclass(frozen=True, slots=True)
class DisableCompute:
    """Disable nova-compute (step 1). Answer: ``ComputeDisabled`` or ``CommandFailed``."""

    key: str
    host: str
    reason: str


@dataclass(frozen=True, slots=True)
class EnableCompute:
    """Enable nova-compute (step 10). Answer: ``Done`` or ``CommandFailed``."""

    key: str
    host: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Look which instances are on the host and who has an alarm on the project event type.

    Answer: ``HostSurveyed`` or ``CommandFailed``.
    """

    key: str
    host: str


@dataclass(frozen=True, slots=True)
class NotifyProject:
    """Publish to a project (steps 2, 8, 12). Answer: ``Done`` or ``CommandFailed``."""

    key: str
    notification: ProjectNotification


@dataclass(frozen=True, slots=True)
class NotifyHost:
    """Publish to the inspector (steps 7, 11). Answer: ``Done`` or ``CommandFailed``."""

    key: str
    notification: HostNotification


@dataclass(frozen=True, slots=True)
class MoveInstance:
    """Move an instance off the host (step 6): ``MIGRATE`` or ``LIVE_MIGRATE``; Nova chooses where to.

    One attempt, bounded in time: the session decides about another. Nothing is forced.
    Answer: ``InstanceMoved``, ``InstanceGone`` or ``CommandFailed``.
    """

    key: str
    host: str
    instance_id: str
    project_id: str
    action: Action


@dataclass(frozen=True, slots=True)
class Maintain:
    """Do a step of the maintenance itself. Answer: ``Done`` or ``CommandFailed``."""

    key: str
    host: str
    step: WorkStep


@dataclass(frozen=True, slots=True)
class RestoreInstances:
    """See to it that instances left on the host run again. Answer: ``Done`` or ``CommandFailed``."""

    key: str
    host: str
    instance_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Wake the session with ``TimerFired(name)`` at a time, in seconds since the epoch."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget a timer."""

    name: str


@dataclass(frozen=True, slots=True)
class EndSession:
    """The session is over, or rests until the operator speaks (``MAINTENANCE_FAILED``)."""

    state: SessionState


Answered = (
    DisableCompute
    | EnableCompute
    | Survey
    | NotifyProject
    | NotifyHost
    | MoveInstance
    | Maintain
    | RestoreInstances
)
"""Commands that are answered by an event with their key."""

Command = Answered | SetTimer | CancelTimer | EndSession
