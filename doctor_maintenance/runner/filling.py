# SPDX-License-Identifier: Apache-2.0
"""Fills in what a scenario's faults leave open: names that are known only once the application is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from doctor_maintenance.exceptions import UsageError
from doctor_maintenance.runner.stage import Placed
from doctor_maintenance.scenario import Fault


def fill_in(faults: Sequence[Fault], hosts: Sequence[str], placed: Sequence[Placed]) -> list[Fault]:
    """Return faults whose texts name what is there; see :class:`~doctor_maintenance.scenario.Fault`.

    Args:
        faults: of a scenario.
        hosts: that are maintained, in order.
        placed: the applications.

    Raises:
        UsageError: a text leaves something open that does not exist here.
    """
    first = placed[0]
    known = {
        "project": first.project_id,
        "address": first.address,
        "active": first.active,
        "standby": first.standby,
        **{f"host{number}": host for number, host in enumerate(hosts)},
        **{f"single{number}": single for number, single in enumerate(first.singles)},
    }
    return [
        replace(
            fault,
            criteria=_filled(fault.name, fault.criteria, known),
            parameters=_filled(fault.name, fault.parameters, known),
        )
        for fault in faults
    ]


def _filled(fault: str, texts: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    try:
        return {
            name: text.format_map(known) if isinstance(text, str) else text
            for name, text in texts.items()
        }
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        raise UsageError(
            f"fault {fault}: {error} cannot be filled in; known here: {', '.join(known)}"
        ) from error
