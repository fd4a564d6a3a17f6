# SPDX-License-Identifier: Apache-2.0
"""A run's deployment from nothing to nothing, as flows on the clock."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from openstack.connection import Connection

from doctor_maintenance import flow
from doctor_maintenance.clock import Clock
from doctor_maintenance.deployment import accounts
from doctor_maintenance.deployment.application import ApplicationBuilder
from doctor_maintenance.deployment.preconditions import Ground, survey
from doctor_maintenance.deployment.removal import Removal
from doctor_maintenance.deployment.rest import Rest
from doctor_maintenance.deployment.service_address import choose, user_data
from doctor_maintenance.deployment.spec import Account, DeployedApplication, Spec
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.flow import Flow
from doctor_maintenance.protocol import EventType

LOG = logging.getLogger(__name__)

T = TypeVar("T")

Connect = Callable[[Mapping[str, str]], Connection]
"""Returns a connection for a login."""


class Deployment:
    """What a run has on a cloud.

    The steps are :meth:`open_accounts`, then :meth:`build`, then :meth:`subscribe`: an app manager
    is started in between, as it needs its project's login and its alarm needs its URL. Whatever
    happened, :meth:`remove` ends it.

    Args:
        clock: for waits.
        operator: an operator's connection.
        connect: connects with an application's login.
        spec: what to deploy.
        password: returns a password for a project's user.
    """

    def __init__(
        self,
        clock: Clock,
        operator: Connection,
        connect: Connect,
        spec: Spec,
        *,
        password: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self._clock = clock
        self._operator = Rest(operator)
        self._connect = connect
        self.spec = spec
        self._password = password
        self._ground: Ground | None = None
        self._flavor_id = ""
        self._accounts: dict[str, Account] = {}
        self._projects: dict[str, Rest] = {}
        self._under_way: set[object] = set()

    def check(self) -> Flow[Ground]:
        """Look whether the cloud is fit; nothing is created.

        Raises:
            PreconditionError: it is not; the message has every reason.
        """
        self._ground = yield from survey(self._operator, self.spec)
        return self._ground

    def open_accounts(self) -> Flow[list[Account]]:
        """Check the cloud, and create a project and a user for each application.

        Raises:
            PreconditionError: the cloud is not fit; nothing was created.
            CloudError: the cloud refuses.
        """
        ground = self._ground or (yield from self.check())
        self._flavor_id = yield from self._blocking(
            lambda: accounts.create_flavor(self._operator, self.spec)
        )
        for application in self.spec.applications:
            create = partial(
                accounts.create_account,
                self._operator,
                self.spec,
                ground,
                application,
                self._password,
            )
            account = yield from self._blocking(create)
            self._accounts[application.name] = account
            self._projects[application.name] = Rest(self._connect(account.login))
        return list(self._accounts.values())

    def build(self) -> Flow[list[DeployedApplication]]:
        """Build the applications, beside each other.

        Raises:
            PreconditionError: there are no accounts yet.
            CloudError: the cloud refuses, or an instance cannot be started.
            FlowTimeout: it takes too long.
        """
        if self._ground is None or not self._accounts:
            raise PreconditionError("applications are built in accounts; open_accounts() first")
        builders = [
            ApplicationBuilder(
                self._clock,
                self._projects[application.name],
                self.spec,
                self._ground,
                application,
                self._accounts[application.name],
                self._flavor_id,
                self._blocking,
            )
            for application in self.spec.applications
        ]
        return (yield from flow.together([builder.build() for builder in builders]))

    def user_data(self, application: str) -> str | None:
        """Return what the pair of an application is started with, base64, or None if that is nothing.

        Raises:
            PreconditionError: the cloud was not looked at yet, or does not offer what is wanted.
        """
        if self._ground is None:
            raise PreconditionError("what a cloud offers decides on user data; check() first")
        wanted = {item.name: item.reach for item in self.spec.applications}[application]
        return user_data(choose(wanted, self._ground.extensions), self.spec.user_data)

    def subscribe(self, app_managers: Mapping[str, str], inspector: str | None) -> Flow[None]:
        """Create the alarms: a project's on its own events, the operator's on hosts.

        Args:
            app_managers: the alarm URL by application; one that is left out has no alarm.
            inspector: the inspector's alarm URL; None: there is none.
        """
        for name, url in sorted(app_managers.items()):
            body = self._alarm(name, EventType.PROJECT, url)
            rest = self._projects[name]
            yield from self._blocking(partial(rest.post, "alarm", "/alarms", body))
        if inspector is not None:
            body = self._alarm("inspector", EventType.HOST, inspector)
            yield from self._blocking(lambda: self._operator.post("alarm", "/alarms", body))

    def deploy(
        self, app_managers: Mapping[str, str], inspector: str | None
    ) -> Flow[list[DeployedApplication]]:
        """Do all steps, where the alarm URLs are known before; see :meth:`subscribe`."""
        yield from self.open_accounts()
        deployed = yield from self.build()
        yield from self.subscribe(app_managers, inspector)
        return deployed

    def remove(self) -> Flow[list[str]]:
        """Remove everything of this run, whatever there is; may be repeated.

        Returns:
            What is left, a sentence each; empty if nothing is.
        """
        deadline = self._clock.now() + self.spec.remove_s
        while self._under_way and self._clock.now() < deadline:
            yield from flow.wait(self.spec.poll_s)
        left = yield from Removal(self._clock, self._operator, self.spec, self._blocking).remove()
        self._accounts.clear()
        self._projects.clear()
        return left

    def _alarm(self, name: str, event_type: EventType, url: str) -> dict[str, Any]:
        return {
            "name": self.spec.name(name, "alarm"),
            "description": f"doctor-maintenance run {self.spec.run_id}",
            "type": "event",
            "enabled": True,
            "severity": "moderate",
            "event_rule": {"event_type": event_type.value, "query": []},
            "alarm_actions": [url],
            "repeat_actions": True,
        }

    def _blocking(self, function: Callable[[], T]) -> Flow[T]:
        """Do a call off the clock; :meth:`remove` waits for it even if nobody else does any more.

        A cancelled flow leaves its call under way, and what that creates would come to light after
        the removal.
        """
        call = object()
        self._under_way.add(call)

        def work() -> T:
            try:
                return function()
            finally:
                self._clock.call_later(0.0, lambda: self._under_way.discard(call))

        return (yield from flow.blocking(work))
