# SPDX-License-Identifier: Apache-2.0
"""A simulator that is a process of its own, and the official command-line clients, unchanged, on a cloud."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CLIENTS = Path(sys.executable).parent


class Clients:
    """The official clients on one cloud.

    Args:
        clouds_yaml: names the cloud.
    """

    def __init__(self, clouds_yaml: Path) -> None:
        self._clouds_yaml = clouds_yaml

    def login(self, cloud: str) -> dict[str, str]:
        """Return how one logs in to a cloud."""
        clouds = yaml.safe_load(self._clouds_yaml.read_text())["clouds"]
        found: dict[str, str] = clouds[cloud]["auth"]
        return found

    def environment(self, **more: str) -> Mapping[str, str]:
        """Return the environment of a client."""
        own = {k: v for k, v in os.environ.items() if not k.startswith("OS_")}
        return {**own, "OS_CLIENT_CONFIG_FILE": str(self._clouds_yaml), **more}

    def openstack(self, *commands: str, cloud: str = "sim-admin") -> list[Any]:
        """Run commands in one ``openstack`` process; return what those with ``-f json`` print."""
        return self._client("openstack", commands, OS_CLOUD=cloud)

    def aodh(self, *commands: str, cloud: str = "sim-admin") -> list[Any]:
        """Run commands in one ``aodh`` process."""
        auth = self.login(cloud)
        return self._client(
            "aodh",
            commands,
            OS_AUTH_TYPE="password",
            OS_AUTH_URL=auth["auth_url"],
            OS_USERNAME=auth["username"],
            OS_PASSWORD=auth["password"],
            OS_PROJECT_NAME=auth["project_name"],
            OS_USER_DOMAIN_NAME="Default",
            OS_PROJECT_DOMAIN_NAME="Default",
        )

    def _client(self, name: str, commands: Sequence[str], **options: str) -> list[Any]:
        done = subprocess.run(
            [CLIENTS / name],
            input="\n".join(commands) + "\n",
            env=self.environment(**options),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.stderr.strip() == "", done.stderr
        return documents(done.stdout)


class Live(Clients):
    """A simulator that runs.

    Args:
        child: its process.
        directory: where it writes its files.
        url: where it answers.
    """

    def __init__(self, child: subprocess.Popen[str], directory: Path, url: str) -> None:
        super().__init__(directory / "clouds.yaml")
        self.child = child
        self.directory = directory
        self.url = url

    @property
    def about(self) -> dict[str, Any]:
        """What it says of itself."""
        read: dict[str, Any] = json.loads((self.directory / "simulator.json").read_text())
        return read


def documents(text: str) -> list[Any]:
    """Return the JSON documents in a client's output; other lines are remarks."""
    decoder, found = json.JSONDecoder(), []
    while text:
        if text[0] not in "[{":
            text = text.partition("\n")[2]
            continue
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


@contextlib.contextmanager
def running(directory: Path, *words: str) -> Iterator[Live]:
    """Run a simulator as long as the block lasts."""
    command = [sys.executable, "-m", "doctor_maintenance", "simulator", "--dir", str(directory)]
    with subprocess.Popen(
        [*command, "--die-with-parent", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        line = child.stdout.readline()
        if not line.startswith("ready "):
            child.kill()
            assert child.stderr is not None
            pytest.fail(f"the simulator is not ready: {line!r} {child.stderr.read()}")
        yield Live(child, directory, line.split()[1])
        child.kill()
