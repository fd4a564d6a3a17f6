# SPDX-License-Identifier: Apache-2.0
"""Installs what a lab runs: Debian's database and message bus, and the services in an environment of their own.

What is installed stands in files: ``packages.txt``, ``requirements.txt`` and ``constraints.txt`` beside this one, and
the first two again in the folder of a kind that needs more. A stamp, written last, holds the digest of those files,
so that an interrupted or outdated installation is never taken for a good one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from doctor_maintenance.exceptions import PreconditionError
from lab import steps
from lab.layout import Kind, Lab
from lab.steps import Step, Took

_HERE = Path(__file__).parent
_CONSTRAINTS = _HERE / "constraints.txt"
_PACKAGES = "Debian packages"
_SERVICES = "services"
_LOOK_S = 0.2
_POLICY = Path("/usr/sbin/policy-rc.d")
_REFUSE = "#!/bin/sh\n# Nothing that is being installed for the lab is started as a service of the machine.\nexit 101\n"

Say = Callable[[str], None]


def install(labs: Sequence[Lab], say: Say) -> None:
    """Install what some labs need and is not there yet; blocks, minutes the first time.

    Debian's packages and the services do not need each other, so they are installed side by side.

    Args:
        labs: what it is for; their kinds decide what. All have the same root, which decides where.
        say: told what is being done.

    Raises:
        PreconditionError: it cannot be installed here; the message says what is missing, or names the log.
    """
    root = labs[0].root
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root, say):
        steps.run(_steps(labs, say), lambda took: _tell(took, say))


def _tell(took: Took, say: Say) -> None:
    """Say how long something took, unless it was there already."""
    if took.took_s >= 1.0:
        say(f"{took.name}: {took.took_s:.1f} s")


def _steps(labs: Sequence[Lab], say: Say) -> list[Step]:
    missing = list(dict.fromkeys(name for lab in labs for name in missing_packages(lab.kind)))
    left = [lab for lab in labs if not (_stamped(lab) and _runs(_python(lab)))]
    begun: list[Step] = []
    if missing:
        begun.append(Step(_PACKAGES, partial(_install_packages, labs[0].root, missing, say)))
    packages = tuple(step.name for step in begun)
    if left:
        begun.append(Step(_SERVICES, partial(_install_services, labs[0], say)))
    # What a kind adds may be compiled against its packages.
    return [
        *begun,
        *(
            Step(
                f"services of kind {lab.kind} alone",
                partial(_install_own, lab),
                (*packages, _SERVICES),
            )
            for lab in left
        ),
        *(
            Step(f"what kind {lab.kind} makes", partial(_prepare, lab, say), packages)
            for lab in labs
        ),
    ]


def impossible(kind: Kind) -> str | None:
    """Return why a lab cannot be on this machine; None: it can."""
    try:
        missing = missing_packages(kind)
    except PreconditionError as error:
        return str(error)
    if missing and not _can_install():
        return _only_root(missing)
    refused: Callable[[], str | None] | None = _of(kind, "impossible")
    return None if refused is None else refused()


def missing_packages(kind: Kind) -> list[str]:
    """Return the Debian packages that a kind of lab needs and that are not installed.

    Raises:
        PreconditionError: this is no Debian.
    """
    query = shutil.which("dpkg-query")
    if query is None:
        raise PreconditionError(
            "the lab installs Debian packages, and this machine has no dpkg; run it on Debian"
        )
    wanted = [line for path in files(kind, "packages.txt") for line in _lines(path)]
    told = subprocess.run(
        [query, "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,  # it is 1 where a package is not known at all
    ).stdout
    there = {line.split()[0] for line in told.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in there]


def files(kind: Kind, name: str) -> list[Path]:
    """Return the files of that name that hold for a kind: the common one, and the kind's own if it has one."""
    own = _HERE / _folder(kind) / name
    return [path for path in (_HERE / name, own) if path.exists()]


def _prepare(lab: Lab, say: Say, stopping: threading.Event) -> None:
    """Let a kind make what all its labs share, if there is such a thing: it may have to download for it."""
    prepare = _of(lab.kind, "prepare")
    if prepare is not None:
        prepare(lab, say)


def _of(kind: Kind, name: str) -> Any:
    """Return what a kind's package has of that name, if anything."""
    return getattr(importlib.import_module(f"lab.{_folder(kind)}"), name, None)


def _folder(kind: Kind) -> str:
    return kind.value.replace("-", "_")


def _install_packages(
    root: Path, packages: Sequence[str], say: Say, stopping: threading.Event
) -> None:
    if not _can_install():
        raise PreconditionError(_only_root(packages))
    say(f"installing {len(packages)} Debian packages: {', '.join(packages)}")
    log = root / "install-packages.log"
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    with _services_not_started():
        _call([*apt, "update"], log, stopping)
        _call([*apt, "install", "--no-install-recommends", *packages], log, stopping)


def _can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _only_root(packages: Sequence[str]) -> str:
    return (
        f"the Debian packages {', '.join(packages)} are missing, and only root can install them; "
        f"run `apt-get install --no-install-recommends {' '.join(packages)}` as root"
    )


def _install_services(lab: Lab, say: Say, stopping: threading.Event) -> None:
    """Install what every kind needs."""
    say(f"installing OpenStack's services into {lab.venv} (1 to 4 minutes)")
    if not _runs(_python(lab)):
        shutil.rmtree(lab.venv, ignore_errors=True)
        _call([sys.executable, "-m", "venv", str(lab.venv)], _services_log(lab), stopping)
    _pip(lab, _HERE / "requirements.txt", stopping)


def _install_own(lab: Lab, stopping: threading.Event) -> None:
    """Install what one kind needs besides, and stamp the kind as installed."""
    own = _HERE / _folder(lab.kind) / "requirements.txt"
    if own.exists():
        _pip(lab, own, stopping)
    _stamp(lab).write_text(_digest(lab.kind), encoding="utf-8")


def _pip(lab: Lab, requirements: Path, stopping: threading.Event) -> None:
    pip = [str(_python(lab)), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    wanted = ["--constraint", str(_CONSTRAINTS), "-r", str(requirements)]
    _call([*pip, *wanted], _services_log(lab), stopping)


def _python(lab: Lab) -> Path:
    return lab.venv / "bin" / "python"


def _services_log(lab: Lab) -> Path:
    return lab.root / "install-services.log"


def _call(argv: Sequence[str], log: Path, stopping: threading.Event) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))
    }
    environment["DEBIAN_FRONTEND"] = "noninteractive"
    what = f"`{' '.join(argv[:6])} …`"
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
    while (status := _status(child)) is None:
        if stopping.is_set():
            child.terminate()
            child.wait()
            raise PreconditionError(f"{what} was ended")
    if status != 0:
        last = "\n  ".join(log.read_text(errors="replace").splitlines()[-8:])
        raise PreconditionError(
            f"{what} failed with exit status {status}; the end of {log}:\n  {last}"
        )


def _status(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return None


def _runs(python: Path) -> bool:
    command = [str(python), "-c", ""]
    return python.exists() and subprocess.call(command, stderr=subprocess.DEVNULL) == 0


@contextlib.contextmanager
def _alone(root: Path, say: Say) -> Iterator[None]:
    with (root / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _services_not_started() -> Iterator[None]:
    """Keep Debian from starting what is installed; see invoke-rc.d(8)."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text(_REFUSE, encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _stamped(lab: Lab) -> bool:
    try:
        return _stamp(lab).read_text(encoding="utf-8") == _digest(lab.kind)
    except FileNotFoundError:
        return False


def _stamp(lab: Lab) -> Path:
    return lab.venv / f".installed-{lab.kind}"


def _digest(kind: Kind) -> str:
    digest = hashlib.sha256()
    for path in (*files(kind, "requirements.txt"), _CONSTRAINTS):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _lines(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]
