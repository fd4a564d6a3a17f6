# SPDX-License-Identifier: Apache-2.0
"""The guests that are not there: a record for each, which is all that a guest of this kind of lab consists of.

A record says on which host the guest is and whether it runs. The virt driver writes it at the moment at which a real
hypervisor would start, stop or hand over the guest; what answers for the guests reads it. Checked against nova 34.0.0.
"""

import json
import os
import socket
from pathlib import Path
from typing import Any

FOLDER = "LAB_GUESTS"
"""The variable with the folder of the records."""

BELL = "LAB_BELL"
"""The variable with the socket that is told when a record has changed."""


class Records:
    """The records of all hosts.

    Args:
        folder: where they are.
        bell: a datagram socket that is told of every change; nobody need listen.
    """

    def __init__(self, folder: Path, bell: Path) -> None:
        self._folder = folder
        self._bell = bell

    @classmethod
    def of_environment(cls) -> "Records":
        """Return those that the environment names."""
        return cls(Path(os.environ[FOLDER]), Path(os.environ[BELL]))

    def get(self, instance_id: str) -> dict[str, Any] | None:
        """Return a guest's record, if there is one."""
        try:
            record: dict[str, Any] = json.loads(self._path(instance_id).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return record

    def on(self, host: str) -> list[dict[str, Any]]:
        """Return the records of the guests on a host."""
        found = [self.get(path.stem) for path in sorted(self._folder.glob("*.json"))]
        return [record for record in found if record is not None and record["host"] == host]

    def put(self, record: dict[str, Any]) -> None:
        """Write a record; whoever reads sees the old one or the new one."""
        path = self._path(record["id"])
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(record), encoding="utf-8")
        fresh.replace(path)
        self.ring()

    def change(self, instance_id: str, on: str, /, **fields: Any) -> None:
        """Change fields of a guest's record, if the guest is on that host."""
        record = self.get(instance_id)
        if record is not None and record["host"] == on:
            self.put({**record, **fields})

    def remove(self, instance_id: str, host: str) -> None:
        """Remove a guest's record, if the guest is on that host and not on another one by now."""
        record = self.get(instance_id)
        if record is not None and record["host"] == host:
            self._path(instance_id).unlink(missing_ok=True)
            self.ring()

    def ring(self) -> None:
        """Tell that something changed; a listener that is not there, or is behind, looks by itself later."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
            bell.setblocking(False)
            try:
                bell.sendto(b"guests", str(self._bell))
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                return

    def _path(self, instance_id: str) -> Path:
        return self._folder / f"{instance_id}.json"
