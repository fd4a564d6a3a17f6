# SPDX-License-Identifier: Apache-2.0
"""The simulator's control API; no real cloud has it, and it asks for no token.

GET    /control/state             everything, as it is
GET    /control/events?since=N    what happened after event N
GET    /control/faults            the faults that can be armed, and those that are
POST   /control/faults            {"name": …, "criteria": {…}, "parameters": {…}, "times": …}
DELETE /control/faults[/N]        disarm all, or one
POST   /control/seed              {"seed": N}
POST   /control/tick              {"seconds": S}, with a virtual clock only
POST   /control/reset             remove what users made
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request

from doctor_maintenance.exceptions import InvalidRequestError
from doctor_maintenance.simulator.control import Control
from doctor_maintenance.simulator.services.answers import empty, json_answer
from doctor_maintenance.simulator.services.own_forms import handle_errors

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class ControlService:
    """The simulator's own API."""

    type = "simulator-control"
    name = "control"
    path = "/control"
    endpoint = ""

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the views of the control API."""
        views = Blueprint("control", __name__)
        made = _ControlViews(cloud)
        rules: tuple[tuple[str, str, Callable[..., Response]], ...] = (
            ("/state", "GET", made.state),
            ("/events", "GET", made.events),
            ("/faults", "GET", made.faults),
            ("/faults", "POST", made.arm),
            ("/faults", "DELETE", made.disarm_all),
            ("/faults/<int:fault_id>", "DELETE", made.disarm),
            ("/seed", "POST", made.seed),
            ("/tick", "POST", made.tick),
            ("/reset", "POST", made.reset),
        )
        for rule, method, view in rules:
            views.add_url_rule(rule, view.__name__, view, methods=[method])
        handle_errors(views)
        return views


SERVICE = ControlService()

MOST = 2**53 - 1
"""The greatest number that is taken: a greater one is not exact in JSON."""

_WHOLE = re.compile("[0-9]{1,18}")


class _ControlViews:
    def __init__(self, cloud: SimCloud) -> None:
        self._cloud = cloud
        self._control = Control(cloud)

    def state(self) -> Response:
        return json_answer(self._control.state())

    def events(self) -> Response:
        since = request.args.get("since", "0")
        if not _WHOLE.fullmatch(since):
            raise InvalidRequestError(
                f"since: expected the number of an event; found {since!r:.80}"
            )
        return json_answer(self._control.events(int(since)))

    def faults(self) -> Response:
        armed = [fault.as_dict() for fault in self._cloud.faults.armed()]
        return json_answer({"armed": armed, "kinds": self._control.kinds()})

    def arm(self) -> Response:
        return json_answer(self._control.arm(_json()).as_dict(), 201)

    def disarm(self, fault_id: int) -> Response:
        self._control.disarm(fault_id)
        return empty()

    def disarm_all(self) -> Response:
        self._control.disarm()
        return empty()

    def seed(self) -> Response:
        self._control.seed(_number("seed"))
        return empty()

    def tick(self) -> Response:
        ran = self._control.tick(_number("seconds"))
        return json_answer({"now": self._cloud.clock.now(), "callbacks": ran})

    def reset(self) -> Response:
        self._control.reset()
        return empty()


def _json() -> Any:
    return request.get_json(force=True, silent=True)


def _number(name: str) -> float:
    body = _json()
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise InvalidRequestError(f"{name}: expected a number; found {value!r:.80}")
    return value


def _finite(value: float) -> bool:
    return abs(value) <= MOST and math.isfinite(value)
