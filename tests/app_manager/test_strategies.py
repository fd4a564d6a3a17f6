# SPDX-License-Identifier: Apache-2.0
"""The registry of switch-over strategies."""

from __future__ import annotations

import pytest

from doctor_maintenance.exceptions import UsageError
from sample_app_manager import strategies


def test_each_file_is_a_strategy() -> None:
    assert strategies.names() == ["auto", "floating_ip", "none", "port_forwarding", "route"]
    assert [name for name in strategies.names() if not strategies.find(name).moves] == ["none"]


@pytest.mark.parametrize("name", ["", "hope", "__init__", "../api", "floating_ip.py"])
def test_an_unknown_strategy_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(UsageError, match="floating_ip, none"):
        strategies.find(name)
