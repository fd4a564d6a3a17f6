# SPDX-License-Identifier: Apache-2.0
"""The image model: Glance's records, with the data's size and sum; the data of a guest that never runs is not kept."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import NotFoundError
from doctor_maintenance.simulator.ids import new_uuid
from doctor_maintenance.simulator.topology import Topology

_PRELOADED = b"A disk of the simulated cloud: nothing ever reads it.\n"


@dataclass(slots=True)
class Image:
    """An image.

    Attributes:
        owner: the project that owns it.
        status: ``queued`` until its data is uploaded, then ``active``; ``deactivated`` by an admin.
        data: what was uploaded.
        created_at, updated_at: seconds since the epoch.
        properties: whatever else was said about it.
    """

    id: str
    name: str | None
    owner: str
    status: str = "queued"
    visibility: str = "shared"
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    created_at: float = 0.0
    updated_at: float = 0.0

    @property
    def size(self) -> int | None:
        """How many bytes were uploaded, or None."""
        return None if self.data is None else len(self.data)

    @property
    def checksum(self) -> str | None:
        """The MD5 sum, by which old clients compare images."""
        if self.data is None:
            return None
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def hash_value(self) -> str | None:
        """The SHA-512 sum."""
        return None if self.data is None else hashlib.sha512(self.data).hexdigest()


class Images:
    """The images of a cloud.

    Args:
        clock: the time of changes.
        rng: what IDs are drawn from.
        topology: the name of the image that exists from the start.
        admin_project_id: who owns that one.
    """

    def __init__(
        self, clock: Clock, rng: random.Random, topology: Topology, admin_project_id: str
    ) -> None:
        self._clock = clock
        self._rng = rng
        self.images: dict[str, Image] = {}
        image = self.create(
            admin_project_id,
            name=topology.image,
            visibility="public",
            disk_format="qcow2",
            container_format="bare",
        )
        self.upload(image.id, _PRELOADED)

    def create(self, owner: str, image_id: str | None = None, **fields: Any) -> Image:
        """Add an image without data."""
        now = self._clock.now()
        image = Image(
            id=image_id or new_uuid(self._rng),
            owner=owner,
            created_at=now,
            updated_at=now,
            **fields,
        )
        self.images[image.id] = image
        return image

    def get(self, image_id: str) -> Image:
        """Return an image; raise NotFoundError if there is none."""
        try:
            return self.images[image_id]
        except KeyError:
            raise NotFoundError(f"No image found with ID {image_id}") from None

    def visible(self, image: Image, project_id: str, admin: bool = False) -> bool:
        """Whether a project may see an image."""
        return admin or image.visibility in ("public", "community") or image.owner == project_id

    def upload(self, image_id: str, data: bytes) -> None:
        """Give an image its data; it is active from then on."""
        image = self.get(image_id)
        image.data, image.status = data, "active"
        self.touch(image)

    def touch(self, image: Image) -> None:
        """Say that an image was changed now."""
        image.updated_at = self._clock.now()

    def delete(self, image_id: str) -> None:
        """Remove an image."""
        self.get(image_id)
        del self.images[image_id]
