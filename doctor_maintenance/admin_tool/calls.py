# SPDX-License-Identifier: Apache-2.0
"""What the admin tool asks of the cloud: each method is one or two calls, blocks, and is done by a worker.

Everything is safe to repeat: a method looks before it acts where acting twice would matter. Lists are
read as plain JSON, because a list of 400 servers as openstacksdk's objects takes seconds.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keystoneauth1.adapter import Adapter
from keystoneauth1.exceptions import ClientException
from openstack.connection import Connection

from doctor_maintenance import cloud
from doctor_maintenance.cloud_services import ALARMING, Services
from doctor_maintenance.exceptions import CloudError
from doctor_maintenance.protocol import EventType

MICROVERSION = "2.79"
"""Of every call to Nova (Train, 2019): services by UUID are 2.53, live migrations that are checked
asynchronously 2.34. From 2.88 on hypervisors have no figures, and none is needed here."""

_GET_EACH = 3
"""Up to so many servers are asked for one by one; more, with a list first."""


@dataclass(frozen=True, slots=True)
class ComputeService:
    """A nova-compute.

    Attributes:
        service_id: Nova's ID of the service.
        host: where it runs.
        enabled: whether the scheduler may use it.
        up: whether it reports.
        reason: why it is disabled, or empty.
        updated_at: when it reported last, as Nova writes it.
    """

    service_id: str
    host: str
    enabled: bool
    up: bool
    reason: str
    updated_at: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """An instance as Nova shows it to an operator.

    Attributes:
        instance_id: its ID.
        project_id: its owner.
        host: where it is; empty if nowhere.
        status: ``ACTIVE`` and the like.
        task: the task state, or empty.
        vm_state: what it is but for its task: ``active`` also while it is moved.
        off: whether Nova says that its guest is shut down (its ``power_state``).
    """

    instance_id: str
    project_id: str
    host: str
    status: str
    task: str = ""
    vm_state: str = ""
    off: bool = False


_POWER_SHUTDOWN = 4
_HOST_NOT_CHOSEN = ("accepted", "pre-migrating")
"""The statuses of migrations before Nova wrote down where they go to."""

_ARRIVING = frozenset(
    (*_HOST_NOT_CHOSEN, "queued", "preparing", "running", "migrating", "post-migrating")
)
"""The statuses of migrations whose instances are not on their new host yet."""


_WISHED = frozenset((*_HOST_NOT_CHOSEN, "queued"))
"""The statuses of migrations that no nova-compute has begun with."""

_ENDED = frozenset(
    ("error", "failed", "cancelled", "completed", "confirmed", "reverted", "done", "finished")
)


@dataclass(frozen=True, slots=True)
class Migration:
    """What Nova says of an instance's latest migration; ``dest`` is empty if no host was chosen."""

    migration_id: str
    kind: str
    status: str
    dest: str = ""

    @property
    def begun(self) -> bool:
        """Whether a nova-compute works on it, or has done so."""
        return self.status not in _WISHED

    @property
    def ended(self) -> bool:
        """Whether nobody works on it any more."""
        return self.status in _ENDED

    @property
    def refused(self) -> bool:
        """Whether it came to its end because the scheduler knew no host (nova 34.0.0: ``error``, without one)."""
        return self.status == "error" and not self.dest


class CloudCalls:
    """The operator's calls.

    Args:
        connection: as an operator: admin of the whole cloud.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._services = Services(connection, MICROVERSION)

    def admin_project_id(self) -> str:
        """Return the operator's own project.

        Raises:
            CloudError: he cannot log in.
        """
        what = "log in to the cloud as the operator"
        try:
            project_id = self._connection.session.get_project_id()
        except ClientException as error:
            raise CloudError(f"{what}: {error}") from error
        if not project_id:
            raise CloudError(f"{what}: the token is of no project", permanent=True)
        return str(project_id)

    def services(self) -> list[ComputeService]:
        """Return every nova-compute."""
        body = self._get("list nova-compute services", "/os-services", binary="nova-compute")
        return [_service(item) for item in body["services"]]

    def service(self, host: str) -> ComputeService:
        """Return the nova-compute of a host.

        Raises:
            CloudError: there is none.
        """
        what = f"find nova-compute of {host}"
        body = self._get(what, "/os-services", binary="nova-compute", host=host)
        found = [_service(item) for item in body["services"] if item["host"] == host]
        if not found:
            raise CloudError(f"{what}: there is none", status=404, permanent=True)
        return found[0]

    def disable(self, host: str, reason: str) -> bool:
        """Disable the nova-compute of a host, unless it is disabled.

        Returns:
            Whether somebody else had disabled it before: then it is left as it is.
        """
        service = self.service(host)
        if not service.enabled:
            return service.reason != reason
        body = {"status": "disabled", "disabled_reason": reason}
        self._update(f"disable nova-compute on {host}", service, body, "disabled")
        return False

    def enable(self, host: str, mark: str) -> bool:
        """Enable the nova-compute of a host, if it is we who disabled it.

        Args:
            host: the host.
            mark: what stands in the reason that we gave: the session's ID.

        Returns:
            False if somebody disabled it for another reason meanwhile: then it is left as it is.
        """
        service = self.service(host)
        if service.enabled:
            return True
        if mark not in service.reason:
            return False
        self._update(f"enable nova-compute on {host}", service, {"status": "enabled"}, "enabled")
        return True

    def host_address(self, host: str) -> str:
        """Return the address at which a host's SSH is expected: what its hypervisor reports."""
        body = self._get(f"find the address of {host}", "/os-hypervisors/detail")
        for item in body["hypervisors"]:
            if host in (item["service"]["host"], item["hypervisor_hostname"]):
                return str(item["host_ip"])
        raise CloudError(
            f"find the address of {host}: no hypervisor has that name", status=404, permanent=True
        )

    def servers_on(self, host: str) -> list[Server]:
        """Return all instances on a host, of every project."""
        return self._servers(f"list the instances on {host}", host=host)

    def server(self, instance_id: str) -> Server | None:
        """Return an instance, or None if there is none."""
        try:
            body = self._get(f"look at instance {instance_id}", f"/servers/{instance_id}")
        except CloudError as error:
            if error.status == 404:
                return None
            raise
        return _server(body["server"])

    def look(
        self, host: str, here: Iterable[str], away: Iterable[str] = ()
    ) -> dict[str, Server | None]:
        """Look at instances in flight, with as few calls as may be.

        Args:
            host: the host that they are to leave.
            here: those that were still there when last seen: one list shows them all.
            away: those that had left it.
        """
        wanted = [*here]
        on_host = {item.instance_id: item for item in self.servers_on(host)} if wanted else {}
        found: dict[str, Server | None] = {
            item: on_host[item] for item in wanted if item in on_host
        }
        missing = [item for item in (*wanted, *away) if item not in found]
        if len(missing) > _GET_EACH:
            # Most of what has left a host waits for its confirmation.
            waiting = self._servers("list resized instances", status="VERIFY_RESIZE")
            found.update(
                (item.instance_id, item) for item in waiting if item.instance_id in missing
            )
        found.update((item, self.server(item)) for item in missing if item not in found)
        return found

    def live_migrate(self, instance_id: str) -> None:
        """Ask Nova to live-migrate an instance to a host of its choice."""
        body = {"os-migrateLive": {"host": None, "block_migration": "auto"}}
        self._act(f"live-migrate instance {instance_id}", instance_id, body)

    def migrate(self, instance_id: str) -> None:
        """Ask Nova to migrate an instance to a host of its choice; it is down meanwhile."""
        self._act(f"migrate instance {instance_id}", instance_id, {"migrate": None})

    def confirm(self, instance_id: str) -> None:
        """Confirm a migration; one that has been confirmed is no error."""
        what = f"confirm the migration of instance {instance_id}"
        try:
            self._act(what, instance_id, {"confirmResize": None})
        except CloudError as error:
            if error.status not in (400, 404, 409):
                raise

    def start(self, instance_id: str) -> None:
        """Start an instance."""
        self._act(f"start instance {instance_id}", instance_id, {"os-start": None})

    def hard_reboot(self, instance_id: str) -> None:
        """Start an instance anew, whatever state it is in."""
        body = {"reboot": {"type": "HARD"}}
        self._act(f"reboot instance {instance_id}", instance_id, body)

    def end_task(self, instance_id: str, vm_state: str) -> None:
        """Let an instance have no task any more; whoever works on one would be hindered.

        Args:
            instance_id: the instance.
            vm_state: what it is and stays: ``active`` or ``error``.
        """
        body = {"os-resetState": {"state": vm_state}}
        self._act(f"end the task of instance {instance_id}", instance_id, body)

    def last_migration(self, instance_id: str) -> Migration | None:
        """Return the latest migration of an instance."""
        what = f"look at the migrations of instance {instance_id}"
        body = self._get(what, "/os-migrations", instance_uuid=instance_id)
        found = [
            Migration(
                str(item["id"]),
                str(item.get("migration_type")),
                str(item["status"]),
                item.get("dest_compute") or "",
            )
            for item in body["migrations"]
        ]
        return max(found, key=lambda item: int(item.migration_id), default=None)

    def arriving(self, host: str) -> list[str]:
        """Return the instances that migrations are about to bring to a host, as far as Nova knows.

        The list of a host's instances does not have them yet. One whose host is not chosen yet may be one of
        them: nova 34 was seen to record a migration as ``accepted`` first and its ``dest_compute`` later.

        A record may also be all that is left: a nova-compute that is killed in the middle ends the instance's task
        when it starts again, and nobody ends the record (nova 34.0.0). So an instance without a task is on no way.
        """
        what = f"look for migrations to {host}"
        coming = [
            str(item["instance_uuid"])
            for item in self._get(what, "/os-migrations", host=host)["migrations"]
            if item["dest_compute"] == host and item["status"] in _ARRIVING
        ]
        for status in _HOST_NOT_CHOSEN:
            coming += [
                str(item["instance_uuid"])
                for item in self._get(what, "/os-migrations", status=status)["migrations"]
                if item["dest_compute"] is None
            ]
        return [item for item in sorted(set(coming)) if self._busy(item)]

    def _busy(self, instance_id: str) -> bool:
        server = self.server(instance_id)
        return server is not None and server.task != ""

    def abort_live_migration(self, instance_id: str) -> None:
        """Ask Nova to give up a live migration that does not end; one that has ended is no error."""
        migration = self.last_migration(instance_id)
        if migration is None or migration.kind != "live-migration":
            return
        what = f"abort the migration of instance {instance_id}"
        url = f"/servers/{instance_id}/migrations/{migration.migration_id}"
        try:
            cloud.call(what, lambda: self._nova().delete(url))
        except CloudError as error:
            if error.status not in (400, 404, 409):
                raise

    def subscribed_projects(self) -> frozenset[str]:
        """Return the projects that have an alarm on their maintenance notifications."""
        query = {"q.field": "all_projects", "q.op": "eq", "q.value": "true"}
        alarms = cloud.call_json(
            "list all projects' alarms",
            lambda: self._services[ALARMING].get("/v2/alarms", params=query),
        )
        return frozenset(str(alarm["project_id"]) for alarm in alarms if _tells(alarm))

    def _servers(self, what: str, **filters: str) -> list[Server]:
        """List servers, page after page."""
        servers: list[Server] = []
        query: dict[str, str] = {"all_tenants": "1", **filters}
        while True:
            body = self._get(what, "/servers/detail", **query)
            page = [_server(item) for item in body["servers"]]
            servers.extend(page)
            more = any(link["rel"] == "next" for link in body.get("servers_links", ()))
            if not page or not more:
                return servers
            query["marker"] = page[-1].instance_id

    def _update(
        self, what: str, service: ComputeService, body: Mapping[str, str], wanted: str
    ) -> None:
        url = f"/os-services/{service.service_id}"
        answer = cloud.call_json(
            what, lambda: self._nova().put(url, json=dict(body), connect_retries=0)
        )
        found = answer["service"]["status"]
        if found != wanted:
            raise CloudError(f"{what}: answered 200, and the service is {found}")

    def _act(self, what: str, instance_id: str, body: Mapping[str, Any]) -> None:
        url = f"/servers/{instance_id}/action"
        cloud.call(what, lambda: self._nova().post(url, json=dict(body), connect_retries=0))

    def _get(self, what: str, path: str, **query: str) -> Any:
        return cloud.call_json(what, lambda: self._nova().get(path, params=query or None))

    def _nova(self) -> Adapter:
        return self._services["compute"]


def _service(item: Mapping[str, Any]) -> ComputeService:
    return ComputeService(
        service_id=str(item["id"]),
        host=str(item["host"]),
        enabled=item["status"] == "enabled",
        up=item["state"] == "up",
        reason=str(item.get("disabled_reason") or ""),
        updated_at=str(item.get("updated_at") or ""),
    )


def _server(item: Mapping[str, Any]) -> Server:
    return Server(
        instance_id=str(item["id"]),
        project_id=str(item["tenant_id"]),
        host=str(item.get("OS-EXT-SRV-ATTR:host") or ""),
        status=str(item["status"]),
        task=str(item.get("OS-EXT-STS:task_state") or ""),
        vm_state=str(item.get("OS-EXT-STS:vm_state") or ""),
        off=item.get("OS-EXT-STS:power_state") == _POWER_SHUTDOWN,
    )


def _tells(alarm: Mapping[str, Any]) -> bool:
    """Return whether an alarm, of whatever type, tells somebody of maintenance notifications."""
    rule = alarm.get("event_rule")
    if alarm.get("type") != "event" or not isinstance(rule, Mapping):
        return False
    matches = fnmatch.fnmatch(EventType.PROJECT.value, str(rule.get("event_type") or "*"))
    return bool(matches and alarm.get("enabled") and alarm.get("alarm_actions"))
