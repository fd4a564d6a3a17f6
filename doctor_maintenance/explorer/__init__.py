# SPDX-License-Identifier: Apache-2.0
"""The explorer: random worlds from seeds, in virtual time, held against the contract.

A maintenance must survive what really happens, and nobody thinks of all of it. So the same decisions that
run in production run here under seeds by the ten thousand: a session, a simulated cloud, app managers with
the sample's policy, and whatever goes wrong. A seed that fails is made as small as it gets and kept.
"""

from doctor_maintenance.explorer.case import Case, from_data, to_data
from doctor_maintenance.explorer.draw import Limits, draw
from doctor_maintenance.explorer.run import Result, run
from doctor_maintenance.explorer.shrink import shrink
from doctor_maintenance.explorer.world import World

__all__ = ["Case", "Limits", "Result", "World", "draw", "from_data", "run", "shrink", "to_data"]
