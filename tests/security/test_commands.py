# SPDX-License-Identifier: Apache-2.0
"""No command on a host is made of what the network sent: shell words planted everywhere reach no shell."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from doctor_maintenance.admin_tool.host_side import BOOT_ID, HostSideRules
from doctor_maintenance.simulator.records import BootRequest
from doctor_maintenance.simulator.topology import Topology, build_topology
from security.tool_world import ToolWorld

EVIL = "$(touch /tmp/x); reboot; `id` && true | sh # '\""
CONFIGURED = {
    "firmware-update",
    "true",
    BOOT_ID,
    HostSideRules().reboot_command,
    HostSideRules().guests_command,
}


class EvilWorld(ToolWorld):
    """A cloud with a host, projects and instances whose names are shell commands."""

    topology: Topology = build_topology(3)

    def __init__(self, host: str) -> None:
        first, *others = self.topology.hosts
        topology = replace(self.topology, hosts=(replace(first, name=host), *others))
        super().__init__(topology=topology, first=host)


@pytest.mark.parametrize("kind", ["full", "reboot"])
@pytest.mark.parametrize("host", ["compute1;reboot", "$(reboot)", "-oProxyCommand=reboot"])
def test_only_configured_commands_reach_a_host(kind: str, host: str) -> None:
    world = EvilWorld(host)
    blue = world.projects["blue"]
    request = BootRequest(EVIL, "m1.tiny", host=host, forced=True)
    instance = world.cloud.compute.boot(blue, request)[0].instance_id
    world.clock.advance(30.0)
    body = {"hosts": [host], "type": kind, "metadata": {"note; reboot": "$(reboot) `id`"}}

    made = world.ask("POST", "/v1/maintenance", body, token=world.token("admin"))
    assert made.status_code == 201, made.text
    session_id = made.json()["session_id"]
    path = f"/v1/maintenance/{session_id}"
    for actions in ({EVIL: "MIGRATE"}, {instance: EVIL}, {instance: "LIVE_MIGRATE"}):
        reply = {"session_id": session_id, "state": f"ACK_{EVIL}", "instance_actions": actions}
        world.ask("PUT", f"{path}/{blue}/1", reply, token=world.token("blue"))
    world.ask("POST", f"{path}/action", {"release": {"host": EVIL}}, token=world.token("admin"))
    world.clock.advance(120.0)

    view: dict[str, Any] = world.ask("GET", path, token=world.token("admin")).json()
    assert view["state"] == "MAINTENANCE_OVER", view
    assert world.commands
    assert set(world.commands) <= CONFIGURED


@pytest.mark.parametrize("field", ["hosts", "rules", "command", "test_command"])
def test_no_field_of_a_request_is_a_command(field: str) -> None:
    world = ToolWorld()
    wanted: dict[str, Any] = {"hosts": ["compute1"], "type": "full"}
    wanted[field] = {"maintenance_commands": [EVIL]} if field == "rules" else [EVIL]

    answer = world.ask("POST", "/v1/maintenance", wanted, token=world.token("admin"))

    assert answer.status_code == 400
    world.clock.advance(60.0)
    assert world.commands == []


def test_no_line_of_the_log_is_forged_by_what_came(caplog: pytest.LogCaptureFixture) -> None:
    world = ToolWorld()
    with caplog.at_level(logging.DEBUG):
        session_id = world.begin()
        for evil in ("x\n2100-01-01 INFO all is well", "x\r\nforged"):
            body = {"session_id": session_id, "state": evil, "instance_actions": {evil: evil}}
            blue = world.projects["blue"]
            world.ask(
                "PUT", f"/v1/maintenance/{session_id}/{blue}/1", body, token=world.token("blue")
            )
            world.ask("POST", "/v1/maintenance", {"hosts": [evil]}, token=world.token("admin"))

    ours = [record for record in caplog.records if record.name.startswith("doctor_maintenance")]
    assert ours
    assert not [
        record for record in ours if "\n" in record.getMessage() or "\r" in record.getMessage()
    ]
