# SPDX-License-Identifier: Apache-2.0
"""How `run --cloud lab` finds its lab, and what is said when there is none, or something in the way."""

import json
import os
import socket
from pathlib import Path

import pytest

from doctor_maintenance import cli
from doctor_maintenance.exceptions import PreconditionError
from lab import about, daemons, found, lifecycle, ports
from lab.daemons import Process
from lab.layout import Kind, Lab, Port, named


def up(lab: Lab) -> Lab:
    """Let a lab look as if it were up: its only daemon is this process."""
    about.write(lab)
    me = Process.of(os.getpid())
    assert me is not None
    (lab.run / "daemons").mkdir(parents=True)
    (lab.run / "daemons" / "me.json").write_text(json.dumps({"pid": me.pid, "started": me.started}))
    (lab.run / "up.json").write_text(json.dumps(["me"]))
    return lab


def test_only_lab_that_is_up_is_the_one_that_is_meant(tmp_path: Path) -> None:
    lab = up(named(Kind.CONTROL_PLANE, root=tmp_path))
    about.write(named(Kind.GUESTS, root=tmp_path))

    assert found.settings_file("lab", tmp_path) == lab.settings_file
    assert found.settings_file("lab:control-plane", tmp_path) == lab.settings_file


def test_name_of_another_cloud_is_left_to_clouds_yaml(tmp_path: Path) -> None:
    assert found.settings_file("production", tmp_path) is None


def test_several_labs_must_be_told_apart(tmp_path: Path) -> None:
    for kind in Kind:
        up(named(kind, root=tmp_path))

    with pytest.raises(PreconditionError, match="lab:control-plane, lab:guests"):
        found.settings_file("lab", tmp_path)
    guests = found.settings_file("lab:guests", tmp_path)
    assert guests == named(Kind.GUESTS, root=tmp_path).settings_file


def test_run_without_a_lab_exits_3_and_tells_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCTOR_MAINTENANCE_LAB_ROOT", str(tmp_path))

    assert cli.main(["run", "--cloud", "lab"]) == 3
    assert "doctor-maintenance lab up" in capsys.readouterr().err


def test_lab_of_which_a_daemon_ended_is_not_up(tmp_path: Path) -> None:
    lab = up(named(Kind.CONTROL_PLANE, root=tmp_path))
    (lab.run / "up.json").write_text(json.dumps(["me", "nova-api"]))

    assert not lifecycle.is_up(lab)
    assert lifecycle.labs_up(tmp_path) == []


def test_lab_is_described_so_that_others_find_it(tmp_path: Path) -> None:
    lab = named(Kind.GUESTS, name="third", hosts=4, root=tmp_path)

    about.write(lab)

    assert about.read(lab.home) == lab
    assert about.all_labs(tmp_path) == [lab]


def test_foreign_process_on_a_port_is_named(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, name="other", root=tmp_path)
    with socket.socket() as foreign:
        foreign.bind(("127.0.0.1", lab.port(Port.NOVA)))
        foreign.listen()

        with pytest.raises(PreconditionError) as refusal:
            ports.refuse_foreign(lab, ours=[])
        ports.refuse_foreign(lab, ours=[os.getpid()])

    assert f"port {lab.port(Port.NOVA)}" in str(refusal.value)
    assert f"process {os.getpid()}" in str(refusal.value)
    assert "--port-base" in str(refusal.value)


@pytest.mark.parametrize(
    ("clients", "expected"),
    [("34000 60999", False), ("33031 60999", True), ("33032 60999", False), ("1024 33000", True)],
)
def test_ports_that_the_kernel_gives_to_clients_are_warned_of(
    clients: str, expected: bool, tmp_path: Path
) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path, port_base=33_000)
    told = tmp_path / "ip_local_port_range"
    told.write_text(f"{clients}\n", encoding="ascii")

    risk = ports.risk(lab, told)

    assert (risk is not None) == expected
    assert risk is None or ("33000 to 33031" in risk and "--port-base" in risk)


def test_lab_with_data_is_not_made_another(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)
    about.write(lab)
    lab.state.mkdir(parents=True)

    with pytest.raises(PreconditionError, match=r"3 hosts.*lab reset"):
        lifecycle.up(named(Kind.CONTROL_PLANE, hosts=5, root=tmp_path), print)


def test_second_command_on_a_lab_is_refused_while_one_works(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)
    lab.home.mkdir()

    with lifecycle._alone(lab), pytest.raises(PreconditionError, match="another `lab` command"):
        lifecycle.down(lab)


def test_down_and_reset_of_a_lab_that_never_was_are_no_error(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)

    lifecycle.down(lab)
    lifecycle.reset(lab)

    assert not lab.home.exists()


def test_reset_removes_data_logs_and_configuration(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)
    about.write(lab)
    for folder in (lab.state, lab.etc, lab.log, lab.run):
        folder.mkdir()
        (folder / "file").touch()

    lifecycle.reset(lab)

    assert [path.name for path in lab.home.iterdir()] == ["lock"]
    assert daemons.records(lab) == []


def test_what_was_left_unfinished_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = named(Kind.CONTROL_PLANE, name="anew", root=tmp_path)
    about.write(lab)
    (lab.state / "mariadb").mkdir(parents=True)
    (lab.state / "begun").touch()
    monkeypatch.setattr(lifecycle, "_up", lambda site, say: [])
    told: list[str] = []

    lifecycle.up(lab, told.append)

    assert told == ["an earlier `up` did not come to its end: beginning anew"]
    assert not (lab.state / "mariadb").exists()


def test_data_of_a_lab_that_was_up_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = named(Kind.CONTROL_PLANE, name="anew", root=tmp_path)
    about.write(lab)
    (lab.state / "mariadb").mkdir(parents=True)
    for mark in ("begun", "complete"):
        (lab.state / mark).touch()
    monkeypatch.setattr(lifecycle, "_up", lambda site, say: [])

    lifecycle.up(lab, print)

    assert (lab.state / "mariadb").exists()
