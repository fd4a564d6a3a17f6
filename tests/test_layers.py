# SPDX-License-Identifier: Apache-2.0
"""What import-linter cannot say: the services of the simulator meet only in the simulated cloud."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "doctor_maintenance.simulator.services"
FOLDER = Path(__file__).parent.parent.joinpath(*PACKAGE.split("."))
SHARED = {"answers", "auth", "own_forms", "schema"}


def family(module: str) -> str:
    """Return the service that a module is part of: nova for nova_servers."""
    return module.split("_", 1)[0]


def siblings(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(found, ast.ImportFrom) or found.module is None:
            continue
        if found.module == PACKAGE:
            yield from (name.name for name in found.names)
        elif found.module.startswith(f"{PACKAGE}."):
            yield found.module.removeprefix(f"{PACKAGE}.").split(".", 1)[0]


def test_services_of_the_simulator_never_import_each_other() -> None:
    modules = {path.stem: path for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    foreign = [
        f"{name} imports {other}"
        for name, path in sorted(modules.items())
        for other in siblings(path)
        if other in modules and other not in SHARED and family(other) != family(name)
    ]
    assert foreign == []


def test_what_the_services_share_knows_none_of_them() -> None:
    for name in SHARED:
        path = FOLDER / f"{name}.py"
        assert set(siblings(path)) <= SHARED, name
