# SPDX-License-Identifier: Apache-2.0
"""What the operator asked for, and by which rules sessions are driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.protocol import Action, MaintenanceType


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """A maintenance session as its operator asked for it.

    Attributes:
        session_id: a random UUID.
        hosts: the hosts to maintain, in this order.
        type: what kind of maintenance.
        maintenance_at: when to start, seconds since the epoch.
        affected: for a host of which only a part is affected, the instances on that part; a host that
            is not named here is affected whole.
        metadata: told to every project.

    Raises:
        InvalidRequestError: no hosts, a host twice, a part of a host that is not in the session, or a
            reboot of a part, since a reboot stops every instance on the host.
    """

    session_id: str
    hosts: tuple[str, ...]
    type: MaintenanceType
    maintenance_at: float
    affected: Mapping[str, frozenset[str]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.hosts:
            raise InvalidRequestError("hosts: expected at least one host; found none")
        if len(set(self.hosts)) != len(self.hosts):
            twice = sorted(host for host in set(self.hosts) if self.hosts.count(host) > 1)
            raise InvalidRequestError(f"hosts: each host once; found twice: {', '.join(twice)}")
        for host in self.affected:
            if host not in self.hosts:
                raise InvalidRequestError(f"instances: {host} is not one of the session's hosts")
        if self.affected and self.type is MaintenanceType.REBOOT:
            raise InvalidRequestError(
                "instances: a reboot affects every instance on a host; name none, or ask for type full"
            )


@dataclass(frozen=True, slots=True)
class SessionRules:
    """The rules of a deployment; durations in seconds.

    Attributes:
        admin_project_id: whose events the host notifications are.
        base_url: of the admin tool's API, without a slash at its end.
        reply_wait_s: how long a project has for its reply (> 0).
        own_action_wait_s: how long after the replies a project may take for its own actions.
        drain_timeout_s: how long after the replies all moves may take, with all attempts.
        move_attempts: how often an instance's move is tried (≥ 1).
        move_retry_s: the wait before another attempt.
        refusal_wait_s: how long a move is tried again that the scheduler refuses, or Nova as a nova-compute is down;
            refusals within it do not count as attempts. 0: they do.
        poll_s: how often a host is looked at while projects act themselves.
        settle_s: the wait between telling everybody (steps 7 and 8) and the maintenance itself.
        work_attempts: how often a failed notification or look is tried again (≥ 1).
        default_action: what is done with instances of a project that does not reply.
        only_if_agreed: projects without whose agreement nothing is done.
        test_host: whether the operator tests a host after full maintenance.
        max_projects: of how many projects the instances on one host may be; with more, the host is canceled (≥ 1).
    """

    admin_project_id: str
    base_url: str
    reply_wait_s: float = 60.0
    own_action_wait_s: float = 60.0
    drain_timeout_s: float = 600.0
    move_attempts: int = 10
    move_retry_s: float = 15.0
    refusal_wait_s: float = 0.0
    poll_s: float = 1.0
    settle_s: float = 0.2
    work_attempts: int = 3
    default_action: Action = Action.LIVE_MIGRATE
    only_if_agreed: frozenset[str] = frozenset()
    test_host: bool = True
    max_projects: int = 1000
