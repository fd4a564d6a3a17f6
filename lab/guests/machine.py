# SPDX-License-Identifier: Apache-2.0
"""What a machine has to allow for hosts to be made on it: root alone is not enough in most containers."""

from __future__ import annotations

from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab.guests.commands import call

TUN = Path("/dev/net/tun")
"""What the interfaces of guests and switches are made with."""

_NAMESPACES = ("unshare", "--mount", "--net", "--uts", "--pid", "--fork", "true")


def impossible() -> str | None:
    """Return why there can be no hosts on this machine; None: there can."""
    try:
        call(*_NAMESPACES)
        with TUN.open("rb"):
            return None
    except (PreconditionError, OSError) as error:
        return (
            f"hosts need namespaces and {TUN}, which this machine refuses ({error}); be root on it, not in a "
            "container without privileges"
        )
