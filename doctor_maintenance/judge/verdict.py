# SPDX-License-Identifier: Apache-2.0
"""The verdict on a trace: every clause and every expectation, with what came of it and why.

Five outcomes are kept apart, since to mix them up is how a test lies: *passed* (something was proven to
hold, nothing to be broken), *failed*, *not proven* (the witnesses saw too little to prove it anywhere), *not
applicable* (nothing was there to judge) and *waived* (the scenario breaks it on purpose and says why). A run
in which nothing was proven has not passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from doctor_maintenance.judge.contract import CONTRACT, HELD, Clause, Finding
from doctor_maintenance.judge.moment import Result
from doctor_maintenance.judge.records import Expected, Record
from doctor_maintenance.judge.story import Story
from doctor_maintenance.judge.trace import Trace

MAX_EVIDENCE = 20
"""The most pieces of evidence that a check keeps; the rest is counted."""


class Outcome(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not_proven"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a check came out as it did.

    Attributes:
        message: what was expected and what was found.
        proven: False if the records allow that the rule was kept.
        records: the records that show it.
    """

    message: str
    proven: bool = True
    records: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a verdict.

    Attributes:
        check_id: its name.
        title: the rule in a sentence.
        step: what of the guideline or the design it is about.
        outcome: what came of it.
        judged: how many things it looked at.
        evidence: why it failed; if it did not, what could not be proven.
        note: what else there is to say: the reason of a waiver, evidence that was left out.
    """

    check_id: str
    title: str
    step: str
    outcome: Outcome
    judged: int = 0
    evidence: tuple[Evidence, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a run.

    Attributes:
        checks: every check, in the order of the contract; expectations last.
    """

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True if nothing failed and something was proven to hold."""
        return not self.failed and any(check.outcome is Outcome.PASSED for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed or could not be made."""
        bad = (Outcome.FAILED, Outcome.ERROR)
        return tuple(check for check in self.checks if check.outcome in bad)

    def check(self, check_id: str) -> Check:
        """Return a check by its name.

        Raises:
            KeyError: there is none of that name.
        """
        for check in self.checks:
            if check.check_id == check_id:
                return check
        raise KeyError(check_id)

    def with_error(self, check_id: str, title: str, message: str) -> Verdict:
        """Return the verdict with a check that could not be made: the run itself broke off."""
        error = Check(check_id, title, "run", Outcome.ERROR, evidence=(Evidence(message),))
        return Verdict((*self.checks, error))


def judge(
    trace: Trace,
    expected: Expected | None = None,
    clauses: Mapping[str, Clause] = CONTRACT,
) -> Verdict:
    """Judge a trace.

    Args:
        trace: what was seen.
        expected: what must have come out; None: what the trace's scenario says.
        clauses: the clauses to hold it against; the whole contract by default.

    Raises:
        TraceError: the trace does not say what the run was about.
    """
    story = Story(trace)
    if expected is None:
        expected = story.scenario.expect
    checks = [_hold(story, clause, expected) for clause in clauses.values()]
    checks.extend(_expectations(story, expected, checks))
    return Verdict(tuple(checks))


def _hold(story: Story, clause: Clause, expected: Expected) -> Check:
    found = list(clause.judge(story))
    odd = [finding for finding in found if finding is not HELD]
    held = len(found) - len(odd)
    if not odd:
        outcome = Outcome.PASSED if held else Outcome.NOT_APPLICABLE
        return Check(clause.clause_id, clause.title, clause.step, outcome, held)
    bad: list[Finding] = []
    vague: list[Finding] = []
    for finding in odd:
        if finding.result is Result.BROKEN or (story.scenario.exact and finding.decidable):
            bad.append(finding)
        else:
            vague.append(finding)
    shown = bad or vague
    reason = expected.waive.get(clause.clause_id)
    outcome = _outcome(held, bool(bad), bool(vague), reason is not None)
    notes = [f"waived by the scenario: {reason}"] if outcome is Outcome.WAIVED else []
    if len(shown) > MAX_EVIDENCE:
        notes.append(f"{len(shown) - MAX_EVIDENCE} more findings are left out")
    return Check(
        check_id=clause.clause_id,
        title=clause.title,
        step=clause.step,
        outcome=outcome,
        judged=held + len(bad) + len(vague),
        evidence=tuple(
            Evidence(finding.message, finding.result is Result.BROKEN, finding.records)
            for finding in shown[:MAX_EVIDENCE]
        ),
        note="; ".join(notes),
    )


def _outcome(held: int, bad: bool, vague: bool, waived: bool) -> Outcome:
    if bad:
        return Outcome.WAIVED if waived else Outcome.FAILED
    if held:
        return Outcome.PASSED
    return Outcome.NOT_PROVEN if vague else Outcome.NOT_APPLICABLE


def _expectations(story: Story, expected: Expected, checks: Iterable[Check]) -> Iterator[Check]:
    if expected.session is not None:
        found = list(story.sessions.values())
        wrong = [session for session in found if session.state != expected.session]
        problem = "no session was seen" if not found else ""
        if wrong:
            problem = f"found {', '.join(session.state for session in wrong)}"
        yield _expectation(
            "expected.session",
            "the session ends as the scenario expects",
            f"expected every session to end {expected.session}; {problem}" if problem else "",
            wrong,
        )
    if expected.hosts:
        differing = {
            host: story.host_state(host)
            for host, state in expected.hosts.items()
            if story.host_state(host) != state
        }
        problem = ", ".join(
            f"{host}: expected {expected.hosts[host]}, found {state or 'no state'}"
            for host, state in differing.items()
        )
        yield _expectation(
            "expected.hosts",
            "each host ends as the scenario expects",
            problem,
            story.sessions.values() if problem else (),
        )
    if expected.require:
        silent = (Outcome.NOT_APPLICABLE, Outcome.NOT_PROVEN)
        outcomes = {check.check_id: check.outcome for check in checks}
        missing = [
            f"{check_id} ({outcomes.get(check_id, 'unknown clause').replace('_', ' ')})"
            for check_id in expected.require
            if outcomes.get(check_id, Outcome.NOT_APPLICABLE) in silent
        ]
        problem = f"expected these to be judged: {', '.join(missing)}" if missing else ""
        yield _expectation("expected.clauses", "what the scenario is about was judged", problem, ())


def _expectation(check_id: str, title: str, problem: str, records: Iterable[Record]) -> Check:
    return Check(
        check_id=check_id,
        title=title,
        step="scenario",
        outcome=Outcome.FAILED if problem else Outcome.PASSED,
        judged=1,
        evidence=(Evidence(problem, records=tuple(records)),) if problem else (),
    )
