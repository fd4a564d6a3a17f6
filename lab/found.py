# SPDX-License-Identifier: Apache-2.0
"""Finds the lab that ``run --cloud lab`` means: the one that is up, or the one named in ``lab:NAME``."""

from __future__ import annotations

from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab import about, lifecycle
from lab.layout import Lab, default_root

WORD = "lab"


def settings_file(cloud: str, root: Path | None = None) -> Path | None:
    """Return the file with the options of a run on a lab; None: the cloud is no lab.

    Args:
        cloud: what stands after ``--cloud``.
        root: the folder of all labs; None: the usual one.

    Raises:
        PreconditionError: the lab is not up, or it is not clear which one is meant.
    """
    word, _, name = cloud.partition(":")
    return lab_up(name or None, root).settings_file if word == WORD else None


def lab_up(name: str | None = None, root: Path | None = None) -> Lab:
    """Return the lab of that name, or the only one, that is up.

    Raises:
        PreconditionError: it is not up, or there are several.
    """
    labs = lifecycle.labs_up(default_root() if root is None else root)
    found = [lab for lab in labs if name in (None, lab.name)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{WORD}:{lab.name}" for lab in found)
        raise PreconditionError(f"several labs are up; say which one is meant: {names}")
    what = "no lab is up" if name is None else f"the lab {name!r} is not up"
    known = [lab.name for lab in about.all_labs(default_root() if root is None else root)]
    hint = f" (known: {', '.join(known)})" if known else ""
    raise PreconditionError(f"{what}{hint}; start one with `doctor-maintenance lab up`")
