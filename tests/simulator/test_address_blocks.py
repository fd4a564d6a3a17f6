# SPDX-License-Identifier: Apache-2.0
"""Simulators beside each other never get the same addresses."""

from __future__ import annotations

import ipaddress
import itertools

from doctor_maintenance.simulator.address_blocks import claim_block


def test_claimed_blocks_do_not_overlap_and_can_be_claimed_again() -> None:
    held = [claim_block(3), claim_block(3), claim_block(300), claim_block(300)]
    try:
        blocks = [ipaddress.ip_network(block.cidr) for block in held]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(blocks, 2))
        assert [block.prefixlen for block in blocks] == [24, 24, 16, 16]
        assert all(block.is_loopback for block in blocks)
        held[0].release()

        again = claim_block(3)

        assert again.cidr == held[0].cidr
        again.release()
    finally:
        for block in held:
            block.release()
