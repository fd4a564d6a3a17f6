# SPDX-License-Identifier: Apache-2.0
"""What all tests share: nothing, but for the meaning of a selection that has no test."""

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let ``-m slow`` pass where the files named have no slow test: tox runs them in a second round."""
    none_found = (
        session.testscollected == 0 and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
    )
    if none_found and session.config.option.markexpr == "slow":
        session.exitstatus = pytest.ExitCode.OK
