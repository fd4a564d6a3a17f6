# SPDX-License-Identifier: Apache-2.0
"""Lets a request in, or not: who it is from, and whether they may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doctor_maintenance.admin_tool.api.identity import Identify
from doctor_maintenance.admin_tool.policy import Act, Policy

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@dataclass(frozen=True, slots=True)
class Access:
    """The door of the API.

    Attributes:
        identify: tells who asks.
        policy: tells what they may.
    """

    identify: Identify
    policy: Policy = field(default_factory=Policy)

    def let_in(self, environ: WSGIEnvironment, act: Act, project_id: str | None = None) -> None:
        """Let a request pass, or refuse it; nothing of a session is looked at before.

        Args:
            environ: the request.
            act: what it asks for.
            project_id: whose view it is about, if a project's.

        Raises:
            RequestRefused: nobody known sends it, they may not, or it is about another project.
        """
        self.policy.enforce(self.identify.of(environ), act, project_id)
