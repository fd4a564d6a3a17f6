# SPDX-License-Identifier: Apache-2.0
"""What is said where no lab can be; with one, `make openstack` itself is the test."""

from __future__ import annotations

import pytest

from lab import check, install
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
