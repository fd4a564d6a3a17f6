# SPDX-License-Identifier: Apache-2.0
"""The vocabulary: every word that travels, once.

The guideline gives the words with spaces and in lower case and does not fix an encoding; on the wire
they are upper case with underscores. Readers are lenient in exactly two ways, because older tools
differ there: case and spaces, and the two spellings of "cancelled".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from doctor_maintenance.exceptions import RemoteProtocolError


class EventType(StrEnum):
    """The two event types (Doctor; on the wire both Doctor and Fenix say ``maintenance.scheduled``)."""

    PROJECT = "maintenance.scheduled"
    HOST = "maintenance.host"


class NotificationState(StrEnum):
    """What a notification says (Doctor guideline, steps 2, 7, 8, 11 and 12)."""

    PLANNED_MAINTENANCE = "PLANNED_MAINTENANCE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    MAINTENANCE_CANCELED = "MAINTENANCE_CANCELED"
    MAINTENANCE_OVER = "MAINTENANCE_OVER"


class MaintenanceType(StrEnum):
    """``full``: the host is emptied. ``reboot``: instances may be left in place."""

    FULL = "full"
    REBOOT = "reboot"


class Action(StrEnum):
    """What a project asks to be done with an instance."""

    MIGRATE = "MIGRATE"
    LIVE_MIGRATE = "LIVE_MIGRATE"
    LEAVE = "LEAVE"
    OWN_ACTION = "OWN_ACTION"


class Verdict(StrEnum):
    """Whether a project agrees."""

    ACK = "ACK"
    NACK = "NACK"


class HostState(StrEnum):
    """How far a session is with one of its hosts; the last three are final."""

    PENDING = "PENDING"
    PLANNED_MAINTENANCE = "PLANNED_MAINTENANCE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    MAINTENANCE_OVER = "MAINTENANCE_OVER"
    MAINTENANCE_CANCELED = "MAINTENANCE_CANCELED"
    MAINTENANCE_FAILED = "MAINTENANCE_FAILED"

    @property
    def final(self) -> bool:
        """True if the session does no more with the host by itself."""
        return self in _FINAL_HOST_STATES


class SessionState(StrEnum):
    """How far a session is; the last three are final.

    ``MAINTENANCE_CANCELED``: at least one host was not maintained, and every such host is as it was.
    ``MAINTENANCE_FAILED``: at least one host is left disabled and in maintenance, and is named.
    """

    SCHEDULED = "SCHEDULED"
    PLANNED_MAINTENANCE = "PLANNED_MAINTENANCE"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    MAINTENANCE_OVER = "MAINTENANCE_OVER"
    MAINTENANCE_CANCELED = "MAINTENANCE_CANCELED"
    MAINTENANCE_FAILED = "MAINTENANCE_FAILED"

    @property
    def final(self) -> bool:
        """True if the session does no more by itself."""
        return self in _FINAL_SESSION_STATES


_FINAL_HOST_STATES = frozenset(
    {HostState.MAINTENANCE_OVER, HostState.MAINTENANCE_CANCELED, HostState.MAINTENANCE_FAILED}
)
_FINAL_SESSION_STATES = frozenset(
    {
        SessionState.MAINTENANCE_OVER,
        SessionState.MAINTENANCE_CANCELED,
        SessionState.MAINTENANCE_FAILED,
    }
)

Word = TypeVar("Word", bound=StrEnum)

_SPELLINGS = {"MAINTENANCE_CANCELLED": "MAINTENANCE_CANCELED", "FULL_MAINTENANCE": "FULL"}


def read_word(vocabulary: type[Word], text: object, field: str) -> Word:
    """Read a word that a peer sent.

    Args:
        vocabulary: the words that may stand here.
        text: what was sent.
        field: the name of the field, for the error.

    Raises:
        RemoteProtocolError: it is none of the words.
    """
    if isinstance(text, str) and len(text) <= 64:
        token = text.strip().upper().replace(" ", "_")
        token = _SPELLINGS.get(token, token)
        for word in vocabulary:
            if word.value.upper() == token:
                return word
    expected = ", ".join(word.value for word in vocabulary)
    raise RemoteProtocolError(f"{field}: expected one of {expected}; found {text!r:.80}")
