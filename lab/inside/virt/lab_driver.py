# SPDX-License-Identifier: Apache-2.0
"""Nova's own fake virt driver, with guests that outlive nova-compute and are where a real one would be.

What differs from nova's fake driver, and why:

* a guest is a record on disk (see ``lab_guests``), so a nova-compute that is started again finds its guests, as
  with libvirt;
* during a live migration the guest is handed over in one write, so it is never on no host;
* a cold migration stops the guest on the source and starts it on the destination;
* the node's UUID outlives restarts (the base class), its address is the host's, and it says how long it is up.

Checked against nova 34.0.0.
"""

import os
import time
from typing import Any

import nova.conf
from nova import exception
from nova.compute import power_state
from nova.virt import fake, lab_guests

CONF = nova.conf.CONF


def _seconds(name: str) -> float:
    return float(os.environ.get(name, "0"))


class LabDriver(fake.FakeDriverWithoutFakeNodes):
    """The driver of one host."""

    vcpus = 16
    memory_mb = 16_384
    local_gb = 200

    def init_host(self, host: str) -> None:
        """Take up the guests that are on this host already."""
        super().init_host(host)
        self._records = lab_guests.Records.of_environment()
        for record in self._records.on(host):
            state = power_state.RUNNING if record["running"] else power_state.SHUTDOWN
            self.instances[record["id"]] = fake.FakeInstance(
                record["libvirt_name"], state, record["id"]
            )

    def get_host_ip_addr(self) -> str:
        """Return the host's own address."""
        return str(CONF.my_ip)

    def get_host_uptime(self) -> str:
        """Return what ``uptime`` would say."""
        return " 00:00:00 up 1 day,  1:00,  1 user,  load average: 0, 0, 0"

    def spawn(self, context: Any, instance: Any, *args: Any, **named: Any) -> None:
        """Start a guest."""
        time.sleep(_seconds("LAB_BOOT_S"))
        super().spawn(context, instance, *args, **named)
        self._put(instance, running=named.get("power_on", True))

    def destroy(self, context: Any, instance: Any, *args: Any, **named: Any) -> None:
        """End a guest; one that is on another host by now is left alone there."""
        if instance.uuid in self.instances:
            super().destroy(context, instance, *args, **named)
        self._records.remove(instance.uuid, CONF.host)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        """Stop a guest."""
        super().power_off(instance, timeout, retry_interval)
        self._records.change(instance.uuid, CONF.host, running=False)

    def power_on(self, context: Any, instance: Any, *args: Any, **named: Any) -> None:
        """Start a guest that was stopped."""
        super().power_on(context, instance, *args, **named)
        self._records.change(instance.uuid, CONF.host, running=True)

    def reboot(
        self, context: Any, instance: Any, network_info: Any, reboot_type: str, **named: Any
    ) -> None:
        """Stop a guest for a moment."""
        self._records.change(instance.uuid, CONF.host, running=False)
        time.sleep(_seconds("LAB_BOOT_S"))
        if instance.uuid not in self.instances:
            super().spawn(context, instance, instance.image_meta, None, None, None, network_info)
        self.instances[instance.uuid].state = power_state.RUNNING
        self._put(instance, running=True)

    def resume_state_on_host_boot(
        self, context: Any, instance: Any, network_info: Any, *args: Any, **named: Any
    ) -> None:
        """Start a guest again after its host did."""
        self.reboot(context, instance, network_info, "HARD")

    def pause(self, instance: Any) -> None:
        """Let a guest stand still."""
        self._rest(instance, power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        """Let it go on."""
        self._rest(instance, power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        """Save a guest and stop it."""
        self._rest(instance, power_state.SUSPENDED)

    def resume(self, context: Any, instance: Any, *args: Any, **named: Any) -> None:
        """Let it go on where it was saved."""
        self._rest(instance, power_state.RUNNING)

    def migrate_disk_and_power_off(
        self, context: Any, instance: Any, *args: Any, **named: Any
    ) -> str:
        """Stop a guest that is about to be moved, and return what the destination must know of its disk."""
        if instance.uuid in self.instances:
            self.instances[instance.uuid].state = power_state.SHUTDOWN
        self._records.change(instance.uuid, CONF.host, running=False)
        time.sleep(_seconds("LAB_COLD_MIGRATION_S"))
        return "[]"

    def finish_migration(
        self, context: Any, migration: Any, instance: Any, *args: Any, **named: Any
    ) -> None:
        """Start a guest that was moved here."""
        super().finish_migration(context, migration, instance, *args, **named)
        self._put(instance, running=named.get("power_on", True))

    def finish_revert_migration(
        self, context: Any, instance: Any, network_info: Any, *args: Any, **named: Any
    ) -> None:
        """Start a guest that is back."""
        super().finish_revert_migration(context, instance, network_info, *args, **named)
        self._put(instance, running=named.get("power_on", True))

    def live_migration(
        self,
        context: Any,
        instance: Any,
        dest: str,
        post_method: Any,
        recover_method: Any,
        block_migration: bool = False,
        migrate_data: Any = None,
    ) -> None:
        """Hand a running guest over to another host."""
        time.sleep(_seconds("LAB_LIVE_MIGRATION_S"))
        self._records.change(instance.uuid, CONF.host, host=dest)
        super().live_migration(
            context, instance, dest, post_method, recover_method, block_migration, migrate_data
        )

    def post_live_migration(
        self, context: Any, instance: Any, block_device_info: Any, migrate_data: Any = None
    ) -> None:
        """Forget a guest that has moved: nova's fake driver keeps it for ever."""
        self.destroy(context, instance, None, block_device_info)

    def post_live_migration_at_destination(
        self, context: Any, instance: Any, *args: Any, **named: Any
    ) -> None:
        """Know a guest that has moved here; it runs already."""
        flavor = instance.flavor
        self.resources.claim(flavor.vcpus, flavor.memory_mb, flavor.root_gb)
        self.instances[instance.uuid] = fake.FakeInstance(
            instance.name, power_state.RUNNING, instance.uuid
        )

    def _rest(self, instance: Any, state: int) -> None:
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid].state = state
        self._records.change(instance.uuid, CONF.host, running=state == power_state.RUNNING)

    def _put(self, instance: Any, *, running: bool) -> None:
        self._records.put(
            {
                "id": instance.uuid,
                "name": instance.display_name,
                "libvirt_name": instance.name,
                "host": CONF.host,
                "running": running,
                "ports": [vif["id"] for vif in instance.get_network_info()],
            }
        )
