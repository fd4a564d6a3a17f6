# SPDX-License-Identifier: Apache-2.0
"""The part of the compute model that moves instances: the checks that Nova's API makes before it says yes.

The movements themselves are timelines in ``live_migration.py`` and ``cold_migration.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from doctor_maintenance.exceptions import ConflictError, InvalidRequestError, NotFoundError
from doctor_maintenance.simulator import cold_migration, live_migration
from doctor_maintenance.simulator.compute_base import ComputeBase
from doctor_maintenance.simulator.records import (
    NOBODY,
    Caller,
    Flavor,
    Instance,
    Migration,
    MigrationType,
)
from doctor_maintenance.simulator.states import MIGRATION_ENDED, MigrationStatus, TaskState

_ABORTABLE = frozenset(
    {
        MigrationStatus.ACCEPTED,
        MigrationStatus.QUEUED,
        MigrationStatus.PREPARING,
        MigrationStatus.RUNNING,
    }
)


class ComputeMoves(ComputeBase):
    """A compute model that moves instances between its hosts."""

    def get(self, instance_id: str) -> Instance:
        """Return an instance that is not gone.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self.instances[instance_id]
        except KeyError:
            raise NotFoundError(f"Instance {instance_id} could not be found.") from None

    def flavor_for(self, flavor_id: str) -> Flavor:
        """Return the flavor that a request names by ID or name.

        Raises:
            InvalidRequestError: there is none.
        """
        try:
            return self.flavors.find(flavor_id)
        except NotFoundError as error:
            raise InvalidRequestError(str(error)) from error

    def live_migrate(
        self,
        instance_id: str,
        host: str | None = None,
        *,
        force: bool = False,
        synchronous: bool = False,
        caller: Caller = NOBODY,
    ) -> Migration:
        """Move a running instance.

        Args:
            instance_id: which one.
            host: where to; None: the scheduler chooses.
            force: do not ask the scheduler about that host.
            synchronous: choose the host before returning, as microversions before 2.34 do.
            caller: who asks.

        Raises:
            NotFoundError: there is no such instance.
            InvalidRequestError: there is no such host, or (synchronous) it is the instance's own.
            NoValidHost: (synchronous) no host will do.
            ConflictError: the instance's state does not allow it.
        """
        instance = self.get(instance_id)
        self.check(instance, "os-migrateLive")
        if host is not None and host not in self.hosts:
            raise InvalidRequestError(f"Compute host {host} could not be found.")
        return live_migration.begin(self, instance, host, force, synchronous, caller)

    def migrate(
        self, instance_id: str, host: str | None = None, caller: Caller = NOBODY
    ) -> Migration:
        """Move an instance by stopping it; it is VERIFY_RESIZE then, until confirmed or reverted.

        Args:
            instance_id: which one.
            host: where to; None: the scheduler chooses.
            caller: who asks.

        Raises:
            NotFoundError: there is no such instance.
            InvalidRequestError: there is no such host, or it is the instance's own.
            ConflictError: the instance's state does not allow it, or its nova-compute is down.
        """
        instance = self.get(instance_id)
        self.check(instance, "migrate")
        if instance.host is not None and self.hosts[instance.host].service.state != "up":
            raise ConflictError("Service is unavailable at this time.")
        if host is not None:
            if host not in self.hosts:
                raise InvalidRequestError(f"Compute host {host} could not be found.")
            if host == instance.host:
                raise InvalidRequestError("Cannot migrate to the host where the server exists.")
        return cold_migration.begin(self, instance, host, None, caller)

    def resize(self, instance_id: str, flavor_id: str, caller: Caller = NOBODY) -> Migration:
        """Give an instance another flavor, perhaps on another host; like :meth:`migrate` otherwise.

        Raises:
            NotFoundError: there is no such instance.
            InvalidRequestError: there is no such flavor, or it is the instance's own.
            ConflictError: the instance's state does not allow it.
            QuotaExceeded: the project may not have so much.
        """
        instance = self.get(instance_id)
        self.check(instance, "resize")
        flavor = self.flavor_for(flavor_id)
        if flavor.flavor_id == instance.flavor.flavor_id:
            raise InvalidRequestError("When resizing, instances must change flavor!")
        return cold_migration.begin(self, instance, None, flavor, caller)

    def confirm_resize(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Accept a cold migration; the instance is ACTIVE a while later.

        Raises:
            NotFoundError: there is no such instance.
            ConflictError: its state does not allow it.
        """
        instance = self.get(instance_id)
        self.check(instance, "confirmResize")
        cold_migration.begin_confirm(self, instance, caller)

    def revert_resize(self, instance_id: str, caller: Caller = NOBODY) -> None:
        """Take a cold migration back.

        Raises:
            NotFoundError: there is no such instance.
            ConflictError: its state does not allow it.
        """
        instance = self.get(instance_id)
        self.check(instance, "revertResize")
        cold_migration.begin_revert(self, instance, caller)

    def evacuate(
        self, instance_id: str, host: str | None = None, caller: Caller = NOBODY
    ) -> Migration:
        """Start an instance anew elsewhere, because its host is down.

        Raises:
            NotFoundError: there is no such instance or host.
            InvalidRequestError: the host is the instance's own, or its nova-compute is up.
            ConflictError: the instance's state does not allow it.
        """
        instance = self.get(instance_id)
        self.check(instance, "evacuate")
        if host is not None and host not in self.hosts:
            raise NotFoundError(f"Compute host {host} not found.")
        if host is not None and host == instance.host:
            raise InvalidRequestError("The target host can't be the same one.")
        if instance.host is not None and self.hosts[instance.host].service.state == "up":
            raise InvalidRequestError(f"Compute service of {instance.host} is still in use.")
        return cold_migration.begin_evacuation(self, instance, host, caller)

    def abort_migration(self, instance_id: str, number: int) -> None:
        """Stop a live migration; the instance goes on where it is.

        Raises:
            NotFoundError: there is no such migration under way.
            ConflictError: the instance is not being migrated.
            InvalidRequestError: it cannot be aborted any more.
        """
        instance = self._migrating(instance_id, "abort live migration")
        migration = self.migration_of(instance_id, number)
        if migration.status not in _ABORTABLE or instance.domain_host != migration.source:
            raise InvalidRequestError(
                f"Migration {number} state of instance {instance_id} is {migration.status}. Cannot abort while the"
                " migration is in this state."
            )
        live_migration.roll_back(self, instance, migration, MigrationStatus.CANCELLED)

    def force_complete(self, instance_id: str, number: int) -> None:
        """Ask a live migration to end soon; here it ends when its time has come.

        Raises:
            NotFoundError: there is no such migration under way.
            ConflictError: the instance is not being migrated.
            InvalidRequestError: it does not run yet.
        """
        self._migrating(instance_id, "force_complete")
        migration = self.migration_of(instance_id, number)
        if migration.status is not MigrationStatus.RUNNING:
            raise InvalidRequestError(
                f"Migration {number} state of instance {instance_id} is {migration.status}. Cannot force_complete"
                " while the migration is in this state."
            )

    def _migrating(self, instance_id: str, action: str) -> Instance:
        instance = self.get(instance_id)
        if instance.task_state is not TaskState.MIGRATING:
            raise ConflictError(f"Instance {instance_id} is in an invalid state for '{action}'")
        return instance

    def migration_of(self, instance_id: str, number: int) -> Migration:
        """Return a live migration of an instance that is under way.

        Raises:
            NotFoundError: there is none with this number.
        """
        migration = self.migrations.get(number)
        if migration is None or migration.instance_id != instance_id:
            raise NotFoundError(f"Migration {number} for server {instance_id} could not be found.")
        if migration.type is not MigrationType.LIVE or migration.status in MIGRATION_ENDED:
            raise NotFoundError(
                f"Live migration {number} for server {instance_id} is not in progress."
            )
        return migration

    def running_migrations(self, instance_id: str) -> Iterator[Migration]:
        """Return the live migrations of an instance that are under way."""
        for migration in self.migrations.values():
            if (
                migration.instance_id == instance_id
                and migration.type is MigrationType.LIVE
                and migration.status not in MIGRATION_ENDED
            ):
                yield migration
