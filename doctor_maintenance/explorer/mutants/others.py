# SPDX-License-Identifier: Apache-2.0
"""App managers and inspectors that do not keep to their part."""

from __future__ import annotations

from dataclasses import replace

from doctor_maintenance.explorer.mutants import cases
from doctor_maintenance.explorer.mutants.mutant import mutant
from doctor_maintenance.explorer.tamper import Tamper
from doctor_maintenance.explorer.world import World
from doctor_maintenance.protocol import Action, ProjectNotification
from sample_app_manager.policy import Plan, SwitchOver

APP_MANAGER = "app manager"
INSPECTOR = "inspector"


class _StaysWhereItIs(Tamper):
    """Does not switch over."""

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Forget the switch-over."""
        return replace(plan, switch_overs=())


@mutant("service.no_gap", cases.ONE_HOST, APP_MANAGER)
class SaysItSwitchedOver(_StaysWhereItIs):
    """Agrees to a cold migration of its active instance without having switched over."""


@mutant("service.active_elsewhere", cases.LEAVE, APP_MANAGER)
class LeavesItsActive(_StaysWhereItIs):
    """Leaves its active instance on a host that is rebooted."""


@mutant("service.active_runs", cases.OWN_ACTION, APP_MANAGER)
class DeletesItsActive(_StaysWhereItIs):
    """Deletes its active instance before the standby has taken over."""


@mutant("service.active_runs", cases.ONE_HOST, APP_MANAGER)
class SwitchesTheWrongWay(Tamper):
    """Switches over from the instance that stays to the one that goes."""

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Switch there and back."""
        back = tuple(
            SwitchOver(item.address, item.to_instance, item.from_instance)
            for item in plan.switch_overs
        )
        return replace(plan, switch_overs=plan.switch_overs + back)


@mutant("lost.no_instance", cases.ONE_HOST, APP_MANAGER)
class ForgetsToStart(Tamper):
    """Stops an instance of its own during the maintenance, and never starts it again."""

    def plan(self, world: World, notification: ProjectNotification, plan: Plan) -> Plan:
        """Stop one, and agree to the rest."""
        single = world.stage.ids["red-c"]
        world.stage.compute.stop(single)
        assert plan.reply is not None
        actions = {**plan.reply.instance_actions, single: Action.MIGRATE}
        return replace(plan, reply=replace(plan.reply, instance_actions=actions))


@mutant("inspector.stands_down", cases.HOST_FAULTS, INSPECTOR, "Doctor's sample inspector (W-44)")
class ActsDuringMaintenance(Tamper):
    """Acts on a fault of a host in maintenance."""

    def inspector(self, action: str) -> str:
        """Act always."""
        return "acted"


@mutant("inspector.acts_again", cases.HOST_FAULTS, INSPECTOR)
class NeverActsAgain(Tamper):
    """Does nothing about a fault of a host that is not in maintenance."""

    def inspector(self, action: str) -> str:
        """Ignore always."""
        return "ignored"


@mutant("inspector.told", cases.ONE_HOST, INSPECTOR)
class DoesNotListen(Tamper):
    """Gets the message that a host is in maintenance, and does not stand down."""

    def begin(self, world: World) -> None:
        """Take messages, and do nothing about them."""
        world.inspector_listens = False
