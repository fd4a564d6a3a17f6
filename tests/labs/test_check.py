# SPDX-License-Identifier: Apache-2.0
"""What is said where no lab can be; with one, `make openstack` itself is the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import check, install, lifecycle
from lab.guests import versions
from lab.layout import Kind


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no lab can be."""
    monkeypatch.setattr(install, "impossible", lambda kind: f"{kind} needs a network")


@pytest.mark.usefixtures("nowhere")
def test_every_kind_that_is_left_out_is_named_with_the_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check.main([]) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == len(Kind)
    for kind, line in zip(Kind, told, strict=True):
        assert line.startswith("LEFT OUT: ")
        assert line.endswith(f"({kind}): {kind} needs a network")


@pytest.mark.usefixtures("nowhere")
def test_where_it_was_asked_for_it_is_no_success() -> None:
    assert check.main(["--required"]) == 3
    assert check.main(["--required", "--kind", "guests"]) == 3


@pytest.fixture
def newer_ovn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A machine on which both kinds can be and guests lose packets; returns the kinds that are checked."""
    checked: list[str] = []

    def passes(self: check._Check) -> bool:
        checked.append(self.lab.kind)
        return True

    monkeypatch.setenv("DOCTOR_MAINTENANCE_LAB_ROOT", str(tmp_path))
    monkeypatch.setattr(install, "impossible", lambda kind: None)
    monkeypatch.setattr(install, "install", lambda labs, say: None)
    monkeypatch.setattr(lifecycle, "reset", lambda lab: None)
    monkeypatch.setattr(versions, "follows_kernel", lambda: True)
    monkeypatch.setattr(check._Check, "all", passes)
    return checked


@pytest.mark.parametrize(
    ("words", "status", "kinds"),
    [
        ([], 0, ["control-plane"]),
        (["--required"], 3, ["control-plane"]),
        (["--required", "--kind", "guests"], 0, ["guests"]),
    ],
)
def test_guests_that_lose_packets_are_left_out_unless_they_are_named(
    words: list[str],
    status: int,
    kinds: list[str],
    newer_ovn: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check.main(words) == status

    assert newer_ovn == kinds
    assert ("LEFT OUT" in capsys.readouterr().out) == ("guests" not in kinds)
