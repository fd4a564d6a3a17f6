# SPDX-License-Identifier: Apache-2.0
"""What every kind of Neutron resource has in common: list, show, create, update, delete, and who may.

A kind says what it keeps and how it looks; the views below are written once for all of them. To add a kind,
subclass :class:`Kind` and give it to ``neutron.py``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from flask import Blueprint, Response, request

from doctor_maintenance.simulator.network_records import NetworkRefused, Resource
from doctor_maintenance.simulator.services.answers import empty, iso_z, json_answer
from doctor_maintenance.simulator.services.auth import Context, require_token
from doctor_maintenance.simulator.services.neutron_lists import select

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud

R = TypeVar("R", bound=Resource)

_STANDARD = "id name description tenant_id project_id tags created_at updated_at revision_number"
_TEXTS = frozenset({"name", "description", "device_id", "device_owner", "protocol", "direction"})
_BOOLEANS = frozenset(
    {"admin_state_up", "shared", "router:external", "enable_dhcp", "port_security_enabled"}
)
_UUIDS = frozenset({"network_id", "port_id", "subnet_id", "floating_network_id"})
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Kind(ABC, Generic[R]):
    """A kind of resource.

    Args:
        cloud: where it is kept.

    Attributes:
        name: in a body of one, such as ``port``.
        plural: in a body of many and in the path, such as ``ports``.
        missing: Neutron's type of the error for one that is not there, and its text.
        settable: what may be said when it is created, beyond name, description and project.
        updatable: what may be changed later, likewise.
        admin_only: which of these only an admin may say.
        filters: what a list may be restricted by, beyond the standard attributes.
        counts_changes: whether every change counts as a revision; if not, the model says which do.
    """

    name: ClassVar[str]
    plural: ClassVar[str]
    missing: ClassVar[tuple[str, str]]
    settable: ClassVar[str] = ""
    updatable: ClassVar[str] = ""
    admin_only: ClassVar[str] = ""
    filters: ClassVar[str] = ""
    required: ClassVar[str] = ""
    counts_changes: ClassVar[bool] = True

    def __init__(self, cloud: SimCloud) -> None:
        self.cloud = cloud
        self.network = cloud.network

    @abstractmethod
    def table(self) -> Mapping[str, R]:
        """Return everything of this kind by its ID."""

    @abstractmethod
    def body(self, record: R, context: Context) -> dict[str, Any]:
        """Return one as it is shown to the caller."""

    @abstractmethod
    def create(self, context: Context, project_id: str, attributes: dict[str, Any]) -> R:
        """Create one from checked attributes."""

    def update(self, context: Context, record: R, attributes: dict[str, Any]) -> None:
        """Change one by checked attributes, name and description apart."""

    @abstractmethod
    def delete(self, record: R) -> None:
        """Remove one."""

    def candidates(self) -> Iterable[R]:
        """Return what a list is made from; a kind may use an index for common filters."""
        return self.table().values()

    def visible(self, context: Context, record: R) -> bool:
        """Whether the caller may see one."""
        return context.sees(record.project_id)

    def created(self, record: R, context: Context) -> dict[str, Any]:
        """Return one as the answer to its creation shows it."""
        return self.body(record, context)

    def updated(self, record: R, context: Context, before: dict[str, Any]) -> dict[str, Any]:
        """Return one as the answer to its change shows it; ``before`` is how it was shown before that."""
        return self.body(record, context)

    def find(self, context: Context, identity: str) -> R:
        """Return one that the caller may see; raise NetworkRefused as if there were none otherwise."""
        record = self.table().get(identity)
        if record is None or not self.visible(context, record):
            kind, text = self.missing
            raise NetworkRefused(404, kind, text.format(identity))
        return record

    def find_own(self, context: Context, identity: str, act: str) -> R:
        """Return one that the caller may change; raise NetworkRefused otherwise."""
        record = self.find(context, identity)
        if not (context.can_write and context.sees(record.project_id)):
            raise not_authorized(f"rule:{act}_{self.name}")
        return record

    def standard(self, record: R) -> dict[str, Any]:
        """Return what all bodies have."""
        return {
            "id": record.id,
            "name": record.name,
            "tenant_id": record.project_id,
            "project_id": record.project_id,
            "description": record.description,
            "tags": list(record.tags),
            "created_at": iso_z(record.created_at),
            "updated_at": iso_z(record.updated_at),
            "revision_number": record.revision,
        }


def not_authorized(rules: str) -> NetworkRefused:
    """Return Neutron's 403."""
    return NetworkRefused(403, "PolicyNotAuthorized", f"{rules} is disallowed by policy")


def bad_request(message: str) -> NetworkRefused:
    """Return Neutron's 400 for a body that cannot be."""
    return NetworkRefused(400, "HTTPBadRequest", message)


def add_views(views: Blueprint, kind: Kind[Any]) -> None:
    """Add the five views of a kind, and the one of its tags."""
    path = f"/v2.0/{kind.plural.replace('_', '-')}"
    one = f"{path}/<identity>"
    made = _KindViews(kind)
    for rule, method, view in (
        (path, "GET", made.show_all),
        (path, "POST", made.create),
        (one, "GET", made.show),
        (one, "PUT", made.update),
        (one, "DELETE", made.delete),
        (f"{one}/tags", "PUT", made.set_tags),
    ):
        views.add_url_rule(rule, f"{view.__name__}_{kind.name}", view, methods=[method])


class _KindViews:
    """The views of one kind."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind
        self._filters = frozenset(f"{_STANDARD} {kind.settable} {kind.filters}".split())

    def show_all(self) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        bodies = (kind.body(r, context) for r in kind.candidates() if kind.visible(context, r))
        return json_answer(select(kind.plural, bodies, self._filters, request.args))

    def show(self, identity: str) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        body = kind.body(kind.find(context, identity), context)
        fields = request.args.getlist("fields")
        if fields:
            body = {key: value for key, value in body.items() if key in fields}
        return json_answer({kind.name: body})

    def create(self) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        attributes = _attributes(kind, context, "create", kind.settable)
        for name in kind.required.split():
            if attributes.get(name) is None:
                raise bad_request(
                    f"Failed to parse request. Required attribute '{name}' not specified"
                )
        project_id = _project(kind, context, attributes)
        if not context.can_write:
            raise not_authorized(f"rule:create_{kind.name}")
        record = kind.create(context, project_id, attributes)
        return json_answer({kind.name: kind.created(record, context)}, 201)

    def update(self, identity: str) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        record = kind.find_own(context, identity, "update")
        _check_match(record)
        attributes = _attributes(kind, context, "update", kind.updatable)
        before = kind.body(record, context)
        kind.update(context, record, attributes)
        record.name = attributes.get("name", record.name)
        record.description = attributes.get("description", record.description)
        if kind.counts_changes:
            kind.network.touch(record)
        return json_answer({kind.name: kind.updated(record, context, before)})

    def delete(self, identity: str) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        record = kind.find_own(context, identity, "delete")
        _check_match(record)
        kind.delete(record)
        return empty()

    def set_tags(self, identity: str) -> Response:
        kind, context = self._kind, require_token(self._kind.cloud)
        record = kind.find_own(context, identity, "update")
        body = request.get_json(force=True, silent=True)
        tags = body.get("tags") if isinstance(body, dict) else None
        if not isinstance(tags, list):
            raise bad_request("Invalid tags body")
        record.tags = [str(tag) for tag in tags]
        return json_answer({"tags": record.tags})


def read_body(name: str) -> dict[str, Any]:
    """Return the object of that name in the body; raise NetworkRefused if there is none."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise bad_request("Body contains invalid data")
    found = body.get(name)
    if not isinstance(found, dict):
        raise bad_request(f"Unable to find '{name}' in request body")
    return found


def _attributes(kind: Kind[Any], context: Context, act: str, allowed: str) -> dict[str, Any]:
    """Return the attributes of the body, checked against what may be said and by whom."""
    attributes = read_body(kind.name)
    known = {"name", "description", "tenant_id", "project_id", *allowed.split()}
    unknown = [name for name in attributes if name not in known]
    if unknown:
        names = ", ".join(repr(name) for name in unknown)
        raise bad_request(f"Unrecognized attribute(s) {names}")
    if not context.is_admin:
        for name in kind.admin_only.split():
            if name in attributes:
                rule = f"{act}_{kind.name}"
                raise not_authorized(f"(rule:{rule} and rule:{rule}:{name})")
    for name, value in attributes.items():
        _check_value(name, value)
    return attributes


def _check_match(record: Resource) -> None:
    """Refuse to act on a resource that is not as the caller has seen it."""
    for tag in request.if_match.as_set():
        name, _, wanted = tag.partition("=")
        if name == "revision_number" and wanted != str(record.revision):
            raise NetworkRefused(
                412,
                "RevisionNumberConstraintFailed",
                f"Constrained to {wanted}, but current revision is {record.revision}",
            )


def _check_value(name: str, value: Any) -> None:
    if value is None:
        return
    if name in _TEXTS and not isinstance(value, str):
        raise bad_request(f"Invalid input for {name}. Reason: '{value}' is not a valid string.")
    if name in _BOOLEANS and not isinstance(value, bool):
        raise bad_request(
            f"Invalid input for {name}. Reason: '{value}' cannot be converted to boolean."
        )
    if name in _UUIDS and not (isinstance(value, str) and _UUID.fullmatch(value)):
        raise bad_request(f"Invalid input for {name}. Reason: '{value}' is not a valid UUID.")


def _project(kind: Kind[Any], context: Context, attributes: Mapping[str, Any]) -> str:
    wanted = attributes.get("project_id") or attributes.get("tenant_id") or context.project_id
    if wanted != context.project_id and not context.is_admin:
        rule = f"create_{kind.name}"
        raise not_authorized(f"(rule:{rule} and rule:{rule}:tenant_id)")
    return str(wanted)
