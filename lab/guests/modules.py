# SPDX-License-Identifier: Apache-2.0
"""Which modules of a kernel a guest loads, and in which order.

Debian's package has no ``modules.dep`` (its installation makes it), so what a module needs is read from the module.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError

_NEEDS = re.compile(rb"\0depends=([^\0]*)\0")


def load_order(wanted: Iterable[str], needs: Callable[[str], Iterable[str]]) -> list[str]:
    """Return modules so that each comes after those it needs.

    Args:
        wanted: names of modules.
        needs: returns the names of the modules that one needs.
    """
    order: list[str] = []

    def add(name: str) -> None:
        for other in needs(name):
            add(other)
        if name not in order:
            order.append(name)

    for name in wanted:
        add(name)
    return order


class Modules:
    """The modules of an unpacked kernel package.

    Args:
        folder: the one that holds ``kernel/`` (``lib/modules/VERSION``).
    """

    def __init__(self, folder: Path) -> None:
        self._files: Mapping[str, Path] = {
            _name(path): path for path in sorted((folder / "kernel").rglob("*.ko*"))
        }
        built_in = (folder / "modules.builtin").read_text(encoding="ascii").splitlines()
        self._built_in = {_name(Path(line)) for line in built_in}

    def read(self, name: str) -> bytes:
        """Return a module, unpacked.

        Raises:
            PreconditionError: there is none of this name.
        """
        path = self._files.get(name)
        if path is None:
            raise PreconditionError(f"the guests' kernel has no module {name!r}")
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data

    def needs(self, name: str) -> list[str]:
        """Return the names of the modules that one needs; what is built in is there already."""
        found = _NEEDS.search(self.read(name))
        names = [] if found is None or not found[1] else found[1].decode("ascii").split(",")
        return [other for other in map(_plain, names) if other not in self._built_in]

    def order(self, wanted: Iterable[str]) -> list[str]:
        """Return wanted modules that are not built in, and what they need, in the order of loading."""
        return load_order([name for name in wanted if name not in self._built_in], self.needs)


def _name(path: Path) -> str:
    return _plain(path.name.partition(".ko")[0])


def _plain(name: str) -> str:
    """A module's file may be called with hyphens where its name has underscores."""
    return name.replace("-", "_")
