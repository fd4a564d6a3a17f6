# SPDX-License-Identifier: Apache-2.0
"""Identifiers from the cloud's own seeded chance, so that a seed repeats every one of them."""

from __future__ import annotations

import random
import uuid

_VERSION_4 = 0x4000_8000_0000_0000_0000
_KEPT = ~0xF000_C000_0000_0000_0000
"""What makes 128 bits a UUID of version 4; the library does the same, six times as slowly."""


def new_uuid(rng: random.Random) -> str:
    """Return a random UUID (version 4) in its usual form."""
    word = f"{rng.getrandbits(128) & _KEPT | _VERSION_4:032x}"
    return f"{word[:8]}-{word[8:12]}-{word[12:16]}-{word[16:20]}-{word[20:]}"


def new_hex(rng: random.Random) -> str:
    """Return a random UUID without dashes, as Keystone names projects and users."""
    return uuid.UUID(int=rng.getrandbits(128), version=4).hex


def new_request_id(rng: random.Random) -> str:
    """Return a request ID as the services put it into ``x-openstack-request-id``."""
    return "req-" + new_uuid(rng)
