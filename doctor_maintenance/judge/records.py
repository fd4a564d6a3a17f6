# SPDX-License-Identifier: Apache-2.0
"""What a witness can have seen: one frozen type a kind, checked when it is read.

A trace may come from somebody else's tools, so nothing about it is taken on trust: an unknown kind or
field, a missing one or one of the wrong type is an error that says where. To read on and ignore it
was refused: a misspelt ``not_before`` would make the judge see an order that nobody proved.

Every record says when it was seen (``at``) and, if the witness looks only now and then, the earliest
moment at which the thing can have happened (``not_before``); both are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from doctor_maintenance.judge import reading
from doctor_maintenance.judge.base import Record
from doctor_maintenance.judge.reading import may, need
from doctor_maintenance.judge.setting import Expected, ProjectFacts, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Record):
    """A notification that reached the bus (source ``bus``) or somebody's alarm URL.

    Attributes:
        event_type: ``maintenance.scheduled`` or ``maintenance.host``.
        message_id: the notification's own identity.
        generated: when it was sent, by the sender's clock.
        session_id: the session.
        project_id: whom it is for.
        state: what it says.
        type: the type of maintenance (project).
        host: the host (host events only).
        instance_ids: the URL of the list of instances (project).
        instances: the list that was behind that URL, if the witness read it.
        allowed_actions: what the project may ask for.
        default_action: what is done without a reply.
        actions_at: when the admin tool acts at the latest.
        reply_at: until when a reply is taken.
        reply_url: where the reply goes.
        metadata: what the operator wants the project to know.
        service: who says so (host events).
    """

    KIND: ClassVar[str] = "notification"

    event_type: str = need(reading.text)
    message_id: str = need(reading.text)
    generated: float | None = may(reading.number)
    session_id: str = need(reading.text)
    project_id: str = need(reading.text)
    state: str = need(reading.text)
    type: str | None = may(reading.text)
    host: str | None = may(reading.text)
    instance_ids: str | None = may(reading.text)
    instances: tuple[str, ...] | None = may(reading.texts)
    allowed_actions: tuple[str, ...] | None = may(reading.texts)
    default_action: str | None = may(reading.text)
    actions_at: float | None = may(reading.number)
    reply_at: float | None = may(reading.number)
    reply_url: str | None = may(reading.text)
    metadata: Mapping[str, str] = may(reading.text_by_text, {})
    service: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Record):
    """A project's reply and what the admin tool answered; ``not_before`` is when it was sent.

    Attributes:
        session_id: the session.
        project_id: who replies.
        state: ``ACK_…`` or ``NACK_…``.
        instance_actions: what to do with each instance.
        reply_url: where it was sent, which says what it answers; None if not known.
        status: the HTTP status answered; 0 if there was no answer.
    """

    KIND: ClassVar[str] = "reply"

    session_id: str = need(reading.text)
    project_id: str = need(reading.text)
    state: str = need(reading.text)
    instance_actions: Mapping[str, str] = may(reading.text_by_text, {})
    reply_url: str | None = may(reading.text)
    status: int = need(reading.whole)

    @property
    def accepted(self) -> bool:
        """True if the admin tool took it."""
        return 200 <= self.status < 300

    @property
    def unanswered(self) -> bool:
        """True if there was no answer: nobody outside knows whether it was taken."""
        return self.status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchOver(Record):
    """An app manager moves its service from one instance of a pair to the other.

    Attributes:
        project_id: whose.
        phase: ``start``, ``done`` or ``failed``.
        from_instance: who was active; None if nobody was.
        to_instance: who is to be.
        strategy: how.
        reason: why so, if there was a choice.
    """

    KIND: ClassVar[str] = "switch_over"

    project_id: str = need(reading.text)
    phase: str = need(reading.one_of("start", "done", "failed"))
    from_instance: str | None = may(reading.text)
    to_instance: str | None = may(reading.text)
    strategy: str | None = may(reading.text)
    reason: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Record):
    """What Nova says of the nova-compute of a host.

    Attributes:
        host: the host.
        status: ``enabled`` or ``disabled``.
        state: ``up`` or ``down``.
        reason: the disable reason.
        forced_down: whether somebody forced it down.
        binary: which service; the judge looks at nova-compute alone.
    """

    KIND: ClassVar[str] = "service"

    host: str = need(reading.text)
    status: str = need(reading.one_of("enabled", "disabled"))
    state: str = need(reading.one_of("up", "down"))
    reason: str | None = may(reading.any_text)
    forced_down: bool = may(reading.flag, False)
    binary: str = may(reading.text, "nova-compute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Record):
    """What Nova says of an instance.

    Attributes:
        instance_id: which.
        name: its name; a re-created instance is known by it.
        project_id: whose.
        host: where it is; None while it is nowhere.
        status: Nova's status, or ``DELETED`` when it is gone.
        task_state: what is being done to it.
        vm_state: Nova's own state of it.
        by_owner: whether its owner did this; None if not known.
    """

    KIND: ClassVar[str] = "instance"

    instance_id: str = need(reading.text)
    name: str = may(reading.any_text, "")
    project_id: str = need(reading.text)
    host: str | None = may(reading.text)
    status: str = need(reading.text)
    task_state: str | None = may(reading.text)
    vm_state: str | None = may(reading.text)
    by_owner: bool | None = may(reading.flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration(Record):
    """What Nova's migration record says.

    Attributes:
        migration_id: which.
        instance_id: the instance.
        type: ``migration`` (cold) or ``live-migration``; Nova's other types are read too.
        status: Nova's status of it.
        source_host: where from (in JSON ``source_compute``, as Nova calls it; ``source`` is the witness).
        dest_host: where to, once it is known (in JSON ``dest_compute``).
    """

    KIND: ClassVar[str] = "migration"

    migration_id: str = need(reading.identity)
    instance_id: str = need(reading.text)
    type: str = need(reading.text)
    status: str = need(reading.text)
    source_host: str | None = may(reading.text, name="source_compute")
    dest_host: str | None = may(reading.text, name="dest_compute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Record):
    """Who holds a floating IP.

    Attributes:
        address: the floating IP.
        instance_id: the instance that it leads to; None: nobody.
    """

    KIND: ClassVar[str] = "address"

    address: str = need(reading.text)
    instance_id: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPower(Record):
    """A host itself, where a witness can see it (a simulator, a BMC).

    Attributes:
        host: the host.
        powered: whether it runs.
        boot_id: which boot it is.
    """

    KIND: ClassVar[str] = "host"

    host: str = need(reading.text)
    powered: bool = need(reading.flag)
    boot_id: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshCheck(Record):
    """What a check of a host over SSH showed.

    Attributes:
        host: the host.
        check: ``reachable``, ``boot_id``, ``guests``, ``compute``, ``maintenance`` or ``test``.
        ok: whether it showed what it should.
        value: what it showed.
        phase: ``before``, ``during`` or ``after`` the maintenance of the host.
    """

    KIND: ClassVar[str] = "ssh"

    host: str = need(reading.text)
    check: str = need(
        reading.one_of("reachable", "boot_id", "guests", "compute", "maintenance", "test")
    )
    ok: bool = need(reading.flag)
    value: object = may(reading.anything)
    phase: str = need(reading.one_of("before", "during", "after"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which a service did not answer.

    Attributes:
        lower_s: it was silent for at least this long, in seconds.
        upper_s: and for at most this long.
        begin: the last answer before it (in JSON ``from``).
        end: the first answer after it (in JSON ``to``); None if there was none.
    """

    lower_s: float = need(reading.number)
    upper_s: float | None = may(reading.number)
    begin: float = need(reading.number, name="from")
    end: float | None = may(reading.number, name="to")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A time in which one instance answered.

    Attributes:
        begin: the first answer (in JSON ``from``).
        end: the last answer (in JSON ``to``).
        who: the instance that answered, by ID or by name.
    """

    begin: float = need(reading.number, name="from")
    end: float = need(reading.number, name="to")
    who: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Record):
    """What came of asking a service many times a second.

    Attributes:
        address: the floating IP that was asked.
        project_id: whose service it is.
        sent: how many times it was asked.
        lost: how many times it did not answer.
        longest_gap: the longest silence.
        gaps: every silence.
        answers: who answered when.
    """

    KIND: ClassVar[str] = "probe"

    address: str = need(reading.text)
    project_id: str | None = may(reading.text)
    sent: int = need(reading.whole)
    lost: int = need(reading.whole)
    longest_gap: Gap | None = may(reading.one(Gap))  # noqa: RUF009 (frozen)
    gaps: tuple[Gap, ...] = may(reading.many(reading.one(Gap)), ())
    answers: tuple[Answers, ...] = may(reading.many(reading.one(Answers)), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspector(Record):
    """What the inspector did.

    Attributes:
        action: ``stand_down``, ``resume``, ``fault_received``, ``acted`` or ``ignored``.
        host: the host that it is about.
        session_id: the session that it was told of.
    """

    KIND: ClassVar[str] = "inspector"

    action: str = need(reading.one_of("stand_down", "resume", "fault_received", "acted", "ignored"))
    host: str = need(reading.text)
    session_id: str | None = may(reading.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Record):
    """What the admin tool's API says of a session.

    Attributes:
        session_id: which.
        state: the session's state.
        hosts: the state of each of its hosts.
    """

    KIND: ClassVar[str] = "session"

    session_id: str = need(reading.text)
    state: str = need(reading.text)
    hosts: Mapping[str, str] = may(reading.text_by_text, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable(Record):
    """A text that a project could read: an alarm's body, an answer of its view.

    Attributes:
        project_id: who could read it.
        where: where it stood.
        text: the text itself.
    """

    KIND: ClassVar[str] = "readable"

    project_id: str = need(reading.text)
    where: str = need(reading.any_text)
    text: str = need(reading.any_text)


KINDS: Mapping[str, type[Record]] = {
    kind.KIND: kind
    for kind in (
        Scenario,
        Notification,
        Reply,
        SwitchOver,
        Service,
        Instance,
        Migration,
        Address,
        HostPower,
        SshCheck,
        Probe,
        Inspector,
        Session,
        Readable,
    )
}
"""Every kind of record by its name in JSON."""

__all__ = [
    "KINDS",
    "Address",
    "Answers",
    "Expected",
    "Gap",
    "HostPower",
    "Inspector",
    "Instance",
    "Migration",
    "Notification",
    "Probe",
    "ProjectFacts",
    "Readable",
    "Record",
    "Reply",
    "Scenario",
    "Service",
    "Session",
    "SshCheck",
    "SwitchOver",
]
