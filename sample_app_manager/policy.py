# SPDX-License-Identifier: Apache-2.0
"""What the application wants, decided without touching anything (Doctor guideline, steps 4 and 5).

From what the project was told and what it may know of itself (its instances, who is active), this
says who switches over to whom, what is built anew, and what the reply asks for. It knows no host: a
project is not told of any, and needs none, as what is affected is named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from doctor_maintenance.protocol import (
    Action,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
)

_NEXT_BEST = (Action.LIVE_MIGRATE, Action.MIGRATE, Action.OWN_ACTION)
"""What is asked for if the wanted action is not allowed; the gentlest first."""

_BEING_MOVED = frozenset({"MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE"})
_STOPPED = frozenset({"SHUTOFF", "ERROR", "PAUSED", "SUSPENDED"})


@dataclass(frozen=True, slots=True)
class Instance:
    """One of the project's instances.

    Attributes:
        instance_id: its ID.
        name: its name.
        status: Nova's status, ``ACTIVE`` for instance.
        placement: where it is, as far as a project may know: Nova's ``hostId``, a hash that is
            the same for two instances of the project on the same host.
        leaving: whether it is on its way elsewhere because of an earlier notification.
    """

    instance_id: str
    name: str
    status: str = "ACTIVE"
    placement: str = ""
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """An ACT-STBY service of the project.

    Attributes:
        address: where its clients reach it.
        members: the instances that can serve; they are never on the same host.
        active: the member that holds the address; None if nobody does.
    """

    address: str
    members: tuple[str, ...]
    active: str | None


@dataclass(frozen=True, slots=True)
class View:
    """What the project sees of itself at one moment.

    Attributes:
        instances: by ID.
        services: its ACT-STBY services.
    """

    instances: Mapping[str, Instance]
    services: tuple[Service, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """How this application wants to be treated.

    Attributes:
        action: what to do with the affected instances, where it is allowed.
        single_action: what to do with those that serve in no ACT-STBY service; None: the same.
        refuse: whether every planned maintenance is refused.
        silent: whether no reply is ever sent; nothing else is done then either.
    """

    action: Action = Action.LIVE_MIGRATE
    single_action: Action | None = None
    refuse: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class SwitchOver:
    """Let ``to_instance`` serve the address instead of ``from_instance``."""

    address: str
    from_instance: str
    to_instance: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about a notification, in this order.

    Attributes:
        switch_overs: first these.
        recreate: then these instances are deleted and built anew elsewhere.
        reply: then this is answered; None: no reply.
        reasons: why, a sentence each, for the log.
    """

    switch_overs: tuple[SwitchOver, ...] = ()
    recreate: tuple[str, ...] = ()
    reply: Reply | None = None
    reasons: tuple[str, ...] = field(default=())


class _RefusalError(Exception):
    """No plan keeps the service up."""


def refusal(notification: ProjectNotification, reason: str) -> Plan:
    """Return the plan that touches nothing and refuses."""
    reply = Reply(
        session_id=notification.session_id, verdict=Verdict.NACK, state=notification.state
    )
    return Plan(reply=reply, reasons=(reason,))


def decide(
    notification: ProjectNotification, affected: Collection[str], view: View, rules: Rules
) -> Plan:
    """Decide what to do about a notification.

    Args:
        notification: what the project was told.
        affected: the instances that it is about.
        view: what the project sees of itself; looked at after ``affected`` was asked for.
        rules: what the project wants.

    Returns:
        The plan. It is empty for a state that is only noted: ``IN_MAINTENANCE``,
        ``MAINTENANCE_CANCELED`` and ``MAINTENANCE_OVER``.
    """
    if notification.state is not NotificationState.PLANNED_MAINTENANCE:
        return Plan(reasons=(f"{notification.state.value} is noted; nothing is to be done",))
    if rules.silent:
        return Plan(reasons=("this application never replies",))
    if rules.refuse:
        return refusal(notification, "this application refuses every maintenance")
    try:
        return _agree(notification, sorted(set(affected)), view, rules)
    except _RefusalError as why:
        return refusal(notification, str(why))


def _agree(
    notification: ProjectNotification, affected: list[str], view: View, rules: Rules
) -> Plan:
    reasons = [
        f"instance {unknown} is not one of ours; it is not spoken of"
        for unknown in affected
        if unknown not in view.instances
    ]
    own = [instance_id for instance_id in affected if instance_id in view.instances]
    members = {member for service in view.services for member in service.members}
    actions = {
        instance_id: _allowed(
            notification,
            rules.action if instance_id in members else rules.single_action or rules.action,
        )
        for instance_id in own
    }
    for service in view.services:
        _one_at_a_time(service, actions, view)
    switch_overs = []
    for service in view.services:
        if service.active is None or service.active not in actions:
            continue
        standby = _standby(service, actions, view)
        if standby is not None:
            switch_overs.append(SwitchOver(service.address, service.active, standby))
            reasons.append(f"{service.active} serves {service.address}; {standby} takes over")
            continue
        if Action.LIVE_MIGRATE not in notification.allowed_actions:
            raise _RefusalError(
                f"{service.active} serves {service.address}, no standby can take over, and"
                " LIVE_MIGRATE is not allowed: the service would stop"
            )
        actions[service.active] = Action.LIVE_MIGRATE
        reasons.append(
            f"{service.active} serves {service.address} and no standby can take over:"
            " it must be moved while it runs"
        )
    return Plan(
        switch_overs=tuple(switch_overs),
        recreate=tuple(key for key, action in actions.items() if action is Action.OWN_ACTION),
        reply=Reply(
            session_id=notification.session_id,
            verdict=Verdict.ACK,
            state=notification.state,
            instance_actions=actions,
        ),
        reasons=tuple(reasons),
    )


def _one_at_a_time(service: Service, affected: Collection[str], view: View) -> None:
    """Refuse to have a member touched while another one is, or does not run."""
    touched = [member for member in service.members if member in affected]
    for member in service.members:
        other = view.instances.get(member)
        if not touched or other is None or member in affected:
            continue
        if other.leaving or other.status in _BEING_MOVED:
            raise _RefusalError(
                f"{member} serves {service.address} together with {touched[0]} and is on its way elsewhere:"
                " one of them at a time"
            )
        if other.status in _STOPPED:
            raise _RefusalError(
                f"{member} serves {service.address} together with {touched[0]} and is {other.status}:"
                " nothing could take over; start it first"
            )


def _allowed(notification: ProjectNotification, wanted: Action) -> Action:
    """Return the wanted action, or the next best that is allowed."""
    for action in (wanted, *_NEXT_BEST):
        if action in notification.allowed_actions:
            return action
    raise _RefusalError(
        f"none of {', '.join(item.value for item in _NEXT_BEST)} is allowed; allowed:"
        f" {', '.join(item.value for item in notification.allowed_actions) or 'nothing'}"
    )


def _standby(service: Service, affected: Collection[str], view: View) -> str | None:
    """Return the member that takes over: it runs, stays, and shares no host with an affected one."""
    places = {view.instances[key].placement for key in affected} - {""}
    ready = [
        view.instances[member]
        for member in service.members
        if member != service.active
        and member not in affected
        and member in view.instances
        and view.instances[member].status == "ACTIVE"
        and not view.instances[member].leaving
        and view.instances[member].placement not in places
    ]
    ready.sort(key=lambda instance: (instance.name, instance.instance_id))
    return ready[0].instance_id if ready else None
