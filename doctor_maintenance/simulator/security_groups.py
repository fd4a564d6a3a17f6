# SPDX-License-Identifier: Apache-2.0
"""Security groups: kept, listed and refused as Neutron does; packets are not modelled, so nothing is filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doctor_maintenance.simulator.network_records import (
    NetworkRefused,
    SecurityGroup,
    SecurityRule,
)

if TYPE_CHECKING:
    from doctor_maintenance.simulator.network import Network

DEFAULT = "default"


class SecurityGroups:
    """The security groups of the network model.

    Args:
        network: whose ports use them.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.groups: dict[str, SecurityGroup] = {}
        self._defaults: dict[str, SecurityGroup] = {}

    def default(self, project_id: str) -> SecurityGroup:
        """Return a project's default group, which comes into being when it is first needed."""
        group = self._defaults.get(project_id)
        if group is None:
            group = self._add(project_id, DEFAULT, "Default security group")
            self._defaults[project_id] = group
            for ethertype in ("IPv4", "IPv6"):
                self._add_rule(group, "ingress", ethertype=ethertype, remote_group_id=group.id)
        return group

    def create(self, project_id: str, name: str, description: str = "") -> SecurityGroup:
        """Add a group that lets everything out and nothing in."""
        if name == DEFAULT:
            raise NetworkRefused(
                409,
                "SecurityGroupDefaultAlreadyExists",
                "Default security group already exists.",
            )
        self._network.quotas.check("security_group", project_id)
        return self._add(project_id, name, description)

    def get(self, group_id: str) -> SecurityGroup:
        """Return a group; raise NetworkRefused if there is none."""
        try:
            return self.groups[group_id]
        except KeyError:
            raise NetworkRefused(
                404, "SecurityGroupNotFound", f"Security group {group_id} does not exist"
            ) from None

    def delete(self, group_id: str) -> None:
        """Remove a group; raise NetworkRefused while a port uses it, or if it is the default one."""
        group = self.get(group_id)
        used = any(group_id in port.security_groups for port in self._network.ports.values())
        if used:
            raise NetworkRefused(409, "SecurityGroupInUse", f"Security Group {group_id} in use.")
        if group.name == DEFAULT:
            raise NetworkRefused(
                409,
                "SecurityGroupCannotRemoveDefault",
                "Insufficient rights for removing default security group.",
            )
        del self.groups[group_id]

    def clear(self) -> None:
        """Forget all groups."""
        self.groups.clear()
        self._defaults.clear()

    def create_rule(self, group_id: str, direction: str, **fields: Any) -> SecurityRule:
        """Add a rule; raise NetworkRefused if the group has it already."""
        group = self.get(group_id)
        low, high = fields.get("port_min"), fields.get("port_max")
        if low is not None and high is not None and low > high:
            raise NetworkRefused(
                400,
                "SecurityGroupInvalidPortRange",
                "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            )
        self._network.quotas.check("security_group_rule", group.project_id)
        rule = self._rule(group, direction, **fields)
        for known in group.rules.values():
            if known.same_as(rule):
                raise NetworkRefused(
                    409,
                    "SecurityGroupRuleExists",
                    f"Security group rule already exists. Rule id is {known.id}.",
                )
        group.rules[rule.id] = rule
        self._network.touch(group)
        return rule

    def rules(self) -> list[SecurityRule]:
        """Return the rules of all groups."""
        return [rule for group in self.groups.values() for rule in group.rules.values()]

    def get_rule(self, rule_id: str) -> SecurityRule:
        """Return a rule; raise NetworkRefused if there is none."""
        for rule in self.rules():
            if rule.id == rule_id:
                return rule
        raise NetworkRefused(
            404, "SecurityGroupRuleNotFound", f"Security group rule {rule_id} does not exist"
        )

    def delete_rule(self, rule_id: str) -> None:
        """Remove a rule; raise NetworkRefused if there is none."""
        group = self.groups[self.get_rule(rule_id).group_id]
        del group.rules[rule_id]
        self._network.touch(group)

    def _add(self, project_id: str, name: str, description: str) -> SecurityGroup:
        group = SecurityGroup(
            id=self._network.new_id(), project_id=project_id, name=name, description=description
        )
        self.groups[group.id] = self._network.stamp(group, 1)
        for ethertype in ("IPv4", "IPv6"):
            self._add_rule(group, "egress", ethertype=ethertype)
        return group

    def _add_rule(self, group: SecurityGroup, direction: str, **fields: Any) -> None:
        rule = self._rule(group, direction, automatic=True, **fields)
        group.rules[rule.id] = rule

    def _rule(self, group: SecurityGroup, direction: str, **fields: Any) -> SecurityRule:
        rule = SecurityRule(
            id=self._network.new_id(),
            project_id=group.project_id,
            group_id=group.id,
            direction=direction,
            **fields,
        )
        self._network.stamp(rule, 0)
        return rule
