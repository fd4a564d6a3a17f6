# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the contract tests: a place, a house on it, and a stay for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from . import recording, tenants
from .asking import Voice, roots
from .places import Place, choose
from .tenants import House, Stay
from .transcript import Transcript

IMAGE = "DOCTOR_MAINTENANCE_TEST_IMAGE"


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """The cloud that the tests run on."""
    chosen: Place = choose()
    yield chosen
    chosen.close()


@pytest.fixture(scope="session")
def talk() -> Transcript:
    """What is asked and answered."""
    return Transcript()


@pytest.fixture(scope="session")
def admin(place: Place, talk: Transcript) -> Voice:
    """An operator."""
    return Voice("operator", place.http, roots(place.admin), talk, place.admin)


@pytest.fixture(scope="session")
def nobody(place: Place, talk: Transcript) -> Voice:
    """Somebody without a token."""
    return Voice("nobody", place.http, roots(place.admin), talk)


@pytest.fixture(scope="session")
def house(place: Place, talk: Transcript, admin: Voice) -> Iterator[House]:
    """Two projects, a network and a flavor; all of it is removed at the end."""
    image = os.environ.get(IMAGE) or _an_image(admin)
    made = tenants.deployment(place, image)

    def voice(name: str, login: Mapping[str, str]) -> Voice:
        return Voice(name, place.http, roots(place.admin), talk, place.connect(login))

    try:
        built = place.run(tenants.build(made, admin, voice))
        talk.known.update(_words(built, admin, place))
        yield built
    finally:
        left = place.run(made.remove())
        assert left == []


@pytest.fixture
def stay(place: Place, house: House, admin: Voice) -> Iterator[Stay]:
    """What one test makes; it is gone when the test is over."""
    begun = Stay(place, house, admin)
    try:
        yield begun
    finally:
        begun.leave()


@pytest.fixture(scope="module")
def one(place: Place, house: House, admin: Voice) -> Iterator[str]:
    """An instance that is ACTIVE and that the tests of a module leave as it is."""
    begun = Stay(place, house, admin)
    try:
        yield begun.boot()
    finally:
        begun.leave()


@pytest.fixture
def ours(house: House) -> Voice:
    """A member of the project that the tests work in."""
    return house.ours.voice


@pytest.fixture
def theirs(house: House) -> Voice:
    """A member of another project."""
    return house.theirs.voice


@pytest.fixture(autouse=True)
def transcript(request: pytest.FixtureRequest, place: Place, talk: Transcript) -> Iterator[None]:
    """Record what a test is answered, or compare it with what was recorded on a real cloud."""
    talk.begin()
    yield
    if request.node.rep_call_passed:
        recording.finish(request.node, place, talk.entries())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know whether a test has passed."""
    report = yield
    if report.when == "call":
        item.rep_call_passed = report.passed
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that was skipped has not passed."""
    item.rep_call_passed = False


def _an_image(admin: Voice) -> str:
    images = admin.look("GET", "image", "/v2/images?visibility=public&sort=name:asc").body["images"]
    bootable = [item for item in images if item["container_format"] == "bare"]
    assert bootable, f"the cloud has no public image; name one in {IMAGE}"
    return str(bootable[0]["name"])


def _words(house: House, admin: Voice, place: Place) -> dict[str, str]:
    """Return the cloud's own words, and what they are called in a transcript."""
    services = admin.look("GET", "compute", "/v2.1/os-services").body["services"]
    named = dict.fromkeys((item["host"] for item in services), "<controller>")
    named |= dict.fromkeys(house.ground.hosts, "<host>")
    named[house.spec.prefix] = "<run>-"
    named[house.ours.project_id] = "<our project>"
    named[house.theirs.project_id] = "<their project>"
    named[house.network_id] = "<network>"
    named[house.subnet_id] = "<subnet>"
    named[house.flavor_id] = "<flavor>"
    named[house.ground.image_id] = "<image>"
    named[house.ground.external_network_id] = "<external network>"
    named[house.spec.run_id] = "<run>"
    named[place.mailbox.url] = "<mailbox>"
    for service, url in admin.roots.items():
        named[url] = f"<{service}>"
        path = urlsplit(url).path
        if path:  # some services link to themselves by a path alone
            named[f"{path}/"] = "/"
    return named
