# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from lab import check, install
from lab.guests import image, machine
from lab.layout import Kind, Lab, named

Calls = list[list[str]]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """What an installation calls, on a machine that has nothing; it is not carried out."""
    calls: Calls = []

    def call(argv: Sequence[str], log: Path, stopping: threading.Event) -> None:
        calls.append(list(argv))
        if "venv" in argv:
            python = Path(argv[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.symlink_to("/bin/true")

    wanted = {Kind.CONTROL_PLANE: ["mariadb"], Kind.GUESTS: ["mariadb", "qemu"]}
    monkeypatch.setattr(install, "_call", call)
    monkeypatch.setattr(install, "_can_install", lambda: True)
    monkeypatch.setattr(install, "_POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(install, "missing_packages", lambda kind: wanted[kind])
    monkeypatch.setattr(image, "fresh", lambda folder: True)
    return calls


def labs(root: Path) -> list[Lab]:
    return [named(kind, root=root) for kind in Kind]


def pips(calls: Calls) -> list[Path]:
    """Return the files of requirements that pip was told to install, in order."""
    return [Path(argv[-1]) for argv in calls if "pip" in argv]


def test_two_kinds_are_installed_at_once_and_each_package_once(
    called: Calls, tmp_path: Path
) -> None:
    install.install(labs(tmp_path), lambda line: None)

    installs = [argv for argv in called if argv[0] == "apt-get" and "install" in argv]
    assert [argv[-2:] for argv in installs] == [["mariadb", "qemu"]]
    assert [path.parent.name for path in pips(called)] == ["lab", "guests"]
    assert all(install._stamped(lab) for lab in labs(tmp_path))


def test_what_a_kind_adds_is_installed_after_its_packages_and_the_services(
    called: Calls, tmp_path: Path
) -> None:
    install.install(labs(tmp_path), lambda line: None)

    own = next(argv for argv in called if str(argv[-1]).endswith("guests/requirements.txt"))
    assert called.index(own) == len(called) - 1


def test_what_is_installed_is_left_alone(
    called: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install.install(labs(tmp_path), lambda line: None)
    monkeypatch.setattr(install, "missing_packages", lambda kind: [])
    called.clear()
    said: list[str] = []

    install.install(labs(tmp_path), said.append)

    assert (called, said) == ([], [])


def test_environment_whose_interpreter_is_gone_is_made_anew(
    called: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install.install(labs(tmp_path), lambda line: None)
    monkeypatch.setattr(install, "missing_packages", lambda kind: [])
    python = labs(tmp_path)[0].venv / "bin" / "python"
    python.unlink()
    python.symlink_to(tmp_path / "removed")
    called.clear()

    install.install(labs(tmp_path), lambda line: None)

    assert "venv" in called[0]
    assert [path.parent.name for path in pips(called)] == ["lab", "guests"]


def test_program_of_an_installation_ends_when_another_one_failed(tmp_path: Path) -> None:
    stopping = threading.Event()
    stopping.set()

    with pytest.raises(PreconditionError, match="was ended"):
        install._call(["sleep", "600"], tmp_path / "log", stopping)


def test_program_that_fails_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with pytest.raises(
        PreconditionError, match=r"exit status 3; the end of .*log:\n  no such host"
    ):
        install._call(["sh", "-c", "echo no such host; exit 3"], log, threading.Event())


def test_what_is_installed_stands_in_files_of_the_project() -> None:
    for kind in Kind:
        for name in ("packages.txt", "requirements.txt"):
            assert install.files(kind, name)[0] == Path(install.__file__).parent / name


def test_every_requirement_has_a_tested_version_in_its_range() -> None:
    folder = Path(install.__file__).parent
    tested = {
        line.partition("==")[0].lower() for line in install._lines(folder / "constraints.txt")
    }

    for line in install._lines(folder / "requirements.txt"):
        assert line.partition(">=")[0].lower() in tested
        assert "<" in line, f"{line} has no upper end"


def test_installation_that_was_interrupted_is_not_taken_for_a_good_one(tmp_path: Path) -> None:
    lab = named(Kind.CONTROL_PLANE, root=tmp_path)
    (lab.venv / "bin").mkdir(parents=True)
    assert not install._stamped(lab)

    install._stamp(lab).write_text("of other requirements")
    assert not install._stamped(lab)

    install._stamp(lab).write_text(install._digest(lab.kind))
    assert install._stamped(lab)


def test_machine_that_is_no_debian_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    why_not = install.impossible(Kind.CONTROL_PLANE)

    assert why_not is not None
    assert "Debian" in why_not


def test_without_root_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "missing_packages", lambda kind: ["rabbitmq-server"])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    why_not = install.impossible(Kind.CONTROL_PLANE)

    assert why_not is not None
    assert "only root can install" in why_not
    assert "apt-get install --no-install-recommends rabbitmq-server" in why_not


@pytest.mark.parametrize(("words", "status"), [([], 0), (["--required"], 3)])
def test_what_cannot_be_checked_here_is_said_and_fails_only_where_asked_for(
    words: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(install, "impossible", lambda kind: "this is no Debian")

    assert check.main(words) == status
    assert "LEFT OUT" in capsys.readouterr().out


def test_machine_without_namespaces_or_taps_has_no_guests_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(install, "missing_packages", lambda kind: [])
    monkeypatch.setattr(machine, "_NAMESPACES", ("true",))
    monkeypatch.setattr(machine, "TUN", tmp_path / "tun")

    without_taps = install.impossible(Kind.GUESTS)
    (tmp_path / "tun").touch()
    allowed = install.impossible(Kind.GUESTS)
    monkeypatch.setattr(machine, "_NAMESPACES", ("false",))
    without_namespaces = install.impossible(Kind.GUESTS)

    assert allowed is None
    for why_not in (without_taps, without_namespaces):
        assert why_not is not None
        assert "namespaces" in why_not
    assert install.impossible(Kind.CONTROL_PLANE) is None
