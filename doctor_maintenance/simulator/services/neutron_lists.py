# SPDX-License-Identifier: Apache-2.0
"""Neutron's lists: filters, fields, order and pages, the same for every kind of resource."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from doctor_maintenance.simulator.network_records import NetworkRefused

_CONTROLS = frozenset({"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"})


def select(
    plural: str,
    bodies: Iterable[dict[str, Any]],
    known: frozenset[str],
    query: MultiDict[str, str],
) -> dict[str, Any]:
    """Return the body of a list.

    Args:
        plural: its key.
        bodies: everything that the caller may see.
        known: attributes that a list may be restricted by.
        query: the request's parameters.

    Raises:
        NetworkRefused: a filter is not known, or the limit is not a number.
    """
    filters = {name: query.getlist(name) for name in query if name not in _CONTROLS}
    unknown = [name for name in filters if name not in known]
    if unknown:
        raise NetworkRefused(
            400, "HTTPBadRequest", f"{unknown!r} is invalid attribute for filtering"
        )
    found = [body for body in bodies if all(_fits(body, n, w) for n, w in filters.items())]
    keys, directions = query.getlist("sort_key"), query.getlist("sort_dir")
    for position in reversed(range(len(keys))):
        down = position < len(directions) and directions[position] == "desc"
        key = keys[position]
        found.sort(key=lambda body: str(body.get(key)), reverse=down)
    answer: dict[str, Any] = {}
    if query.get("limit") is not None:
        found, links = _page(found, query)
        if links:
            answer[f"{plural}_links"] = links
    fields = query.getlist("fields")
    if fields:
        found = [{k: v for k, v in body.items() if k in fields} for body in found]
    return {plural: found, **answer}


def _fits(body: dict[str, Any], name: str, wanted: list[str]) -> bool:
    found = body.get(name)
    if name == "fixed_ips":
        pairs = [text.partition("=") for text in wanted]
        return any(all(ip.get(key) == value for key, _, value in pairs) for ip in found or ())
    if isinstance(found, list):
        return any(item in found for text in wanted for item in text.split(","))
    if isinstance(found, bool):
        return any((text.lower() in ("true", "1")) == found for text in wanted)
    return any(text == ("" if found is None else str(found)) for text in wanted)


def _page(
    found: list[dict[str, Any]], query: MultiDict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    try:
        limit = int(query["limit"])
    except ValueError:
        raise NetworkRefused(
            400, "HTTPBadRequest", f"Bad limit: '{query['limit']}' is not a number"
        ) from None
    marker = query.get("marker")
    if marker is not None:
        ids = [body["id"] for body in found]
        found = found[ids.index(marker) + 1 :] if marker in ids else []
    if limit <= 0:
        return found, []
    page = found[:limit]
    if not page:
        return page, []
    other = [(k, v) for k, v in query.items(multi=True) if k not in ("marker", "page_reverse")]
    links = []
    if len(found) > limit:
        links.append(_link("next", [*other, ("marker", page[-1]["id"])]))
    links.append(_link("previous", [*other, ("marker", page[0]["id"]), ("page_reverse", "True")]))
    return page, links


def _link(rel: str, query: list[tuple[str, str]]) -> dict[str, str]:
    return {"rel": rel, "href": f"{request.base_url}?{urlencode(query)}"}
