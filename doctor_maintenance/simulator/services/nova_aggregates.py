# SPDX-License-Identifier: Apache-2.0
"""Nova: availability zones and host aggregates."""

from __future__ import annotations

from typing import Any

from flask import Response

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.catalogues import Aggregate
from doctor_maintenance.simulator.services import answers
from doctor_maintenance.simulator.services.nova_call import (
    Call,
    Routes,
    answer,
    check,
    no_body,
    raw_body,
)
from doctor_maintenance.simulator.services.nova_server_view import iso_micro

_STRING = {"type": "string", "minLength": 1, "maxLength": 255}


def zone_views(route: Routes) -> None:
    """Add the views of ``/os-availability-zone``."""

    @route("GET", "/os-availability-zone")
    def index(call: Call) -> Response:
        call.reader("os_compute_api:os-availability-zone:list", call.context.project_id)
        zones = dict.fromkeys(host.zone for host in call.compute.hosts.values())
        found = [
            {"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in zones
        ]
        return answer({"availabilityZoneInfo": found})

    @route("GET", "/os-availability-zone/detail")
    def detail(call: Call) -> Response:
        call.admin("os_compute_api:os-availability-zone:detail")
        now = call.cloud.clock.now()
        zones: dict[str, dict[str, dict[str, Any]]] = {}
        for service in call.compute.services.values():
            zones.setdefault(service.zone, {}).setdefault(service.host, {})[service.binary] = {
                "available": service.state == "up",
                "active": not service.disabled,
                "updated_at": iso_micro(service.heartbeat(now)),
            }
        found = [
            {"zoneName": zone, "zoneState": {"available": True}, "hosts": hosts}
            for zone, hosts in zones.items()
        ]
        return answer({"availabilityZoneInfo": found})


_AGGREGATE = {
    "type": "object",
    "properties": {
        "aggregate": {
            "type": "object",
            "properties": {"name": _STRING, "availability_zone": {"type": ["string", "null"]}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "required": ["aggregate"],
    "additionalProperties": False,
}


def aggregate_views(route: Routes) -> None:
    """Add the views of ``/os-aggregates``."""
    rule = "os_compute_api:os-aggregates"

    @route("GET", "/os-aggregates")
    def index(call: Call) -> Response:
        call.admin(f"{rule}:index")
        found = [_aggregate(call, aggregate) for aggregate in call.compute.aggregates.all()]
        return answer({"aggregates": found})

    @route("POST", "/os-aggregates")
    def create(call: Call) -> Response:
        call.admin(f"{rule}:create")
        wanted = call.body(_AGGREGATE)["aggregate"]
        aggregate = call.compute.aggregates.create(
            wanted["name"], wanted.get("availability_zone"), call.cloud.clock.now()
        )
        shown = _aggregate(call, aggregate)
        for name in ("hosts", "metadata"):
            del shown[name]
        shown["created_at"] = answers.iso_micro(aggregate.created)
        return answer({"aggregate": shown})

    @route("GET", "/os-aggregates/<int:number>")
    def show(call: Call, number: int) -> Response:
        call.admin(f"{rule}:show")
        return answer({"aggregate": _aggregate(call, call.compute.aggregates.get(number))})

    @route("DELETE", "/os-aggregates/<int:number>")
    def delete(call: Call, number: int) -> Response:
        call.admin(f"{rule}:delete")
        call.compute.aggregates.delete(number)
        return no_body(200)

    @route("POST", "/os-aggregates/<int:number>/action")
    def act(call: Call, number: int) -> Response:
        body = raw_body()
        if not isinstance(body, dict) or len(body) != 1:
            raise InvalidRequestError("Malformed request body")
        ((action, argument),) = body.items()
        call.admin(f"{rule}:{action}")
        aggregate = _change(call, number, action, argument)
        shown = _aggregate(call, aggregate)
        if action == "set_metadata":
            shown["updated_at"] = answers.iso_micro(call.cloud.clock.now())
        return answer({"aggregate": shown})


def _change(call: Call, number: int, action: str, argument: Any) -> Aggregate:
    aggregates = call.compute.aggregates
    if action == "set_metadata":
        aggregate = aggregates.get(number)
        for name, value in argument["metadata"].items():
            if value is None:
                aggregate.metadata.pop(name, None)
            else:
                aggregate.metadata[name] = value
    elif action in ("add_host", "remove_host"):
        check(argument, {"type": "object", "required": ["host"]})
        change = aggregates.add_host if action == "add_host" else aggregates.remove_host
        aggregate = change(number, argument["host"])
    else:
        raise InvalidRequestError(f"There is no such action: {action}")
    return aggregate


def _aggregate(call: Call, aggregate: Aggregate) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": aggregate.number}
    if call.minor >= 41:
        shown["uuid"] = aggregate.uuid
    return shown | {
        "name": aggregate.name,
        "hosts": aggregate.hosts,
        "metadata": aggregate.metadata,
        "created_at": iso_micro(aggregate.created),
        "updated_at": None,
        "deleted_at": None,
        "deleted": False,
        "availability_zone": aggregate.metadata.get("availability_zone"),
    }
