# SPDX-License-Identifier: Apache-2.0
"""Private MariaDB and PostgreSQL servers for tests: in a folder of their own, on the loopback, gone afterwards.

They need not survive the machine, so they do not wait for the disk.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

READY_S = 60.0


@contextmanager
def mariadb() -> Iterator[str]:
    """Run a MariaDB server; yield the URL of an empty database."""
    with _folder(None) as folder:
        data, port = folder / "data", free_port()
        user = pwd.getpwuid(os.geteuid()).pw_name
        install = [
            "mariadb-install-db",
            "--no-defaults",
            "--auth-root-authentication-method=normal",
        ]
        _run([*install, f"--datadir={data}", f"--user={user}", "--skip-test-db"], None)
        first = folder / "first.sql"
        first.write_text("CREATE DATABASE journal CHARACTER SET utf8mb4;\n")
        command = [
            *("mariadbd", "--no-defaults", f"--datadir={data}", f"--user={user}"),
            *("--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 'socket'}"),
            *(f"--pid-file={folder / 'pid'}", f"--init-file={first}", "--skip-name-resolve"),
            *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"),
        ]
        with _serving(command, "ready for connections", None):
            yield f"mysql+pymysql://root@127.0.0.1:{port}/journal"


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a PostgreSQL server; yield the URL of an empty database."""
    programs = Path(_postgres_programs() or "")
    user = "nobody" if os.geteuid() == 0 else None  # it refuses to be run by root
    with _folder(user) as folder:
        data, port = folder / "data", free_port()
        make = [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
        _run([*make, "-E", "UTF8", "--locale=C", "--no-sync"], user)
        command = [
            *(str(programs / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)),
            *("-k", str(folder), "-c", "fsync=off"),
        ]
        with _serving(command, "ready to accept connections", user):
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


SERVERS = {"mariadb": mariadb, "postgresql": postgresql}


def missing(name: str) -> str | None:
    """Return what a server cannot be run without; None: all is there."""
    found: dict[str, tuple[object, str]]
    if name == "mariadb":
        found = {
            "mariadbd": (shutil.which("mariadbd"), "Debian's mariadb-server-core"),
            "mariadb-install-db": (shutil.which("mariadb-install-db"), "mariadb-server-core"),
            "PyMySQL": (find_spec("pymysql"), "this project's extra [mysql]"),
        }
    else:
        found = {
            "initdb and postgres": (_postgres_programs(), "Debian's postgresql"),
            "psycopg": (find_spec("psycopg"), "this project's extra [postgresql]"),
        }
    lacking = [f"{what} ({where} has it)" for what, (there, where) in found.items() if not there]
    return f"not installed: {', '.join(lacking)}" if lacking else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _postgres_programs() -> str | None:
    """Return the folder of initdb and postgres; Debian keeps them off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    for folder in (*reversed(folders), *map(Path, os.environ.get("PATH", "").split(os.pathsep))):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return str(folder)
    return None


@contextmanager
def _folder(user: str | None) -> Iterator[Path]:
    """Make a folder that a user owns; pytest's own may be entered by us alone."""
    with tempfile.TemporaryDirectory(prefix="journal-", ignore_cleanup_errors=True) as name:
        if user is not None:
            shutil.chown(name, user)
        yield Path(name)


def _run(command: Sequence[str], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@contextmanager
def _serving(command: Sequence[str], ready: str, user: str | None) -> Iterator[None]:
    """Run a server, from the moment that it says it is ready."""
    server = subprocess.Popen(
        command, user=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )
    said: list[str] = []
    is_ready = threading.Event()
    reading = threading.Thread(target=_listen, args=(server, said, ready, is_ready.set))
    reading.start()
    try:
        assert is_ready.wait(READY_S), f"{command[0]}: {''.join(said)[-2000:]}"
        assert server.poll() is None, f"{command[0]} ended: {''.join(said)[-2000:]}"
        yield
    finally:
        server.kill()  # nothing in it is of any worth
        server.wait()
        reading.join()
        assert server.stdout is not None
        server.stdout.close()


def _listen(
    server: subprocess.Popen[str], said: list[str], ready: str, tell: Callable[[], None]
) -> None:
    assert server.stdout is not None
    for line in server.stdout:
        said.append(line)
        if ready in line:
            tell()
    tell()  # it has ended; whoever waits sees that
