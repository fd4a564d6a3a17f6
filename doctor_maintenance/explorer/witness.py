# SPDX-License-Identifier: Apache-2.0
"""The witness of a world: writes what happens as the judge's own records, at the moment it happens.

Records are made as objects at once. Going through JSON, as traces from real processes do, would
cost more than everything that they tell about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from doctor_maintenance.clock import VirtualClock
from doctor_maintenance.judge import records as seen
from doctor_maintenance.protocol import HostNotification, ProjectNotification

NOVA = "nova"
BUS = "bus"
INSPECTOR = "inspector"
RUNNER = "runner"
TOOL = "admin_tool"


class Witness:
    """Collects records.

    Args:
        clock: the time.
        by_owner: tells whether an instance was deleted by its owner.

    Attributes:
        records: everything so far, in the order in which it happened.
    """

    def __init__(self, clock: VirtualClock, by_owner: Callable[[str], bool]) -> None:
        self.records: list[seen.Record] = []
        self._clock = clock
        self._by_owner = by_owner
        self._kinds: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "instance": self._instance,
            "migration": self._migration,
            "service": self._service,
            "host": self._host,
        }

    def cloud(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Take what the simulated cloud reports of itself."""
        self._kinds[kind](fields)

    def _instance(self, fields: Mapping[str, Any]) -> None:
        status = fields["status"]
        self.records.append(
            seen.Instance(
                at=self._clock.now(),
                source=NOVA,
                instance_id=fields["instance_id"],
                name=fields["name"],
                project_id=fields["project_id"],
                host=fields["host"],
                status=status,
                task_state=fields["task_state"],
                by_owner=self._by_owner(fields["instance_id"]) if status == "DELETED" else None,
            )
        )

    def _migration(self, fields: Mapping[str, Any]) -> None:
        self.records.append(
            seen.Migration(
                at=self._clock.now(),
                source=NOVA,
                migration_id=fields["migration_id"],
                instance_id=fields["instance_id"],
                type=fields["type"],
                status=fields["status"],
                source_host=fields["source"],
                dest_host=fields["dest"],
            )
        )

    def _service(self, fields: Mapping[str, Any]) -> None:
        if fields["binary"] == "nova-compute":
            self.records.append(
                seen.Service(
                    at=self._clock.now(),
                    source=NOVA,
                    host=fields["host"],
                    status=fields["status"],
                    state=fields["state"],
                    reason=fields["reason"],
                )
            )

    def _host(self, fields: Mapping[str, Any]) -> None:
        self.records.append(
            seen.HostPower(
                at=self._clock.now(),
                source=NOVA,
                host=fields["host"],
                powered=fields["powered"],
                boot_id=fields["boot_id"],
            )
        )

    def address(self, address: str, instance_id: str | None) -> None:
        """An address leads to an instance now, or to nobody."""
        self.records.append(
            seen.Address(
                at=self._clock.now(), source=NOVA, address=address, instance_id=instance_id
            )
        )

    def project_message(
        self,
        source: str,
        message_id: str,
        generated: float,
        notification: ProjectNotification,
        instances: tuple[str, ...] | None = None,
    ) -> None:
        """A project's notification was published, or reached its app manager."""
        allowed = notification.allowed_actions
        default = notification.default_action
        self.records.append(
            seen.Notification(
                at=self._clock.now(),
                source=source,
                event_type=notification.event_type.value,
                message_id=message_id,
                generated=generated,
                session_id=notification.session_id,
                project_id=notification.project_id,
                state=notification.state.value,
                type=notification.type.value,
                instance_ids=notification.instance_ids,
                instances=instances,
                allowed_actions=tuple(item.value for item in allowed),
                default_action=None if default is None else default.value,
                actions_at=notification.actions_at,
                reply_at=notification.reply_at,
                reply_url=notification.reply_url,
                metadata=notification.metadata,
            )
        )

    def host_message(
        self, source: str, message_id: str, generated: float, notification: HostNotification
    ) -> None:
        """A host's notification was published, or reached the inspector."""
        self.records.append(
            seen.Notification(
                at=self._clock.now(),
                source=source,
                event_type=notification.event_type.value,
                message_id=message_id,
                generated=generated,
                session_id=notification.session_id,
                project_id=notification.project_id,
                state=notification.state.value,
                host=notification.host,
                service=notification.service,
            )
        )

    def readable(self, project_id: str, where: str, text: str) -> None:
        """A project could read a text."""
        self.records.append(
            seen.Readable(
                at=self._clock.now(),
                source=f"app_manager:{project_id}",
                project_id=project_id,
                where=where,
                text=text,
            )
        )

    def reply(
        self,
        project_id: str,
        sent: float,
        session_id: str,
        state: str,
        actions: Mapping[str, str],
        reply_url: str,
        status: int,
    ) -> None:
        """A project sent a reply and had an answer (status 0: none)."""
        self.records.append(
            seen.Reply(
                at=self._clock.now(),
                not_before=sent,
                source=f"app_manager:{project_id}",
                session_id=session_id,
                project_id=project_id,
                state=state,
                instance_actions=actions,
                reply_url=reply_url,
                status=status,
            )
        )

    def switch_over(
        self, project_id: str, phase: str, from_instance: str, to_instance: str
    ) -> None:
        """An app manager switches over."""
        self.records.append(
            seen.SwitchOver(
                at=self._clock.now(),
                source=f"app_manager:{project_id}",
                project_id=project_id,
                phase=phase,
                from_instance=from_instance,
                to_instance=to_instance,
                strategy="floating_ip",
            )
        )

    def ssh(self, host: str, check: str, ok: bool, value: object, phase: str) -> None:
        """A check of a host over SSH."""
        self.records.append(
            seen.SshCheck(
                at=self._clock.now(),
                source="ssh",
                host=host,
                check=check,
                ok=ok,
                value=value,
                phase=phase,
            )
        )

    def inspector(self, action: str, host: str, session_id: str | None = None) -> None:
        """The inspector did something."""
        self.records.append(
            seen.Inspector(
                at=self._clock.now(),
                source=INSPECTOR,
                action=action,
                host=host,
                session_id=session_id,
            )
        )

    def session(self, session_id: str, state: str, hosts: Mapping[str, str]) -> None:
        """The admin tool says something new of a session."""
        self.records.append(
            seen.Session(
                at=self._clock.now(), source=TOOL, session_id=session_id, state=state, hosts=hosts
            )
        )
