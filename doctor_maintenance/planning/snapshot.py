# SPDX-License-Identifier: Apache-2.0
"""What the planner knows of a cloud at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeenInstance:
    """An instance on a host.

    Attributes:
        instance_id: its ID.
        project_id: who owns it.
        status: Nova's status, ``ACTIVE`` for instance.
    """

    instance_id: str
    project_id: str
    status: str = "ACTIVE"
