# SPDX-License-Identifier: Apache-2.0
"""The admin tool's process in a world: all its sessions, its clock, and its deaths.

It dies as a process dies, with everything that was not stored, for all its sessions at once; and it comes
back by replaying them, one after the other, in the order in which they were opened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from doctor_maintenance.exceptions import ConflictError
from doctor_maintenance.explorer.case import Trouble, TroublePlan
from doctor_maintenance.explorer.performing import Performer
from doctor_maintenance.explorer.stage import CloudStage
from doctor_maintenance.explorer.tool import UNREACHABLE, Tool
from doctor_maintenance.planning import Session, SessionRequest, SessionRules, held_hosts
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Reply

NOT_FOUND = 404


class ToolProcess:
    """The process of the admin tool.

    Args:
        stage: the cloud.
        performer: who performs commands.
        tool_class: drives a session.
        ended: is told whenever a session comes to an end, or to a rest.

    Attributes:
        tools: what drives each session that was ever opened, by its ID, the oldest first.
        up: whether it runs.
        events: how many events were stored, of all sessions.
        offset_s: by how much its machine's clock is wrong.
    """

    def __init__(
        self,
        stage: CloudStage,
        performer: Performer,
        tool_class: type[Tool],
        ended: Callable[[Session], None],
    ) -> None:
        self.tools: dict[str, Tool] = {}
        self.up = False
        self.events = 0
        self.offset_s = 0.0
        self.stage = stage
        self.performer = performer
        self.ended = ended
        self._tool_class = tool_class
        self._next_offset_s = 0.0
        self._deaths: dict[int, TroublePlan] = {
            int(trouble.at): trouble
            for trouble in stage.case.troubles
            if trouble.what is Trouble.TOOL_DIES
        }

    def begin(self) -> None:
        """Start."""
        self.up = True

    def now(self) -> float:
        """Return the time as the tool's machine has it."""
        return self.stage.clock.now() + self.offset_s

    # What the operator and the projects ask.

    def open(self, request: SessionRequest, rules: SessionRules) -> bool:
        """Begin a session; False if nobody answers.

        Raises:
            ConflictError: a host is in another session.
        """
        if not self.up:
            return False
        held = self.held()
        for host in request.hosts:
            if host in held:
                raise ConflictError(f"hosts: {host} is in the session {held[host]}")
        tool = self.tools[request.session_id] = self._tool_class(self, request, rules)
        tool.begin()
        return True

    def held(self) -> dict[str, str]:
        """Return the hosts that sessions have, and the session of each."""
        return held_hosts(self.sessions())

    def sessions(self) -> list[Session]:
        """Return all sessions; none while the process is down."""
        return [tool.session for tool in self.tools.values() if tool.session is not None]

    def reply(self, session_id: str, project_id: str, number: int, reply: Reply) -> int:
        """Take a reply, and return the HTTP status that answers it."""
        if not self.up:
            return UNREACHABLE
        tool = self.tools.get(session_id)
        return NOT_FOUND if tool is None else tool.reply(project_id, number, reply)

    def view(self, session_id: str, project_id: str, number: int) -> dict[str, Any] | None:
        """Return what a project may see; None if nobody answers."""
        return self.tools[session_id].view(project_id, number) if self.up else None

    def operate(self, session_id: str, event: saw.Event) -> None:
        """Do what the operator says; what the session's state does not allow is refused."""
        tool = self.tools.get(session_id)
        if tool is not None:
            tool.operate(event)

    # Death and return.

    def death(self) -> TroublePlan | None:
        """Return how the process dies at the event that is now to be stored, if it does."""
        return self._deaths.pop(self.events, None) if self._deaths else None

    def die_of(self, death: TroublePlan) -> None:
        """Die at an event."""
        self.stage.happened[Trouble.TOOL_DIES] += 1
        self.die(death.seconds)

    def die(self, seconds: float) -> None:
        """Die now, and come back after so many seconds."""
        self.up = False
        for tool in self.tools.values():
            tool.stop()
        self.stage.clock.call_later(seconds, self._return)

    def jump(self, seconds: float) -> None:
        """Let the clock of the tool's machine jump; the tool notices when it starts anew."""
        self._next_offset_s += seconds

    def _return(self) -> None:
        self.offset_s = self._next_offset_s
        self.up = True
        for tool in self.tools.values():
            if self.up:  # it may die again while it takes its sessions up
                tool.resume()
