# SPDX-License-Identifier: Apache-2.0
"""What one project was told about one host, what it may answer, and what it answered.

A reply names no host, so its URL names the announcement by a number that counts within session and
project. An old reply, posted again, thus never answers for a later host (the stale ACK of the
Doctor sample).
"""

from __future__ import annotations

from dataclasses import dataclass

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError
from doctor_maintenance.planning.settings import SessionRequest, SessionRules
from doctor_maintenance.protocol import (
    Action,
    MaintenanceType,
    NotificationState,
    ProjectNotification,
    Reply,
    Verdict,
)

FULL_ACTIONS = (Action.MIGRATE, Action.LIVE_MIGRATE, Action.OWN_ACTION)
REBOOT_ACTIONS = (*FULL_ACTIONS, Action.LEAVE)


def allowed_actions(kind: MaintenanceType) -> tuple[Action, ...]:
    """Return what a project may ask for."""
    return REBOOT_ACTIONS if kind is MaintenanceType.REBOOT else FULL_ACTIONS


@dataclass(slots=True)
class Announcement:
    """One project and one host.

    Attributes:
        project_id: who was told.
        number: the announcement's number within session and project, from 1.
        instance_ids: the project's affected instances at that time.
        reply_at: until when a reply is taken, seconds since the epoch.
        default_action: what is done without a reply; None: the host is canceled.
        subscribed: False if nobody listens: then no reply is waited for.
        reply: what was answered.
        expired: True once the deadline passed without a reply.
        state: what the project was told last.
    """

    project_id: str
    number: int
    instance_ids: tuple[str, ...]
    reply_at: float
    default_action: Action | None
    subscribed: bool
    reply: Reply | None = None
    expired: bool = False
    state: NotificationState = NotificationState.PLANNED_MAINTENANCE

    @property
    def waiting(self) -> bool:
        """True while a reply may come."""
        return self.subscribed and self.reply is None and not self.expired

    @property
    def refused(self) -> bool:
        """True if nothing may be done: a NACK, or no agreement where one is needed."""
        if self.reply is not None:
            return self.reply.verdict is Verdict.NACK
        return not self.waiting and self.default_action is None

    def action(self, instance_id: str) -> Action:
        """Return what is to be done with an instance.

        An instance that an accepted reply does not name is the project's own business: it must go by
        its owner's hand.
        """
        if self.reply is not None:
            return self.reply.instance_actions.get(instance_id, Action.OWN_ACTION)
        return self.default_action or Action.OWN_ACTION

    def check(self, reply: Reply, kind: MaintenanceType, now: float) -> bool:
        """Check a reply before it is taken.

        Args:
            reply: the reply.
            kind: the session's type.
            now: the time.

        Returns:
            True if it is new; False if it is the accepted one again.

        Raises:
            InvalidRequestError: it names foreign instances, or an action that is not allowed.
            ConflictError: it answers something else, is late, or another one was accepted.
        """
        if self.reply is not None and reply == self.reply:
            return False
        if reply.state is not NotificationState.PLANNED_MAINTENANCE:
            raise ConflictError(
                f"only PLANNED_MAINTENANCE is answered; the reply is about {reply.state.value}"
            )
        foreign = sorted(set(reply.instance_actions) - set(self.instance_ids))
        if foreign:
            # Not even to who named it: what he reads must hold nothing of another project.
            raise InvalidRequestError(
                f"instance_actions: expected the {len(self.instance_ids)} instances that this "
                f"notification is about, and no others; found {len(foreign)} more"
            )
        allowed = allowed_actions(kind)
        for instance_id, action in reply.instance_actions.items():
            if action not in allowed:
                raise InvalidRequestError(
                    f"instance_actions[{instance_id}]: {action.value} is not allowed for "
                    f"{kind.value} maintenance; allowed: {', '.join(item.value for item in allowed)}"
                )
        if self.reply is not None:
            raise ConflictError("another reply was accepted before; it stands")
        if not self.waiting or now > self.reply_at:
            raise ConflictError("the reply is late: the time to reply is over")
        return True

    def notification(
        self, request: SessionRequest, rules: SessionRules, state: NotificationState
    ) -> ProjectNotification:
        """Return what the project is told in ``state``."""
        url = (
            f"{rules.base_url}/v1/maintenance/{request.session_id}/{self.project_id}/{self.number}"
        )
        planned = state is NotificationState.PLANNED_MAINTENANCE
        return ProjectNotification(
            session_id=request.session_id,
            project_id=self.project_id,
            state=state,
            type=request.type,
            instance_ids=url,
            allowed_actions=allowed_actions(request.type) if planned else (),
            default_action=self.default_action if planned else None,
            actions_at=self.reply_at if planned else None,
            reply_at=self.reply_at if planned else None,
            reply_url=url if planned else None,
            metadata=request.metadata,
        )
