# SPDX-License-Identifier: Apache-2.0
"""Which of a host's interfaces have to be put up."""

from __future__ import annotations

from pathlib import Path

from lab.guests.taps import down


def test_guests_interfaces_without_the_flag_are_down_and_others_are_left_alone(
    tmp_path: Path,
) -> None:
    for name, flags in (
        ("tap3db67281-6e", "0x1102"),
        ("tap89488848-48", "0x1103"),
        ("br-int", "0x1002"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags").write_text(f"{flags}\n", encoding="ascii")
    (tmp_path / "tap-that-goes").mkdir()

    assert down(tmp_path) == ["tap3db67281-6e"]
