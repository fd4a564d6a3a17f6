# SPDX-License-Identifier: Apache-2.0
"""What a session is told. Its journal is the list of these; replayed, they give the session again."""

from __future__ import annotations

from dataclasses import dataclass

from doctor_maintenance.planning.snapshot import SeenInstance
from doctor_maintenance.protocol import Reply


@dataclass(frozen=True, slots=True)
class Opened:
    """The session exists; it waits for its start time."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer is due."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """A command is done and has nothing else to say."""

    key: str


@dataclass(frozen=True, slots=True)
class CommandFailed:
    """A command cannot be done.

    Attributes:
        key: which.
        reason: what was expected and found; an operator reads it, a project never does.
        permanent: True if trying again cannot help.
        refused: True if nothing was begun, as there was no place for the instance that the scheduler knew of, or its
            host's nova-compute was down.
    """

    key: str
    reason: str
    permanent: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ComputeDisabled:
    """nova-compute is disabled.

    Attributes:
        key: of the command.
        by_operator: True if somebody else had disabled it before; then it is left disabled at the end.
    """

    key: str
    by_operator: bool


@dataclass(frozen=True, slots=True)
class HostSurveyed:
    """What is on a host.

    Attributes:
        key: of the command.
        instances: every instance on the host, whoever owns it.
        subscribed: the projects that have an alarm on the event type.
    """

    key: str
    instances: tuple[SeenInstance, ...]
    subscribed: frozenset[str]


@dataclass(frozen=True, slots=True)
class InstanceMoved:
    """An instance runs on another host (step 6)."""

    key: str
    instance_id: str
    to_host: str


@dataclass(frozen=True, slots=True)
class InstanceGone:
    """An instance that was to be moved does not exist any more."""

    key: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """A project's reply (step 5); it was checked with ``Session.check_reply`` at the same time."""

    project_id: str
    number: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class OperatorCanceled:
    """The operator cancels: what is not yet in maintenance goes back as it was."""


@dataclass(frozen=True, slots=True)
class OperatorContinued:
    """The operator has mended a failed host: its maintenance goes on with the step that failed."""

    host: str


@dataclass(frozen=True, slots=True)
class OperatorReleased:
    """The operator puts a failed host back to production as it is."""

    host: str


Event = (
    Opened
    | TimerFired
    | Done
    | CommandFailed
    | ComputeDisabled
    | HostSurveyed
    | InstanceMoved
    | InstanceGone
    | ReplyReceived
    | OperatorCanceled
    | OperatorContinued
    | OperatorReleased
)
