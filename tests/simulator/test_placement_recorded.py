# SPDX-License-Identifier: Apache-2.0
"""Every recorded answer of a real Placement, asked of the simulated one."""

from __future__ import annotations

from typing import Any

import pytest
from tallying import fields, tally

from doctor_maintenance.simulator.records import BootRequest

from .nova_replay import Replay, differences, in_form, recorded

ENTRIES = recorded("placement")
BY_SLUG = {entry["slug"]: entry for entry in ENTRIES}
DEMO = "5e02cc38adfe4c54a9fbb4f27479d403"


def reduced(value: Any) -> Any:
    """Return an answer without generations and traits, with prefixes as at the root, and in its form."""
    if isinstance(value, dict):
        kept = {in_form(name): reduced(inner) for name, inner in value.items()}
        return {
            name: "<lab>" if "generation" in name or name == "traits" else inner
            for name, inner in kept.items()
        }
    if isinstance(value, list):
        return [reduced(item) for item in value]
    if isinstance(value, str):
        return in_form(value.removeprefix("/placement"))
    return value


@pytest.fixture(scope="module")
def findings() -> dict[str, list[str]]:
    order = ("compute2", "compute3", "compute1")
    replay = Replay(order)
    demo = replay.cloud.identity.find_project("demo")
    assert demo is not None
    replay.know(DEMO, demo.id)
    for shown in BY_SLUG["resource-providers"]["answer"]["resource_providers"]:
        replay.know(shown["uuid"], replay.cloud.compute.hosts[shown["name"]].host_id)
    request = BootRequest("one", "small", host="compute1")
    replay.cloud.compute.boot(demo.id, request, user_id="somebody")
    replay.clock.run()
    return {entry["slug"]: tell(replay, entry) for entry in ENTRIES}


def tell(replay: Replay, entry: dict[str, Any]) -> list[str]:
    """Make a recorded call, and return how its answer differs."""
    answer = replay.ask(entry, "placement")
    found = []
    if answer.status_code != entry["status"]:
        found.append(f"status: recorded {entry['status']}, found {answer.status_code}")
    body = reduced(answer.json())
    found += differences(reduced(entry["answer"]), body)
    for name, value in entry["answer_headers"].items():
        if value != answer.headers.get(name):
            found.append(f"header {name}: recorded {value}, found {answer.headers.get(name)}")
    return found


@pytest.mark.parametrize("slug", sorted(BY_SLUG))
def test_the_answer_is_the_recorded_one(findings: dict[str, list[str]], slug: str) -> None:
    compared = 1 + fields(BY_SLUG[slug]["answer"]) + len(BY_SLUG[slug]["answer_headers"])
    tally("story-placement", slug, compared, [(item, "") for item in findings[slug]])
    assert findings[slug] == []
