# SPDX-License-Identifier: Apache-2.0
"""The contract: what must always hold, whoever the admin tool is (DESIGN section 5).

A clause is a function in the module of its area, entered with :func:`~.clause.clause`. To add one, write
it there and give it a bad actor in ``tests/judge/bad_actors.py``; a test insists on both.
"""

from collections.abc import Mapping
from types import MappingProxyType

from doctor_maintenance.judge.contract import (
    actions,
    consent,
    hosts,
    inspection,
    lost,
    messages,
    order,
    privacy,
    service,
    told,
)
from doctor_maintenance.judge.contract.clause import HELD, REGISTRY, Clause, Finding

AREAS = (order, told, messages, consent, actions, hosts, inspection, service, lost, privacy)
"""The areas of the contract, in the order in which a verdict tells them."""

_PLACES = {area.__name__: place for place, area in enumerate(AREAS)}

CONTRACT: Mapping[str, Clause] = MappingProxyType(
    {
        clause.clause_id: clause
        for clause in sorted(REGISTRY.values(), key=lambda clause: _PLACES[clause.judge.__module__])
    }
)
"""Every clause by its name."""

__all__ = ["AREAS", "CONTRACT", "HELD", "Clause", "Finding"]
