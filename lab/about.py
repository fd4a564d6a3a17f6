# SPDX-License-Identifier: Apache-2.0
"""What a lab says of itself in its home, so that others find it: its daemons, `run --cloud lab`, `lab status`."""

from __future__ import annotations

import json
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab.layout import Kind, Lab

FILE = "lab.json"


def write(lab: Lab) -> None:
    """Write down what a lab is."""
    lab.home.mkdir(parents=True, exist_ok=True)
    (lab.home / FILE).write_text(
        json.dumps(
            {
                "name": lab.name,
                "kind": lab.kind.value,
                "hosts": list(lab.hosts),
                "port_base": lab.port_base,
            }
        ),
        encoding="utf-8",
    )


def read(home: Path) -> Lab:
    """Return the lab of a home.

    Raises:
        PreconditionError: there is none.
    """
    try:
        told = json.loads((home / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PreconditionError(
            f"there is no lab in {home}; start one with `doctor-maintenance lab up`"
        ) from None
    return Lab(
        name=told["name"],
        kind=Kind(told["kind"]),
        root=home.parent,
        hosts=tuple(told["hosts"]),
        port_base=told["port_base"],
    )


def all_labs(root: Path) -> list[Lab]:
    """Return every lab below a root that was ever up and not reset, by name."""
    return [read(path.parent) for path in sorted(root.glob(f"*/{FILE}"))]
