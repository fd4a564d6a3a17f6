# SPDX-License-Identifier: Apache-2.0
"""The kind of lab in which guests run and move, their network carries, and hosts can be rebooted.

What the kind adds is imported when it is asked for: the processes that are a host are of this package as well, and a
reboot is not to wait until they have imported OpenStack's clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.layout import Lab
    from lab.service import Parts
    from lab.site import Site


def parts(site: Site) -> Parts:
    """Return the parts of a lab of this kind."""
    from lab.guests import assembly

    return assembly.parts(site)


def impossible() -> str | None:
    """Return why this kind cannot be on this machine; None: it can."""
    from lab.guests import machine

    return machine.impossible()


def clear(lab: Lab) -> None:
    """Remove namespaces and wires; there may be none."""
    from lab.guests.network import Network, remove

    remove(Network(lab))


def prepare(lab: Lab, say: Callable[[str], None]) -> None:
    """Make the guests' image, which all labs of this kind share; blocks. One that is there is left alone."""
    from lab.guests import image

    folder = image.folder_of(lab)
    if not image.fresh(folder):
        say("making the guests' image")
        image.build(folder)
