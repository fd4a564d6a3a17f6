# SPDX-License-Identifier: Apache-2.0
"""Neutron's security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from doctor_maintenance.simulator.network_records import SecurityGroup, SecurityRule
from doctor_maintenance.simulator.security_groups import DEFAULT
from doctor_maintenance.simulator.services.auth import Context, require_token
from doctor_maintenance.simulator.services.neutron_kinds import Kind, bad_request


class SecurityGroupKind(Kind[SecurityGroup]):
    """Security groups."""

    name = "security_group"
    plural = "security_groups"
    missing = ("SecurityGroupNotFound", "Security group {} does not exist")
    settable = "stateful"
    updatable = "stateful"
    filters = "shared"

    def table(self) -> Mapping[str, SecurityGroup]:
        """Return all groups."""
        return self.network.security.groups

    def candidates(self) -> Iterable[SecurityGroup]:
        """Return all groups; the caller's default one exists as soon as somebody looks."""
        project_id = require_token(self.cloud).project_id
        if project_id:
            self.network.security.default(project_id)
        return list(self.network.security.groups.values())

    def body(self, record: SecurityGroup, context: Context) -> dict[str, Any]:
        """Return a group with its rules."""
        rules = SecurityRuleKind(self.cloud)
        return {
            **self.standard(record),
            "stateful": True,
            "shared": False,
            "security_group_rules": [
                {**rules.body(rule, context), "standard_attr_id": number, "tags": []}
                for number, rule in enumerate(record.rules.values(), 1)
            ],
        }

    def create(
        self, context: Context, project_id: str, attributes: dict[str, Any]
    ) -> SecurityGroup:
        """Create a group."""
        self.network.security.default(project_id)
        return self.network.security.create(
            project_id, attributes.get("name") or "", attributes.get("description") or ""
        )

    def delete(self, record: SecurityGroup) -> None:
        """Remove a group."""
        self.network.security.delete(record.id)


class SecurityRuleKind(Kind[SecurityRule]):
    """Rules of security groups."""

    name = "security_group_rule"
    plural = "security_group_rules"
    missing = ("SecurityGroupRuleNotFound", "Security group rule {} does not exist")
    required = "security_group_id"
    settable = (
        "security_group_id direction ethertype protocol port_range_min port_range_max "
        "remote_ip_prefix remote_group_id remote_address_group_id"
    )

    def table(self) -> Mapping[str, SecurityRule]:
        """Return all rules."""
        return {rule.id: rule for rule in self.network.security.rules()}

    def body(self, record: SecurityRule, context: Context) -> dict[str, Any]:
        """Return a rule."""
        body = self.standard(record)
        del body["name"], body["tags"]
        return {
            **body,
            "description": None if record.automatic else record.description,
            "security_group_id": record.group_id,
            "ethertype": record.ethertype,
            "direction": record.direction,
            "protocol": record.protocol,
            "port_range_min": record.port_min,
            "port_range_max": record.port_max,
            "remote_ip_prefix": record.remote_ip_prefix,
            "remote_address_group_id": None,
            "normalized_cidr": record.remote_ip_prefix,
            "remote_group_id": record.remote_group_id,
            "belongs_to_default_sg": None if self._of_default_group(record) else False,
        }

    def _of_default_group(self, record: SecurityRule) -> bool:
        """Whether a rule came with a project's default group; Neutron says null of it, not true."""
        return record.automatic and self.network.security.get(record.group_id).name == DEFAULT

    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> SecurityRule:
        """Create a rule."""
        group_id = str(attributes.get("security_group_id"))
        SecurityGroupKind(self.cloud).find(context, group_id)
        direction = attributes.get("direction")
        if direction not in ("ingress", "egress"):
            raise bad_request(
                f"Invalid input for direction. Reason: '{direction}' is not in ['ingress', 'egress']."
            )
        protocol = attributes.get("protocol")
        return self.network.security.create_rule(
            group_id,
            direction,
            ethertype=attributes.get("ethertype") or "IPv4",
            protocol=None if protocol is None else str(protocol),
            port_min=attributes.get("port_range_min"),
            port_max=attributes.get("port_range_max"),
            remote_ip_prefix=attributes.get("remote_ip_prefix"),
            remote_group_id=attributes.get("remote_group_id"),
            description=attributes.get("description") or "",
        )

    def delete(self, record: SecurityRule) -> None:
        """Remove a rule."""
        self.network.security.delete_rule(record.id)
