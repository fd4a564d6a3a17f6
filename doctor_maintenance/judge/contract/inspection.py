# SPDX-License-Identifier: Apache-2.0
"""The inspector: it leaves a host in maintenance alone, and looks after it again afterwards."""

from __future__ import annotations

from doctor_maintenance.judge.contract.clause import (
    HELD,
    Findings,
    broken,
    clause,
)
from doctor_maintenance.judge.conversation import Message
from doctor_maintenance.judge.lives import Seen
from doctor_maintenance.judge.moment import Moment, surely_before
from doctor_maintenance.judge.records import Inspector
from doctor_maintenance.judge.rounds import Round
from doctor_maintenance.judge.story import Story


def _arrived(message: Message | None) -> Moment | None:
    if message is None:
        return None
    moments = [seen.moment for seen in message.arrivals if seen.record.source == "inspector"]
    return min(moments, default=message.sent)


def _did(story: Story, host: str, action: str) -> list[Seen[Inspector]]:
    return [
        seen
        for seen in story.seen(Inspector)
        if seen.record.host == host and seen.record.action == action
    ]


def _while_maintained(part: Round, moment: Moment) -> bool:
    """Return whether something happened for certain between steps 7 and 11, as the inspector knew them."""
    since, until = _arrived(part.in_maintenance), part.over.sent if part.over else None
    if since is None or not surely_before(since, moment):
        return False
    return until is None or surely_before(moment, until)


def _while_known_free(story: Story, host: str, moment: Moment) -> bool:
    """Return whether the inspector knew for certain that the host was not in maintenance."""
    for part in story.rounds:
        since, until = part.in_maintenance, _arrived(part.over)
        if part.host != host or since is None or surely_before(moment, since.sent):
            continue
        if until is None or not surely_before(until, moment):
            return False
    return True


@clause(
    "inspector.told",
    "the inspector stands down for a host in maintenance, and is back after it",
    "7, 11",
)
def told(story: Story) -> Findings:
    """Judge that the inspector did what it was told, where somebody watched it."""
    if not story.seen(Inspector):
        return
    for part in story.rounds:
        for message, action in ((part.in_maintenance, "stand_down"), (part.over, "resume")):
            if message is None:
                continue
            later = [
                seen
                for seen in _did(story, part.host, action)
                if seen.moment.upper >= message.sent.lower
            ]
            yield (
                HELD
                if bool(later)
                else broken(
                    f"{part.host}: expected the inspector to {action.replace('_', ' ')} after it was told"
                    f" {message.content.state} {story.when(message.sent)}; it did not",
                    *message.records,
                )
            )


@clause(
    "inspector.stands_down",
    "the inspector does nothing about a fault of a host in maintenance",
    "7 to 11",
)
def stands_down(story: Story) -> Findings:
    """Judge every fault that was reported of a host in maintenance."""
    for part in story.rounds:
        for fault in _did(story, part.host, "fault_received"):
            if _while_maintained(part, fault.moment):
                acted = [
                    seen
                    for seen in _did(story, part.host, "acted")
                    if _while_maintained(part, seen.moment)
                ]
                yield (
                    HELD
                    if not acted
                    else broken(
                        f"{part.host}: expected the inspector to leave it alone in maintenance; it acted on a fault"
                        f" {story.when(fault.moment)}",
                        fault.record,
                        *(seen.record for seen in acted),
                    )
                )


@clause(
    "inspector.acts_again",
    "the inspector acts on a fault of a host that is not in maintenance",
    "11",
)
def acts_again(story: Story) -> Findings:
    """Judge every fault that was reported of a host that was not in maintenance."""
    for seen in story.seen(Inspector):
        host = seen.record.host
        if seen.record.action != "fault_received" or not _while_known_free(
            story, host, seen.moment
        ):
            continue
        acted = [
            item for item in _did(story, host, "acted") if item.moment.upper >= seen.moment.lower
        ]
        ignored = [
            item for item in _did(story, host, "ignored") if item.moment.lower >= seen.moment.lower
        ]
        yield (
            HELD
            if bool(acted)
            else broken(
                f"{host}: expected the inspector to act on a fault {story.when(seen.moment)}, when the host was not in"
                " maintenance; it did not",
                seen.record,
                *(item.record for item in ignored[:1]),
            )
        )
