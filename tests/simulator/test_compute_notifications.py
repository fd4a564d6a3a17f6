# SPDX-License-Identifier: Apache-2.0
"""What the compute model tells others: notifications on the bus, ports in Neutron."""

from __future__ import annotations

import ipaddress

from doctor_maintenance.simulator.records import BootRequest, NetworkRequest

from .sim import Sim


def test_an_instance_in_error_is_published_for_an_alarm_of_its_project() -> None:
    sim = Sim("instant", served=False)
    project_id = sim.cloud.identity.admin_project.id
    query = [{"field": "traits.state", "op": "eq", "type": "string", "value": "error"}]
    alarm = sim.cloud.alarms.create(
        project_id, "user", "failure", event_type="compute.instance.update", query=query
    )
    instance = sim.cloud.compute.boot(project_id, BootRequest("one", "m1.small"))[0]
    assert alarm.state == "insufficient data"
    sim.cloud.compute.reset_state(instance.instance_id, "error")
    assert alarm.state == "alarm"


def test_nothing_is_published_for_a_project_without_such_an_alarm() -> None:
    sim = Sim("instant", served=False)
    project_id = sim.cloud.identity.admin_project.id
    sim.cloud.alarms.create("another", "user", "failure", event_type="compute.instance.update")
    sim.cloud.alarms.create(project_id, "user", "plan", event_type="maintenance.scheduled")
    sim.cloud.compute.boot(project_id, BootRequest("one", "m1.small"))
    assert sim.cloud.bus.count == 0


def test_the_port_of_a_live_migrating_instance_goes_down_and_up_twice() -> None:
    sim = Sim("fast", served=False)
    network = sim.cloud.network.create_network("project", name="private")
    block = ipaddress.IPv4Network("10.9.0.0/24")
    sim.cloud.network.create_subnet(network, block, project_id="project")
    request = BootRequest(
        "one", "m1.small", networks=(NetworkRequest(network.id),), host="compute1"
    )
    instance = sim.cloud.compute.boot("project", request)[0]
    sim.clock.run()
    port = sim.cloud.network.ports_of(instance.instance_id)[0]
    sim.cloud.compute.live_migrate(instance.instance_id, "compute2")
    seen = [(port.host, port.status)]
    while sim.clock.step():
        if seen[-1] != (port.host, port.status):
            seen.append((port.host, port.status))
    assert seen == [
        ("compute1", "ACTIVE"),
        ("compute1", "DOWN"),
        ("compute1", "ACTIVE"),
        ("compute2", "DOWN"),
        ("compute2", "ACTIVE"),
    ]


def test_a_port_may_still_be_down_when_the_instance_is_active() -> None:
    sim = Sim("fast", served=False, live_port_lag=1.0)
    network = sim.cloud.network.create_network("project", name="private")
    block = ipaddress.IPv4Network("10.9.0.0/24")
    sim.cloud.network.create_subnet(network, block, project_id="project")
    request = BootRequest("one", "m1.small", networks=(NetworkRequest(network.id),))
    instance = sim.cloud.compute.boot("project", request)[0]
    sim.clock.run()
    sim.cloud.compute.live_migrate(instance.instance_id)
    sim.clock.run_until(lambda: instance.status == "ACTIVE", sim.clock.now() + 5)
    assert sim.cloud.network.ports_of(instance.instance_id)[0].status == "DOWN"
