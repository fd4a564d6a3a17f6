# SPDX-License-Identifier: Apache-2.0
"""The parts of a run as processes of their own: started, waited for, listened to, and ended.

A child has a session of its own, so that Ctrl-C at the terminal reaches the runner alone, which then
cleans up with all of them still there. It ends with its standard input, so however the runner ends,
none stays behind.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from doctor_maintenance.clock import Clock
from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.options import DEFAULT_GROUP, options, written
from doctor_maintenance.settings import Settings

LOG = logging.getLogger(__name__)

_READY = b"ready "
_LAST_LINES = 8
_CLOUDS = "OS_CLIENT_CONFIG_FILE"


class Process:
    """A subcommand of ours that serves.

    Args:
        name: what it is called in messages, and its log file.
        words: the subcommand and its arguments.
        folder: where its log goes.
        clock: real time.
        settings: its options, handed over in a file that only we may read.
        clouds: a ``clouds.yaml`` of its own; None: whichever ours is.

    Raises:
        PreconditionError: it cannot be started.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        folder: Path,
        clock: Clock,
        settings: Settings,
        clouds: Path | None = None,
    ) -> None:
        self.name = name
        self._clock = clock
        self._asking = threading.Lock()
        self._url: str | None = None
        self._log = folder / f"{name}.log"
        config = folder / f"{name}.conf"
        write_settings(config, settings)
        command = [sys.executable, "-m", "doctor_maintenance", *words]
        command += ["--config-file", str(config), "--die-with-parent"]
        with self._log.open("ab") as log:
            try:
                self._child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    env=_environment(clouds),
                )
            except OSError as error:
                raise PreconditionError(f"{name} cannot be started: {error}") from error

    @property
    def pid(self) -> int:
        """The process's ID."""
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    def url(self, within_s: float) -> str:
        """Wait until it is ready, and return where it listens; blocks, and may be asked again.

        Args:
            within_s: the longest wait, in real seconds.

        Raises:
            PreconditionError: it ended, or is not ready in time; the message has its last words.
        """
        with self._asking:
            if self._url is None:
                self._url = self._read_url(within_s)
            return self._url

    def _read_url(self, within_s: float) -> str:
        deadline = self._clock.now() + within_s
        stdout = self._child.stdout
        assert stdout is not None
        text = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not text.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - self._clock.now())):
                    raise self._problem(f"is not ready after {within_s:g} s")
                chunk = os.read(stdout.fileno(), 4096)
                if not chunk:
                    raise self._problem(f"ended with exit status {self._child.wait()}")
                text += chunk
        for line in text.splitlines():
            if line.startswith(_READY):
                return line[len(_READY) :].decode()
        raise self._problem(f"said {text!r:.80} instead of 'ready <url>'")

    def ask_to_stop(self) -> None:
        """Ask it to end."""
        if self.running:
            self._child.terminate()

    def stop(self, within_s: float) -> int:
        """Wait until it has ended, kill it if it does not, and return its exit status; blocks.

        Args:
            within_s: the grace, in real seconds.
        """
        self.ask_to_stop()
        try:
            status = self._child.wait(within_s)
        except subprocess.TimeoutExpired:
            LOG.warning("%s did not end within %g s; it is killed", self.name, within_s)
            self._child.kill()
            status = self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                stream.close()
        return status

    def _problem(self, what: str) -> PreconditionError:
        lines = self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        last = "\n  ".join(lines) or "(nothing)"
        return PreconditionError(f"{self.name} {what}; the end of {self._log}:\n  {last}")


class Tail:
    """Reads what a process appends to a file of observations.

    Args:
        path: the file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """Return the records that are complete and new."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


def write_settings(path: Path, settings: Settings) -> None:
    """Write settings as a configuration file that only we may read, as it may hold passwords.

    Args:
        path: the file.
        settings: the options; those at their default are left out.
    """
    lines: list[str] = []
    for option in options(Settings):
        owner = settings if option.group == DEFAULT_GROUP else getattr(settings, option.group)
        value = getattr(owner, option.name)
        if value is not None and value != option.default:
            lines.append(f"[{option.group}]")
            values = written(replace(option, default=value))
            lines.extend(f"{option.name} = {text.replace('$', '$$')}" for text in values)
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _environment(clouds: Path | None) -> dict[str, str]:
    """Our own environment without what would weigh more than the file that we write."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OS_") or name == _CLOUDS
    }
    if clouds is not None:
        kept[_CLOUDS] = str(clouds)
    return kept
