# SPDX-License-Identifier: Apache-2.0
"""Identifiers from the cloud's own seeded chance, so that a seed repeats every one of them."""

from __future__ import annotations

import random
import uuid


def new_uuid(rng: random.Random) -> str:
    """Return a random UUID (version 4) in its usual form."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def new_hex(rng: random.Random) -> str:
    """Return a random UUID without dashes, as Keystone names projects and users."""
    return uuid.UUID(int=rng.getrandbits(128), version=4).hex


def new_request_id(rng: random.Random) -> str:
    """Return a request ID as the services put it into ``x-openstack-request-id``."""
    return "req-" + new_uuid(rng)
