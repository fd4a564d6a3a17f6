# SPDX-License-Identifier: Apache-2.0
"""What to probe and how often; checked once, when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from doctor_maintenance.exceptions import UsageError

MAX_RATE_HZ = 1000.0


class ProbeProtocol(StrEnum):
    """How the service is asked: a datagram each, or a connection each."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class ProbeConfig:
    """What to probe.

    Attributes:
        address: an IP address.
        port: 1 to 65535.
        protocol: UDP or TCP.
        rate_hz: probes a second (above 0, at most 1000).
        timeout_s: no answer for this long is a lost probe (> 0).

    Raises:
        UsageError: a value is out of its range.
    """

    address: str
    port: int
    protocol: ProbeProtocol = ProbeProtocol.UDP
    rate_hz: float = 100.0
    timeout_s: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise UsageError(f"probe port: expected 1 to 65535; found {self.port}")
        if not 0 < self.rate_hz <= MAX_RATE_HZ:
            raise UsageError(
                f"probe rate_hz: expected above 0 and at most {MAX_RATE_HZ:g}; found {self.rate_hz}"
            )
        if self.timeout_s <= 0:
            raise UsageError(f"probe timeout_s: expected above 0; found {self.timeout_s}")

    @property
    def period_s(self) -> float:
        """The distance of two probes."""
        return 1.0 / self.rate_hz

    @property
    def give_up_s(self) -> float:
        """How long a TCP connection is kept for a late answer: twice the timeout."""
        return 2.0 * self.timeout_s
