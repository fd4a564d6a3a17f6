# SPDX-License-Identifier: Apache-2.0
"""Bringing a lab up, down, back to nothing, and looking at it.

``up`` works from whatever it finds: nothing, a lab that is down, one that is half up because somebody pressed Ctrl-C.
What was left unfinished in the databases is not mended but begun anew: half a schema cannot be told from a whole one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from doctor_maintenance.clock import WallClock
from doctor_maintenance.exceptions import PreconditionError
from lab import about, catalogue, daemons, ini, ports, seed, starting, steps
from lab.layout import Lab
from lab.service import Options, Parts, Sections, Service
from lab.services import mariadb, rabbitmq
from lab.site import Site, site_of
from lab.steps import Took

Say = Callable[[str], None]

_LAST = (rabbitmq.READY, mariadb.READY)
_VERY_LAST = ("epmd",)
_DATABASE_GRACE_S = 20.0

REQUEST_TIMEOUT_S = 120.0
"""How long one request to a lab may take, in seconds: on a busy machine it is not half as quick as a real cloud."""


def up(lab: Lab, say: Say) -> list[Took]:
    """Bring a lab up; blocks. One that is up is left alone.

    Args:
        lab: what to bring up; everything is installed.
        say: told of each step.

    Returns:
        How long each step took; empty if it was up.

    Raises:
        StepFailed: a step failed; what was started goes on, to be looked at; ``up`` may be repeated.
        KeyboardInterrupt: Ctrl-C; everything that was started is ended.
        PreconditionError: a port is in use, or another ``up`` is under way.
    """
    lab.home.mkdir(parents=True, exist_ok=True)
    with _alone(lab):
        _same_as_before(lab)
        site = site_of(lab)
        if is_up(lab):
            say(f"the lab {lab.name} is up already")
            return []
        if _begun(lab).exists() and not _complete(lab).exists():
            say("an earlier `up` did not come to its end: beginning anew")
            _down(lab)
            shutil.rmtree(lab.state)
            site = site_of(lab)
        _end_strays(lab)
        if (risk := ports.risk(lab)) is not None:
            say(f"WARNING: {risk}")
        ports.refuse_foreign(lab, [process.pid for process in daemons.marked(lab)])
        return _up(site, say)


def _up(site: Site, say: Say) -> list[Took]:
    lab = site.lab
    began = WallClock().now()
    parts = catalogue.parts_of(site)
    services = catalogue.services_of(site, parts)
    _up_file(lab).unlink(missing_ok=True)
    _write(site, parts, services)

    def told(took: Took) -> None:
        say(f"{took.began_s + took.took_s:6.1f} s  {took.name}: {took.took_s:.1f} s")

    _begun(lab).touch()
    try:
        done = steps.run(starting.steps_of(site, parts, services), told)
    except KeyboardInterrupt:
        say("interrupted: ending what was started")
        _down(lab)
        raise
    _complete(lab).touch()
    names = [daemon.name for service in services for daemon in service.daemons]
    _up_file(lab).write_text(json.dumps(names), encoding="utf-8")
    say(
        f"the lab {lab.name} is up after {WallClock().now() - began:.1f} s; run scenarios on it with"
    )
    say(f"  doctor-maintenance run --cloud {cloud_name(lab)}")
    return done


def down(lab: Lab) -> None:
    """End everything of a lab, and keep its data; blocks. One that is down is no error.

    Raises:
        PreconditionError: an ``up`` is under way.
    """
    if lab.home.exists():
        with _alone(lab):
            _down(lab)


def reset(lab: Lab) -> None:
    """End everything of a lab, and remove its data, logs and configuration; blocks."""
    if lab.home.exists():
        with _alone(lab):
            _down(lab)
            for folder in (lab.state, lab.etc, lab.log):
                shutil.rmtree(folder, ignore_errors=True)
            (lab.home / about.FILE).unlink(missing_ok=True)


def is_up(lab: Lab) -> bool:
    """Return whether a lab came up and all its daemons still run."""
    names = expected(lab)
    return bool(names) and all(daemons.find(lab, name) is not None for name in names)


def expected(lab: Lab) -> list[str]:
    """Return the names of the daemons that a lab had when it came up; none if it is down, or never did."""
    try:
        names = json.loads(_up_file(lab).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [str(name) for name in names]


def labs_up(root: Path) -> list[Lab]:
    """Return the labs below a root that are up."""
    return [lab for lab in about.all_labs(root) if is_up(lab)]


def cloud_name(lab: Lab) -> str:
    """Return what ``run --cloud`` calls a lab."""
    return f"lab:{lab.name}"


def _down(lab: Lab) -> None:
    names = daemons.records(lab)
    _up_file(lab).unlink(missing_ok=True)
    waves = (
        [name for name in names if name not in (*_LAST, *_VERY_LAST)],
        [name for name in names if name in _LAST],
        [name for name in names if name in _VERY_LAST],
    )
    for wave in waves:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: daemons.stop(lab, name, _grace_s(name)), wave))
    daemons.end_marked(lab)
    catalogue.clear(lab)
    shutil.rmtree(lab.run, ignore_errors=True)


def _grace_s(name: str) -> float:
    return _DATABASE_GRACE_S if name == mariadb.READY else daemons.GRACE_S


def _end_strays(lab: Lab) -> None:
    """End what an ``up`` that was killed had begun: commands, and daemons that it could not write down."""
    known = [daemons.find(lab, name) for name in daemons.records(lab)]
    ours = {
        member.pid
        for process in known
        if process is not None
        for member in (process, *daemons.below(process))
    }
    strays = [process for process in daemons.marked(lab) if process.pid not in ours]
    for stray in strays:
        daemons.end([stray], daemons.GRACE_S)


def _same_as_before(lab: Lab) -> None:
    """Refuse to change what a lab with data consists of: its database knows its hosts and ports."""
    if not (lab.home / about.FILE).exists() or not lab.state.exists():
        return
    before = about.read(lab.home)
    if before != lab:
        raise PreconditionError(
            f"the lab {lab.name} has data for {before.kind} with {len(before.hosts)} hosts from port "
            f"{before.port_base} on; run `doctor-maintenance lab reset --name {lab.name}` before it is made another"
        )


def _write(site: Site, parts: Parts, services: list[Service]) -> None:
    lab = site.lab
    for folder in (lab.etc, lab.log, lab.run / "home", lab.run / "lock", lab.state):
        folder.mkdir(parents=True, exist_ok=True)
    about.write(lab)
    for service in services:
        for folder in service.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for path, text in service.files.items():
            private(path, text)
    private(lab.clouds_file, yaml.safe_dump({"clouds": seed.clouds(site)}, sort_keys=False))
    private(lab.settings_file, ini.render(run_options(site, parts)))


def run_options(site: Site, parts: Parts) -> Sections:
    """Return the project's options for a run on a lab, by group."""
    common: dict[str, Options] = {
        "cloud": {
            "kind": "openstack",
            "os_cloud": "lab",
            "clouds_file": site.lab.clouds_file,
            "external_network": seed.EXTERNAL_NETWORK,
            "request_timeout_s": REQUEST_TIMEOUT_S,
            "note": parts.note or None,
        },
        "admin_tool": {"notify_driver": "messagingv2", "transport_url": site.bus},
    }
    return ini.over(common, parts.run_options)


def private(path: Path, text: str) -> None:
    """Write a file that only we may read: most have a password in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _up_file(lab: Lab) -> Path:
    return lab.run / "up.json"


def _begun(lab: Lab) -> Path:
    return lab.state / "begun"


def _complete(lab: Lab) -> Path:
    return lab.state / "complete"


@contextlib.contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    with (lab.home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PreconditionError(
                f"another `lab` command works on the lab {lab.name}; wait for its end"
            ) from None
        yield
