# SPDX-License-Identifier: Apache-2.0
"""Nova's libvirt driver, told that the hosts of the lab share their disks.

The hosts are namespaces of one machine and keep guests in one folder. libvirt sees a local file system there, takes it
for unshared and refuses to migrate live; Nova would find out over SSH with keys that nova-compute does not have.
Checked against nova 34.0.0 and libvirt 9.0.0.
"""

from typing import Any

import libvirt
from nova.virt.libvirt import driver


class LabDriver(driver.LibvirtDriver):
    """The driver of one host."""

    def _parse_migration_flags(self) -> None:
        super()._parse_migration_flags()
        self._live_migration_flags |= libvirt.VIR_MIGRATE_UNSAFE

    def _is_path_shared_with(self, dest: Any, path: Any) -> bool:
        return True
