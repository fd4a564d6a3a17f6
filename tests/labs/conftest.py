# SPDX-License-Identifier: Apache-2.0
"""Tests of labs; those that need one that is up bear the mark ``lab``."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab import about
from lab.check import TOLD
from lab.layout import Kind, Lab, named
from lab.site import Site
from labs.outages import mend


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark what needs a lab, for ``-m lab``."""
    for item in items:
        if "running" in getattr(item, "fixturenames", ()):
            item.add_marker("lab")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A lab of kind control-plane of which nothing exists."""
    return Site(named(Kind.CONTROL_PLANE, root=tmp_path), "x7-unsaid")


@pytest.fixture(scope="session")
def running() -> Lab:
    """The lab that was brought up for the tests."""
    home = os.environ.get(TOLD)
    if home is None:
        pytest.skip(f"needs a lab: `make openstack` brings one up ({TOLD} is not set)")
    return about.read(Path(home))


@pytest.fixture
def broken(running: Lab) -> Iterator[Lab]:
    """A lab that may be broken: everything runs again afterwards."""
    yield running
    mend(running)
