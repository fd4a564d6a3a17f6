# SPDX-License-Identifier: Apache-2.0
"""The way into the notification bus over HTTP, for the ``http`` notification driver.

No real cloud has it: there, notifications go through a message broker. It takes oslo.messaging's own envelope,
so that everything from there on is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from doctor_maintenance.exceptions import ForbiddenError, InvalidRequestError
from doctor_maintenance.simulator.services.answers import json_answer
from doctor_maintenance.simulator.services.auth import require_token
from doctor_maintenance.simulator.services.own_forms import handle_errors

if TYPE_CHECKING:
    from doctor_maintenance.simulator.cloud import SimCloud


class BusService:
    """The notification bus."""

    type = "notification-bus"
    name = "bus"
    path = "/bus"
    endpoint = "/bus"

    def blueprint(self, cloud: SimCloud) -> Blueprint:
        """Return the one view of the bus."""
        views = Blueprint("bus", __name__)

        @views.post("/notifications")
        def publish() -> Response:
            if not require_token(cloud).is_admin:
                raise ForbiddenError("only the cloud's own services publish notifications")
            envelope = request.get_json(force=True, silent=True)
            if envelope is None:
                raise InvalidRequestError("expected a notification as JSON")
            event = cloud.bus.publish(envelope)
            return json_answer({"message_id": event.message_id}, 202)

        handle_errors(views)
        return views


SERVICE = BusService()
