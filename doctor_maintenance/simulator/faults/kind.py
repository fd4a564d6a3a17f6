# SPDX-License-Identifier: Apache-2.0
"""What a kind of fault is: a name, where it happens, what restricts it, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Where(StrEnum):
    """Whose fault it is, and so who must be simulated for it.

    ``CLOUD``: the cloud or its hosts. ``PROJECT``: an owner acts on instances meanwhile.
    ``APP_MANAGER``, ``ADMIN_TOOL``: that part does not do what it should. ``TIME``: the machine's.
    """

    CLOUD = "cloud"
    PROJECT = "project"
    APP_MANAGER = "app manager"
    ADMIN_TOOL = "admin tool"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault that can be armed.

    Attributes:
        name: what it is called.
        point: where it is decided: who has this point asks for its faults.
        criteria: facts that a fault of this kind can be restricted by.
        parameters: the behaviour's parameters and their defaults; a name ends with its unit.
        doc: what it does, in a sentence.
        outcome: what must come of a maintenance that it happens to, in a sentence.
        where: whose fault it is.
        once: whether it happens once unless it is told how often.
    """

    name: str
    point: str
    criteria: tuple[str, ...]
    doc: str
    outcome: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    where: Where = Where.CLOUD
    once: bool = False
