# SPDX-License-Identifier: Apache-2.0
"""What a journal stores is what it gives back; what it does not know it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doctor_maintenance.exceptions import LocalProtocolError
from doctor_maintenance.planning import SeenInstance, SessionRequest, SessionRules, codec
from doctor_maintenance.planning import events as saw
from doctor_maintenance.protocol import Action, MaintenanceType, NotificationState, Reply, Verdict

text = st.text(min_size=1, max_size=12)
reply = st.builds(
    Reply,
    text,
    st.sampled_from(Verdict),
    st.sampled_from(NotificationState),
    st.dictionaries(text, st.sampled_from(Action), max_size=3),
)
events = st.one_of(
    st.just(saw.Opened()),
    st.just(saw.OperatorCanceled()),
    st.builds(saw.TimerFired, text),
    st.builds(saw.Done, text),
    st.builds(saw.CommandFailed, text, text, st.booleans()),
    st.builds(saw.ComputeDisabled, text, st.booleans()),
    st.builds(
        saw.HostSurveyed,
        text,
        st.lists(st.builds(SeenInstance, text, text, text), max_size=3).map(tuple),
        st.frozensets(text, max_size=3),
    ),
    st.builds(saw.InstanceMoved, text, text, text),
    st.builds(saw.InstanceGone, text, text),
    st.builds(saw.ReplyReceived, text, st.integers(1, 9), reply),
    st.builds(saw.OperatorContinued, text),
    st.builds(saw.OperatorReleased, text),
)


@given(events)
def test_an_event_survives_the_journal(event: saw.Event) -> None:
    assert codec.event_from_data(json.loads(json.dumps(codec.event_to_data(event)))) == event


def test_a_request_and_its_rules_survive_the_journal() -> None:
    request = SessionRequest(
        "s", ("h1", "h2"), MaintenanceType.FULL, 5.5, {"h1": frozenset({"b", "a"})}, {"k": "v"}
    )
    rules = SessionRules("admin", "http://x", only_if_agreed=frozenset({"p"}))

    stored = json.dumps([codec.request_to_data(request), codec.rules_to_data(rules)])
    first, second = json.loads(stored)

    assert codec.request_from_data(first) == request
    assert codec.rules_from_data(second) == rules


@pytest.mark.parametrize(
    "data", [{}, {"event": "Lunch"}, {"event": "Done"}, {"event": "Done", "key": "k", "more": 1}]
)
def test_an_unknown_or_damaged_event_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError, match="journal"):
        codec.event_from_data(data)
