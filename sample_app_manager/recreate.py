# SPDX-License-Identifier: Apache-2.0
"""Delete instances and build them anew: a project's own action (Doctor guideline, step 4).

The scheduler finds another host, as nova-compute of the affected one is disabled. An instance is
deleted first, since its anti-affinity group and its quota may have no room for two; before that
everything needed to build it again is read, so that a failure then leaves it as it was.

Between the two an instance exists only as a promise. So the blueprint is written down before the deletion,
and a new instance says which one it replaces: whoever takes this up again, after a crash at whatever moment,
finds what was built and builds nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import CloudError, MaintenanceError
from doctor_maintenance.flow import Flow, blocking
from sample_app_manager.actions import GONE, Blueprint, ProjectCloud

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecreateRules:
    """Limits of building anew; durations in seconds.

    Attributes:
        delete_s: until an instance is gone.
        build_s: until a new one is active.
        attempts: how often a build is tried (≥ 1).
        retry_s: between two attempts.
        poll_s: between two looks.
        at_once: how many instances are built anew at the same time (≥ 1).
    """

    delete_s: float = 60.0
    build_s: float = 300.0
    attempts: int = 3
    retry_s: float = 1.0
    poll_s: float = 0.2
    at_once: int = 4


@dataclass(slots=True)
class Rebuild:
    """How far the building anew of one instance is.

    Attributes:
        blueprint: what it is built from.
        new: the new instance; None: there is none yet, as far as we know.
        done: whether the new one is active.
    """

    blueprint: Blueprint
    new: str | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Recreated:
    """What came of it.

    Attributes:
        created: the new instance for each old one.
        kept: the instances that are still there, untouched.
        problems: what went wrong, a sentence each.
    """

    created: dict[str, str]
    kept: frozenset[str]
    problems: tuple[str, ...]


def recreate(
    cloud: ProjectCloud,
    clock: Clock,
    instance_ids: tuple[str, ...],
    rules: RecreateRules,
    rebuilds: dict[str, Rebuild] | None = None,
    keep: Callable[[], None] = lambda: None,
) -> Flow[Recreated]:
    """Build instances anew, beside each other; what goes wrong with one does not stop the others.

    Args:
        cloud: the project's cloud.
        clock: for waits.
        instance_ids: which ones.
        rules: limits.
        rebuilds: how far each is, from before a restart; brought up to date.
        keep: writes that down; called before anything depends on it.
    """
    known: dict[str, Rebuild] = {} if rebuilds is None else rebuilds
    kept: set[str] = set()

    def one(instance_id: str) -> Flow[None]:
        rebuild = known.get(instance_id)
        try:
            if rebuild is None:
                blueprint = yield from blocking(lambda: cloud.blueprint(instance_id))
                rebuild = known[instance_id] = Rebuild(blueprint)
                keep()
            if rebuild.new is None:
                yield from blocking(lambda: cloud.delete(instance_id))
        except MaintenanceError:
            kept.add(instance_id)
            if known.pop(instance_id, None) is not None:
                keep()
            raise
        if rebuild.done:
            return
        yield from _until_gone(cloud, clock, instance_id, rules)
        yield from _build(cloud, clock, instance_id, rebuild, rules, keep)
        rebuild.done = True
        keep()

    outcomes = yield from flow.parallel([one(each) for each in instance_ids], rules.at_once)
    problems = [
        f"building {instance_id} anew: {outcome.error}"
        for instance_id, outcome in zip(instance_ids, outcomes, strict=True)
        if outcome.error is not None
    ]
    created = {key: each.new for key, each in known.items() if each.done and each.new}
    return Recreated(created, frozenset(kept), tuple(problems))


def _until_gone(
    cloud: ProjectCloud, clock: Clock, instance_id: str, rules: RecreateRules
) -> Flow[None]:
    yield from flow.poll(
        clock,
        lambda: cloud.status(instance_id),
        until=lambda status: status == GONE,
        every_s=rules.poll_s,
        within_s=rules.delete_s,
        what=f"instance {instance_id} to be gone",
    )


def _build(
    cloud: ProjectCloud,
    clock: Clock,
    instance_id: str,
    rebuild: Rebuild,
    rules: RecreateRules,
    keep: Callable[[], None],
) -> Flow[None]:
    """Build an instance until one is active; what failed to start is deleted."""
    attempt = 1
    while True:
        try:
            yield from _build_once(cloud, clock, instance_id, rebuild, rules, keep)
            return
        except MaintenanceError as error:
            LOG.warning("building %s, attempt %s: %s", rebuild.blueprint.name, attempt, error)
            if attempt >= rules.attempts:
                raise
        attempt += 1
        yield from flow.wait(rules.retry_s)


def _build_once(
    cloud: ProjectCloud,
    clock: Clock,
    instance_id: str,
    rebuild: Rebuild,
    rules: RecreateRules,
    keep: Callable[[], None],
) -> Flow[None]:
    blueprint = rebuild.blueprint
    if rebuild.new is None:
        # It may have been begun by a life that could not write it down any more.
        rebuild.new = yield from blocking(lambda: cloud.replacement(blueprint.name, instance_id))
    if rebuild.new is None:
        rebuild.new = yield from blocking(lambda: cloud.create(blueprint, instance_id))
    keep()
    new = rebuild.new
    try:
        status = yield from flow.poll(
            clock,
            lambda: cloud.status(new),
            until=lambda status: status in ("ACTIVE", "ERROR", GONE),
            every_s=rules.poll_s,
            within_s=rules.build_s,
            what=f"instance {new} to be active",
        )
        if status != "ACTIVE":
            raise CloudError(f"instance {new} ({blueprint.name}) is {status}, not ACTIVE")
        yield from blocking(lambda: cloud.addresses.give_own(blueprint.name, new))
    except MaintenanceError:
        yield from blocking(lambda: cloud.delete(new))
        yield from _until_gone(cloud, clock, new, rules)
        rebuild.new = None
        keep()
        raise
