# SPDX-License-Identifier: Apache-2.0
"""Watching the service on the wire: who answers, and how long nobody did, with the error of that.

``LiveProbe`` asks over real sockets, ``VirtualProbe`` knows exactly in virtual time; both end in a
``ProbeReport``. The arithmetic is in ``analysis`` and has no I/O.
"""

from __future__ import annotations

from doctor_maintenance.probe.analysis import (
    Answers,
    Gap,
    ProbeReport,
    Sample,
    analyse,
    since_first_answer,
)
from doctor_maintenance.probe.config import ProbeConfig, ProbeProtocol
from doctor_maintenance.probe.live import LiveProbe
from doctor_maintenance.probe.log import ProbeLog, Snapshot
from doctor_maintenance.probe.transports import ask_once
from doctor_maintenance.probe.virtual import VirtualProbe
from doctor_maintenance.probe.wire import Responder

__all__ = [
    "Answers",
    "Gap",
    "LiveProbe",
    "ProbeConfig",
    "ProbeLog",
    "ProbeProtocol",
    "ProbeReport",
    "Responder",
    "Sample",
    "Snapshot",
    "VirtualProbe",
    "analyse",
    "ask_once",
    "since_first_answer",
]
