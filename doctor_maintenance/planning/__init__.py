# SPDX-License-Identifier: Apache-2.0
"""What to do next, decided without doing it: sessions, rounds, rules. No I/O, no clock, no chance."""

from doctor_maintenance.planning.holding import LET_GO, held_hosts
from doctor_maintenance.planning.session import Session
from doctor_maintenance.planning.settings import SessionRequest, SessionRules
from doctor_maintenance.planning.snapshot import SeenInstance
from doctor_maintenance.planning.views import operator_view, project_view

__all__ = [
    "LET_GO",
    "SeenInstance",
    "Session",
    "SessionRequest",
    "SessionRules",
    "held_hosts",
    "operator_view",
    "project_view",
]
