# SPDX-License-Identifier: Apache-2.0
"""What the installed version of OVN makes different.

OVN from 24 on gives each tunnel the address of the host's own end, and no option turns that off (seen with 25.03). Open
vSwitch takes such an end only if a route says that it is of this host, and only the kernel's routes do, not those that
it is told (seen with 3.5.0). So there the switch has to follow the kernel's routes. It then forgets them, and with them
which packets belong to a tunnel, at every change of any interface, and reads them again; what passes meanwhile is lost.
"""

from __future__ import annotations

import re

from doctor_maintenance.exceptions import PreconditionError
from lab.guests.commands import said

_NAMES_OWN_END = 24
_VERSION = re.compile(r"^ovn-controller (\d+)\.", re.MULTILINE)


def follows_kernel() -> bool:
    """Return whether hosts' switches have to follow the kernel's routes; asks the installed OVN.

    Raises:
        PreconditionError: it is not installed, or does not tell its version.
    """
    return major(said("ovn-controller", "--version")) >= _NAMES_OWN_END


def lossy() -> str | None:
    """Return why a lab of this kind may lose a packet now and then though nothing is wrong; None: it does not.

    Raises:
        PreconditionError: OVN is not installed, or does not tell its version.
    """
    if not follows_kernel():
        return None
    return (
        f"with OVN {_NAMES_OWN_END} or newer, user-space Open vSwitch loses a packet now and then when an interface "
        "comes or goes, so no scenario can be held to none (Debian 12 has an older one); see docs/lab_guests"
    )


def major(told: str) -> int:
    """Return the major version in what ``ovn-controller --version`` told.

    Raises:
        PreconditionError: there is none.
    """
    found = _VERSION.search(told)
    if found is None:
        raise PreconditionError(f"expected the version of ovn-controller, found {told.strip()!r}")
    return int(found[1])
