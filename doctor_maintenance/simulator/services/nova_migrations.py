# SPDX-License-Identifier: Apache-2.0
"""Nova: migration records, the live migrations of an instance, and what was asked for an instance."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.records import (
    Action,
    ActionEvent,
    Instance,
    Migration,
    MigrationType,
)
from doctor_maintenance.simulator.services.nova_call import Call, Routes, answer, no_body
from doctor_maintenance.simulator.services.nova_server_view import host_id, iso_micro
from doctor_maintenance.simulator.services.nova_servers import within_sight
from doctor_maintenance.simulator.states import MIGRATION_ENDED

_PARAMETERS = (
    *("hidden", "host", "instance_uuid", "source_compute", "status", "migration_type", "limit"),
    *("marker", "changes-since", "changes-before", "user_id", "project_id"),
)


def migration_views(route: Routes) -> None:
    """Add the views of ``/os-migrations`` and of an instance's live migrations."""

    @route("GET", "/os-migrations")
    def index(call: Call) -> Response:
        call.admin("os_compute_api:os-migrations:index")
        call.known_parameters(_PARAMETERS, since=75)
        found = [record for record in call.compute.migrations.values() if _wanted(call, record)]
        body: dict[str, Any] = {}
        if call.minor >= 59:
            found.reverse()
            found, more = call.page(found, lambda record: record.migration_id)
            if more:
                body["migrations_links"] = call.next_link(found[-1].migration_id, "os-migrations")
        return answer({"migrations": [_migration(call, record) for record in found], **body})

    @route("GET", "/servers/<server_id>/migrations", since=23)
    def of_server(call: Call, server_id: str) -> Response:
        _admin_finds(call, server_id, "os_compute_api:servers:migrations:index")
        running = call.compute.running_migrations(server_id)
        return answer({"migrations": [_live(call, record) for record in running]})

    @route("GET", "/servers/<server_id>/migrations/<int:number>", since=23)
    def show(call: Call, server_id: str, number: int) -> Response:
        _admin_finds(call, server_id, "os_compute_api:servers:migrations:show")
        return answer({"migration": _live(call, call.compute.migration_of(server_id, number))})

    @route("DELETE", "/servers/<server_id>/migrations/<int:number>", since=24)
    def abort(call: Call, server_id: str, number: int) -> Response:
        _admin_finds(call, server_id, "os_compute_api:servers:migrations:delete")
        call.compute.abort_migration(server_id, number)
        return no_body(202)

    @route("POST", "/servers/<server_id>/migrations/<int:number>/action", since=22)
    def force_complete(call: Call, server_id: str, number: int) -> Response:
        call.body(
            {
                "type": "object",
                "properties": {"force_complete": {"type": "null"}},
                "required": ["force_complete"],
                "additionalProperties": False,
            }
        )
        _admin_finds(call, server_id, "os_compute_api:servers:migrations:force_complete")
        call.compute.force_complete(server_id, number)
        return no_body(202)


def _admin_finds(call: Call, server_id: str, rule: str) -> Instance:
    call.admin(rule)
    return call.compute.get(server_id)


def _wanted(call: Call, record: Migration) -> bool:
    """Return whether the query parameters ask for a record; those of deleted instances are hidden."""
    if record.instance_id not in call.compute.instances:
        return False
    query = request.args
    host = query.get("host")
    return (
        query.get("instance_uuid") in (None, record.instance_id)
        and query.get("status") in (None, record.status)
        and query.get("migration_type") in (None, record.type)
        and query.get("source_compute") in (None, record.source)
        and host in (None, record.source, record.dest)
        and (call.minor < 80 or query.get("user_id") in (None, record.user_id))
        and (call.minor < 80 or query.get("project_id") in (None, record.project_id))
    )


def _migration(call: Call, record: Migration) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": record.number}
    if call.minor >= 59:
        shown["uuid"] = record.migration_id
    known = record.dest is not None
    cold = record.type is not MigrationType.LIVE
    shown |= {
        "source_compute": record.source,
        "dest_compute": record.dest,
        "source_node": record.source if known or cold else None,
        "dest_node": record.dest,
        "dest_host": call.compute.hosts[record.dest].address if record.dest and cold else None,
        "old_instance_type_id": record.old_flavor.number,
        "new_instance_type_id": record.new_flavor.number,
        "instance_uuid": record.instance_id,
        "status": record.status,
    }
    if call.minor >= 23:
        shown["migration_type"] = record.type
        if not cold and record.status not in MIGRATION_ENDED:
            path = ("servers", record.instance_id, "migrations", str(record.number))
            shown["links"] = call.links(*path)
    return shown | _who(call, record) | _when(record)


def _live(call: Call, record: Migration) -> dict[str, Any]:
    known = record.dest is not None
    shown: dict[str, Any] = {
        "created_at": iso_micro(record.created),
        "dest_compute": record.dest,
        "dest_host": None,
        "dest_node": record.dest,
        "disk_processed_bytes": None,
        "disk_remaining_bytes": None,
        "disk_total_bytes": None,
        "id": record.number,
        "memory_processed_bytes": None,
        "memory_remaining_bytes": None,
        "memory_total_bytes": None,
        "server_uuid": record.instance_id,
        "source_compute": record.source,
        "source_node": record.source if known else None,
        "status": record.status,
        "updated_at": iso_micro(record.updated),
    }
    if call.minor >= 59:
        shown["uuid"] = record.migration_id
    return shown | _who(call, record)


def _who(call: Call, record: Migration) -> dict[str, Any]:
    if call.minor < 80:
        return {}
    return {"user_id": record.user_id, "project_id": record.project_id}


def _when(record: Migration) -> dict[str, Any]:
    return {"created_at": iso_micro(record.created), "updated_at": iso_micro(record.updated)}


def action_record_views(route: Routes) -> None:
    """Add the views of ``os-instance-actions``; from 2.21 on also of an instance that is deleted."""

    @route("GET", "/servers/<server_id>/os-instance-actions")
    def index(call: Call, server_id: str) -> Response:
        instance = _find_also_gone(call, server_id, "os_compute_api:os-instance-actions:list")
        actions = call.compute.actions_of(server_id)
        if call.minor < 58:
            return answer({"instanceActions": [_action(call, action) for action in actions]})
        shown, more = call.page(actions, lambda action: action.request_id)
        body: dict[str, Any] = {"instanceActions": [_action(call, action) for action in shown]}
        if more:
            path = ("servers", instance.instance_id, "os-instance-actions")
            body["links"] = call.next_link(shown[-1].request_id, *path)
        return answer(body)

    @route("GET", "/servers/<server_id>/os-instance-actions/<request_id>")
    def show(call: Call, server_id: str, request_id: str) -> Response:
        instance = _find_also_gone(call, server_id, "os_compute_api:os-instance-actions:show")
        for action in call.compute.actions_of(server_id):
            if action.request_id == request_id:
                shown = _action(call, action)
                if call.context.is_admin or call.minor >= 51:
                    shown["events"] = [
                        _event(call, event, instance.project_id)
                        for event in reversed(action.events)
                    ]
                return answer({"instanceAction": shown})
        raise NotFoundError(f"Action {request_id} not found")


def _find_also_gone(call: Call, server_id: str, rule: str) -> Instance:
    instance = call.compute.gone.get(server_id) if call.minor >= 21 else None
    if instance is None:
        instance = within_sight(call, server_id)
    call.reader(rule, instance.project_id)
    return instance


def _action(call: Call, action: Action) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "action": action.name,
        "instance_uuid": action.instance_id,
        "request_id": action.request_id,
        "user_id": action.user_id,
        "project_id": action.project_id,
        "start_time": iso_micro(action.start),
        "message": action.message,
    }
    if call.minor >= 58:
        shown["updated_at"] = iso_micro(action.updated)
    return shown


def _event(call: Call, event: ActionEvent, project_id: str) -> dict[str, Any]:
    admin = call.context.is_admin
    shown: dict[str, Any] = {
        "event": event.name,
        "start_time": iso_micro(event.start),
        "finish_time": iso_micro(event.finish),
        "result": event.result,
    }
    if admin:
        shown["traceback"] = None if event.details is None else f"  {event.details}\n"
    if call.minor >= 62:
        if admin:
            shown["host"] = event.host
        shown["hostId"] = host_id(event.host, project_id)
    if call.minor >= 84 and admin:
        shown["details"] = event.details
    return shown
