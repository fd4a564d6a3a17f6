# SPDX-License-Identifier: Apache-2.0
"""A block of loopback addresses of one's own, so that simulators beside each other do not meet.

A block is claimed by binding a datagram socket to its last address but one: the kernel gives it to one
process only, and takes it back however that process ends. A lock file would stay behind.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from doctor_maintenance.exceptions import PreconditionError

LOCK_PORT = 47_653
"""The port that is bound to claim a block; any free one would do, if all simulators agree."""

SMALL_BLOCK_HOSTS = 120
"""The most hosts for which a /24 has room."""

_SMALL = range(64, 96)
_LARGE = range(96, 127)


class AddressBlock:
    """A claimed block.

    Attributes:
        cidr: the block, such as ``127.77.3.0/24``.
    """

    def __init__(self, cidr: str, lock: socket.socket) -> None:
        self.cidr = cidr
        self._lock = lock

    def release(self) -> None:
        """Let somebody else have it."""
        self._lock.close()


def claim_block(hosts: int) -> AddressBlock:
    """Claim a free block with room for that many hosts and as many floating IPs.

    Raises:
        PreconditionError: none is free, or this machine has only one loopback address.
    """
    refused: OSError | None = None
    for cidr, lock_address in _candidates(hosts):
        lock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            lock.bind((lock_address, LOCK_PORT))
        except OSError as error:
            lock.close()
            refused = error
            continue
        return AddressBlock(cidr, lock)
    raise PreconditionError(
        f"no block of loopback addresses is free for the simulated hosts (the last refusal: {refused}); end another "
        "simulator, or on a system other than Linux add addresses of 127.64.0.0/10 to the loopback interface"
    )


def _candidates(hosts: int) -> Iterator[tuple[str, str]]:
    """Return blocks and the addresses that claim them, in an order that differs between processes."""
    first = os.getpid()
    if hosts > SMALL_BLOCK_HOSTS:
        for step in range(len(_LARGE)):
            second = _LARGE[(first + step) % len(_LARGE)]
            yield f"127.{second}.0.0/16", f"127.{second}.255.254"
        return
    blocks = len(_SMALL) * 256
    for step in range(blocks):
        second, third = divmod((first + step) % blocks, 256)
        yield f"127.{_SMALL[second]}.{third}.0/24", f"127.{_SMALL[second]}.{third}.254"
