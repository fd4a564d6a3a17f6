# SPDX-License-Identifier: Apache-2.0
import os
import shutil
from pathlib import Path

import pytest

from lab import check, install
from lab.guests import machine
from lab.layout import Kind, named


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
