# SPDX-License-Identifier: Apache-2.0
"""Times on the wire: UTC, to the second, without a zone, as Doctor writes them.

Inside the project a time is a float of seconds since the epoch. Ceilometer turns a time on the bus
(``2020-01-01 00:00:00``) into an ISO form (``2020-01-01T00:00:00``), other tools add ``Z``, fractions
or an offset: all are read. A time without a zone is UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from doctor_maintenance.exceptions import RemoteProtocolError

_BUS_FORMAT = "%Y-%m-%d %H:%M:%S"


@lru_cache(maxsize=1024)  # the same few deadlines are told again and again
def to_wire(when: float) -> str:
    """Write seconds since the epoch as ``2020-01-01 00:00:00``; a fraction is rounded up to the next second.

    Rounded up, because these times are deadlines, and a deadline told too early would be a lie.
    """
    whole = int(when)
    return datetime.fromtimestamp(whole + (when > whole), UTC).strftime(_BUS_FORMAT)


def to_iso(when: float) -> str:
    """Write seconds since the epoch as Aodh does: ISO, no zone, microseconds only if there are any."""
    return datetime.fromtimestamp(when, UTC).replace(tzinfo=None).isoformat()


def from_wire(text: object, field: str = "time") -> float:
    """Read a time in any of the forms above into seconds since the epoch.

    Args:
        text: what was sent.
        field: the name of the field, for the error.

    Raises:
        RemoteProtocolError: it is not a time.
    """
    if isinstance(text, str) and len(text) <= 64:
        try:
            parsed = datetime.fromisoformat(text.strip())
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass
    raise RemoteProtocolError(
        f"{field}: expected a UTC time like 2020-01-01 00:00:00; found {text!r:.80}"
    )
