# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of ``report.json``: what a CI job may rely on.

``docs/report.schema.json`` is this, written out; a test holds the two together. A change that takes
something away or changes its meaning raises :data:`VERSION`; an addition does not.
"""

from __future__ import annotations

import json
from typing import Any

from doctor_maintenance.judge import Outcome
from doctor_maintenance.judge.records import KINDS

VERSION = 1
"""The version of the schema, which every report names."""


def _object(
    description: str, required: list[str] | None = None, **properties: Any
) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": sorted(properties) if required is None else required,
        "additionalProperties": False,
    }


def _list(description: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": items}


def _value(kind: str | list[str], description: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": description, **more}


_SECONDS = "in seconds since the first record of the trace"

_RECORD = {
    "type": "object",
    "description": "A record of the trace, as in trace.jsonl.",
    "properties": {
        "at": _value("number", "When it was seen, in seconds since the epoch, UTC."),
        "source": _value("string", "Who saw it."),
        "kind": _value("string", "What was seen.", enum=sorted(KINDS)),
        "not_before": _value(
            "number", "The earliest moment at which it can have happened; default: at."
        ),
    },
    "required": ["at", "kind", "source"],
    "additionalProperties": True,
}

_EVIDENCE = _object(
    "Why a check came out as it did.",
    message=_value("string", "What was expected and what was found."),
    proven=_value("boolean", "False if the records allow that the rule was kept."),
    records=_list("The records that show it.", _RECORD),
)

_CHECK = _object(
    "One check: a clause of the contract, or an expectation of the scenario.",
    id=_value("string", "Its name, area.rule."),
    title=_value("string", "The rule in a sentence."),
    step=_value("string", "What of the guideline or the design it is about."),
    outcome=_value(
        "string",
        "passed: something was proven to hold, nothing to be broken. not_proven: nothing was proven."
        " not_applicable: there was nothing to judge. waived: the scenario breaks it on purpose, the note says why."
        " error: it could not be made.",
        enum=[outcome.value for outcome in Outcome],
    ),
    judged=_value("integer", "How many things it looked at.", minimum=0),
    note=_value("string", "What else there is to say; may be empty."),
    evidence=_list("Why it failed; if it did not, what could not be proven.", _EVIDENCE),
)

_STEP = _object(
    "Something that happened in the maintenance of a host.",
    required=["at_s", "number", "what"],
    number=_value("string", "The guideline's step, 1 to 13, or work for the maintenance itself."),
    at_s=_value("number", f"When it was seen, {_SECONDS}."),
    not_before_s=_value(
        "number", f"The earliest moment at which it can have happened, {_SECONDS}."
    ),
    what=_value("string", "What happened."),
    project_id=_value("string", "The project that it is about."),
)

_GAP = _object(
    "A silence of the service. The true one lasted between lower_s and upper_s.",
    lower_s=_value("number", "It lasted at least this long, in seconds."),
    upper_s=_value(["number", "null"], "It lasted at most this long, in seconds; null: not known."),
    begin_s=_value("number", f"The last answer before it, {_SECONDS}."),
    end_s=_value(["number", "null"], f"The first answer after it, {_SECONDS}; null: none."),
    step=_value("string", "The guideline's step that caused it, or none."),
    cause=_value("string", "What happened meanwhile, by other witnesses."),
)

_SERVICE = _object(
    "A service, as the probe saw it.",
    address=_value("string", "The floating IP that was asked."),
    project_id=_value(["string", "null"], "Whose service it is."),
    sent=_value("integer", "How many times it was asked.", minimum=0),
    lost=_value("integer", "How many times it did not answer.", minimum=0),
    switch_overs={
        "type": "object",
        "description": "How often its app manager says that it has switched over, by strategy.",
        "additionalProperties": {"type": "integer", "minimum": 1},
    },
    gaps=_list("Every silence.", _GAP),
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The report of one run of doctor-maintenance",
    **_object(
        "What was run, what came of it, and why.",
        schema_version=_value("integer", "The version of this schema.", const=VERSION),
        scenario=_value("string", "The scenario's name."),
        passed=_value("boolean", "True if the verdict is good and nothing was left behind."),
        run=_object(
            "The run.",
            cloud=_value("string", "What it ran on."),
            seed=_value(["integer", "null"], "The seed of a simulated run, which repeats it."),
            started_at=_value(["string", "null"], "When the first thing was seen, ISO 8601, UTC."),
            duration_s=_value("number", "From start to end, in seconds of real time.", minimum=0),
            left=_list("What could not be removed afterwards.", {"type": "string"}),
            version=_value("string", "The version of doctor-maintenance."),
        ),
        counts={
            "type": "object",
            "description": "How many checks had each outcome.",
            "additionalProperties": {"type": "integer", "minimum": 0},
            "propertyNames": {"enum": [outcome.value for outcome in Outcome]},
        },
        checks=_list("Every check, in the order of the contract; expectations last.", _CHECK),
        sessions=_list(
            "The maintenance sessions, as the admin tool last said.",
            _object(
                "A session.",
                session_id=_value("string", "Its ID."),
                state=_value("string", "Its state."),
            ),
        ),
        hosts=_list(
            "The hosts, in the order in which they were maintained.",
            _object(
                "The maintenance of a host.",
                host=_value("string", "Its name."),
                state=_value(["string", "null"], "Its state at the end."),
                steps=_list("What happened, in order.", _STEP),
            ),
        ),
        services=_list("The services that were watched.", _SERVICE),
        figures={
            "type": "object",
            "description": "Measurements; the unit is the end of the name.",
            "additionalProperties": {"type": "number"},
        },
    ),
}
"""The schema."""


def schema_text() -> str:
    """Return the schema as it stands in ``docs/report.schema.json``."""
    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"
