# SPDX-License-Identifier: Apache-2.0
"""The correct traces that tests begin with, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .stage import Entry, Project, Stage

TWO = ("compute-2", "compute-1", "compute-3")
APART = ("compute-2", "compute-3", "compute-4")


def full() -> list[Entry]:
    """Full maintenance of three hosts, one project, live migration."""
    expect = {
        "session": "MAINTENANCE_OVER",
        "hosts": dict.fromkeys(("compute-1", "compute-2", "compute-3"), "MAINTENANCE_OVER"),
        "require": ["service.no_gap", "hosts.emptied"],
    }
    return Stage(expect=expect).play()


def two_projects() -> list[Entry]:
    """Full maintenance, two projects: one cold-migrates, one re-creates its instances elsewhere."""
    projects = [Project(1, action="MIGRATE"), Project(2, action="OWN_ACTION", on=TWO)]
    return Stage(projects=projects, faults=["compute-1"], late_faults=["compute-2"]).play()


def two_projects_apart() -> list[Entry]:
    """Full maintenance; the second project has nothing on the first host."""
    return Stage(projects=[Project(1), Project(2, on=APART)]).play()


def reboot() -> list[Entry]:
    """Reboot of three hosts with the instances left in place."""
    return Stage(type="reboot", projects=[Project(1, action="LEAVE")]).play()


def reboot_unseen() -> list[Entry]:
    """Reboot, and nobody sees the hosts themselves: only their boot IDs tell."""
    return Stage(type="reboot", projects=[Project(1, action="LEAVE")], power=False).play()


def reboot_two_projects() -> list[Entry]:
    """Reboot; one project leaves its instances, the other has them moved."""
    projects = [Project(1, action="LEAVE"), Project(2, action="MIGRATE", on=TWO)]
    return Stage(type="reboot", projects=projects).play()


def canceled() -> list[Entry]:
    """An instance on the second host cannot be moved."""
    return Stage(outcomes={"compute-2": "canceled"}, projects=[Project(1), Project(2)]).play()


def canceled_last() -> list[Entry]:
    """An instance on the last host cannot be moved."""
    return Stage(outcomes={"compute-3": "canceled"}).play()


def canceled_apart() -> list[Entry]:
    """The first host is canceled; the second project has nothing there."""
    projects = [Project(1), Project(2, on=APART)]
    return Stage(outcomes={"compute-1": "canceled"}, projects=projects).play()


def refused() -> list[Entry]:
    """One of two projects answers NACK on every host where it is."""
    return Stage(projects=[Project(1), Project(2, replies="NACK", on=TWO)]).play()


def silent() -> list[Entry]:
    """A project never replies: the default action is done after its deadline."""
    return Stage(projects=[Project(1, replies=None, default_action="LIVE_MIGRATE")]).play()


def silent_careful() -> list[Entry]:
    """A project that must agree never replies: nothing is done."""
    careful = Project(1, replies=None, only_if_agreed=True, default_action=None)
    return Stage(projects=[careful]).play()


def failed() -> list[Entry]:
    """The second host does not come back."""
    return Stage(
        type="reboot", projects=[Project(action="LEAVE")], outcomes={"compute-2": "failed"}
    ).play()


def failed_full() -> list[Entry]:
    """The second host fails in full maintenance."""
    return Stage(outcomes={"compute-2": "failed"}).play()


def operator_disabled() -> list[Entry]:
    """An operator had disabled the second host before."""
    return Stage(operator_disabled=["compute-2"]).play()


def partial() -> list[Entry]:
    """Only the pair is affected, not the other instances on the hosts."""
    on = ("compute-1", "compute-2", "compute-1", "compute-2", "compute-3")
    return Stage(projects=[Project(1, on=on)], affected={}, hosts=("compute-1", "compute-2")).play()


def without_bus() -> list[Entry]:
    """Nobody watches the bus."""
    return Stage(bus=False).play()


SCENES: Mapping[str, Callable[[], list[Entry]]] = {
    scene.__name__: scene
    for scene in (
        full,
        two_projects,
        two_projects_apart,
        reboot,
        reboot_unseen,
        reboot_two_projects,
        canceled,
        canceled_last,
        canceled_apart,
        refused,
        silent,
        silent_careful,
        failed,
        failed_full,
        operator_disabled,
        partial,
        without_bus,
    )
}
