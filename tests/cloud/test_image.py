# SPDX-License-Identifier: Apache-2.0
"""Glance: how an image is found, made and deleted."""

from __future__ import annotations

from .asking import Voice
from .tenants import House, Stay

UNKNOWN = "00000000-0000-4000-8000-000000000000"
RAW = {"disk_format": "raw", "container_format": "bare"}


def test_versions_are_a_multiple_choice(nobody: Voice) -> None:
    root = nobody.look("GET", "image", "/")

    assert root.status == 300
    assert "CURRENT" in {item["status"] for item in root.body["versions"]}


def test_image_is_found_by_its_name(house: House, ours: Voice) -> None:
    shown = ours.look("GET", "image", f"/v2/images/{house.ground.image_id}").body
    found = ours.look("GET", "image", f"/v2/images?name={shown['name']}").body

    assert house.ground.image_id in [item["id"] for item in found["images"]]
    assert shown["status"] == "active"


def test_image_is_queued_until_it_has_data_and_a_download_of_nothing_is_204(
    stay: Stay, ours: Voice
) -> None:
    made = ours.ask("POST", "image", "/v2/images", {"name": stay.name(), **RAW})
    path = f"/v2/images/{made.body['id']}"
    stay.keep(ours, "image", path)

    nothing = ours.ask("GET", "image", f"{path}/file")
    uploaded = ours.ask(
        "PUT",
        "image",
        f"{path}/file",
        b"\0" * 4096,
        headers={"Content-Type": "application/octet-stream"},
    )
    active = ours.ask("GET", "image", path)
    deleted = ours.ask("DELETE", "image", path)
    gone = ours.ask("GET", "image", path)

    assert (made.status, made.body["status"]) == (201, "queued")
    assert nothing.status == 204
    assert uploaded.status == 204
    assert (active.body["status"], active.body["size"]) == ("active", 4096)
    assert (deleted.status, gone.status) == (204, 404)


def test_another_projects_image_is_not_found_and_members_publish_none(
    stay: Stay, ours: Voice, theirs: Voice
) -> None:
    made = ours.ask("POST", "image", "/v2/images", {"name": stay.name(), **RAW})
    path = f"/v2/images/{made.body['id']}"
    stay.keep(ours, "image", path)

    foreign = theirs.ask("GET", "image", path)
    public = ours.ask(
        "POST", "image", "/v2/images", {"name": stay.name(), "visibility": "public", **RAW}
    )

    assert (foreign.status, public.status) == (404, 403)


def test_errors_have_a_message_a_code_and_a_title(ours: Voice, nobody: Voice) -> None:
    unknown = ours.ask("GET", "image", f"/v2/images/{UNKNOWN}")
    bad = ours.ask("POST", "image", "/v2/images", {"disk_format": "floppy"})
    no_token = nobody.ask("GET", "image", "/v2/images")

    assert (unknown.status, bad.status, no_token.status) == (404, 400, 401)
    assert unknown.body["code"] == "404 Not Found"
    assert unknown.body["title"] == "Not Found"
