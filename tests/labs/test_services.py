# SPDX-License-Identifier: Apache-2.0
"""What is written for the services, and the graph that brings them up; nothing is started."""

import configparser
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from doctor_maintenance import config
from doctor_maintenance.protocol import EventType
from doctor_maintenance.protocol.traits import HOST_TRAITS, PROJECT_TRAITS
from lab import catalogue, events, lifecycle, seed, starting, steps
from lab.control_plane.parts import parts
from lab.ini import over, render
from lab.layout import Port
from lab.service import Service
from lab.services import nova
from lab.site import Site


@pytest.fixture
def services(site: Site) -> list[Service]:
    paste = site.share("nova/api-paste.ini")
    paste.parent.mkdir(parents=True)
    paste.write_text("[composite:osapi_compute]\n")
    return catalogue.services_of(site, parts(site))


def read(services: list[Service], name: str) -> Mapping[str, Mapping[str, str]]:
    text = next(
        text for service in services for path, text in service.files.items() if path.name == name
    )
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def test_options_are_rendered_as_oslo_config_reads_them() -> None:
    text = render({"DEFAULT": {"debug": True, "rate": 2}, "hosts": {"name": ["a", "b"]}})

    assert text == "[DEFAULT]\ndebug = true\nrate = 2\n\n[hosts]\nname = a\nname = b\n"


def test_options_over_others_win_and_none_removes() -> None:
    merged = over({"a": {"x": 1, "y": 2}}, {"a": {"y": None, "z": 3}, "b": {"w": 4}})

    assert merged == {"a": {"x": 1, "z": 3}, "b": {"w": 4}}


def test_graph_of_steps_can_be_run(site: Site, services: list[Service]) -> None:
    planned = starting.steps_of(site, parts(site), services)

    steps.check(planned)
    names = {step.name for step in planned}
    assert {"mariadb", "rabbitmq", "keystone", "neutron", "nova-api", "external network"} <= names
    assert {nova.compute(host) for host in site.lab.hosts} <= names


def test_what_is_done_once_is_not_done_again(site: Site, services: list[Service]) -> None:
    for step in ("set up nova", "external network"):
        mark = starting.done_mark(site.lab, step)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    planned = starting.steps_of(site, parts(site), services)

    steps.check(planned)
    assert not {"set up nova", "external network"} & {step.name for step in planned}


def test_every_listener_has_a_port_of_this_lab(site: Site, services: list[Service]) -> None:
    usual = ("5000", "8774", "8778", "9292", "9696", "8042", "3306", "5672", "4369")

    for service in services:
        for path, text in service.files.items():
            assert not [port for port in usual if f":{port}" in text], path
        for daemon in service.daemons:
            assert not set(usual) & set(daemon.argv), daemon.name


def test_each_nova_compute_has_its_hosts_name_address_and_no_database(
    site: Site, services: list[Service]
) -> None:
    options = read(services, "compute2.conf")

    assert options["DEFAULT"]["host"] == "compute2"
    assert options["DEFAULT"]["my_ip"] == site.lab.address_of("compute2")
    assert options["DEFAULT"]["compute_driver"] == "lab_driver.LabDriver"
    assert "database" not in options
    assert "api_database" not in options


def test_new_alarm_is_seen_at_once(services: list[Service]) -> None:
    assert read(services, "aodh.conf")["DEFAULT"]["event_alarm_cache_ttl"] == "0"


def test_notifications_of_nova_reach_ceilometer_by_the_bus(
    site: Site, services: list[Service]
) -> None:
    nova_options = read(services, "nova.conf")
    ceilometer = read(services, "ceilometer.conf")

    assert nova_options["oslo_messaging_notifications"]["driver"] == "messagingv2"
    assert nova_options["DEFAULT"]["transport_url"] == ceilometer["DEFAULT"]["transport_url"]
    assert f":{site.lab.port(Port.RABBITMQ)}/" in nova_options["DEFAULT"]["transport_url"]


def test_every_trait_of_the_protocol_is_in_the_event_definitions() -> None:
    told = {item["event_type"]: item["traits"] for item in yaml.safe_load(events.definitions())}

    assert list(told[EventType.PROJECT]) == list(PROJECT_TRAITS)
    assert list(told[EventType.HOST]) == list(HOST_TRAITS)
    assert told[EventType.PROJECT]["actions_at"] == {
        "fields": "payload.actions_at",
        "type": "datetime",
    }
    assert told[EventType.PROJECT]["state"] == {"fields": "payload.state"}


def test_settings_of_a_run_are_read_by_the_project(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "run.conf"
    path.write_text(render(lifecycle.run_options(site, parts(site))))

    settings = config.load(files=[str(path)], environ={})

    assert settings.cloud.kind == "openstack"
    assert settings.cloud.os_cloud == "lab"
    assert settings.cloud.clouds_file == str(site.lab.clouds_file)
    assert settings.cloud.note is not None
    assert "simulated" in settings.cloud.note
    assert settings.admin_tool.notify_driver == "messagingv2"
    assert settings.admin_tool.transport_url == site.bus
    assert settings.ssh.port == site.lab.port(Port.SSH)
    assert settings.probe.port == site.lab.port(Port.SERVICE)


def test_clouds_file_has_the_operator_and_an_ordinary_user(site: Site) -> None:
    clouds = seed.clouds(site)

    assert {name: entry["auth"]["username"] for name, entry in clouds.items()} == {  # type: ignore[index]
        "lab": "admin",
        "lab-demo": "demo",
    }


def test_password_is_in_no_command_line(services: list[Service]) -> None:
    shown = {"set up keystone", "create databases", "set up nova"}  # for seconds, of root, once

    for service in services:
        for daemon in service.daemons:
            assert not [word for word in daemon.argv if "x7-unsaid" in word], daemon.name
        for set_up in service.set_up:
            if set_up.name not in shown:
                words = [word for argv in set_up.commands for word in argv]
                assert not [word for word in words if "x7-unsaid" in word], set_up.name
