# SPDX-License-Identifier: Apache-2.0
"""What is installed: the packages, the entry points, and a set-up that survives being interrupted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OUR_PACKAGES = ("doctor_maintenance", "scenarios", "sample_app_manager")


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    loaded: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return loaded


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def make(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real Makefile and installer, and a project that installs at once."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/install", tmp_path / "tools")
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


@pytest.fixture
def fake_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose ``venv`` makes an environment in which pip only notes what it was asked for."""
    folder = tmp_path_factory.mktemp("fake")
    script = folder / "python"
    script.write_text(
        f"""#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "{folder}/program" "$3/bin/doctor-maintenance" ;;
  "-m pip "*) echo "$*" >>"{folder}/pip.log"; [ ! -e "{folder}/interrupt" ] ;;
  *) exec "{sys.executable}" "$@" ;;
esac
"""
    )
    (folder / "program").write_text('#!/bin/sh\necho "ran $*"\n')
    for path in (script, folder / "program"):
        path.chmod(0o755)
    return script


@pytest.mark.slow
def test_every_package_of_the_project_is_in_the_wheel(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in tracked(*OUR_PACKAGES, "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            "..",
            ".",
        ],
        cwd=copy,
        check=True,
        timeout=120,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    missing = [
        name
        for path in tracked(*OUR_PACKAGES)
        if (name := str(path.relative_to(ROOT))) not in packed
    ]
    assert missing == []
    assert not [name for name in packed if name.startswith(("tests/", "docs/"))]


def test_every_entry_point_leads_to_something() -> None:
    ours = [
        point
        for group in ("console_scripts", "oslo.messaging.notify.drivers", "oslo.config.opts")
        for point in entry_points(group=group)
        if point.value.startswith(OUR_PACKAGES)
    ]
    assert {point.name for point in ours} == {"doctor-maintenance", "http", "doctor_maintenance"}
    assert all(callable(point.load()) for point in ours)


def test_every_dependency_has_a_least_version_and_runtime_ones_a_greatest(
    project: dict[str, dict[str, object]],
) -> None:
    needs = project["project"]["dependencies"]
    assert isinstance(needs, list)
    for need in needs:
        assert re.fullmatch(r"[A-Za-z0-9._-]+>=[\d.]+(,<[\d.]+)?", need), need


def test_every_module_says_its_licence_and_its_reason() -> None:
    for path in tracked("*.py"):
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            continue
        assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n"), path
        if path.relative_to(ROOT).parts[0] != "tests":
            assert '"""' in text.split("\n", 2)[1], f"{path} has no module docstring"


def test_no_file_names_a_package_index_or_a_place_on_somebodys_machine() -> None:
    forbidden = re.compile(
        r"(index-url|--index|registry *= *http|(?<![\w.])/(work|root|farm|home/\w+)/)"
    )
    found = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in {".json", ".png"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def test_nothing_sleeps_or_reads_the_time_but_the_clock() -> None:
    forbidden = re.compile(r"\btime\.(sleep|time)\(|datetime\.(now|utcnow)\(|\basyncio\.sleep\(")
    found = [
        str(path.relative_to(ROOT))
        for path in tracked(
            "doctor_maintenance/**.py", "scenarios/**.py", "sample_app_manager/**.py"
        )
        if path.name != "clock.py" and forbidden.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_maintenance_sets_up_once_and_then_only_runs(checkout: Path, fake_python: Path) -> None:
    for _ in range(2):
        ended = make("maintenance", "ARGS=reboot --seed 7", cwd=checkout, PYTHON=str(fake_python))
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.endswith("ran run reboot --seed 7\n")
    assert (fake_python.parent / "pip.log").read_text().count("\n") == 1


def test_changed_dependencies_are_installed_before_the_next_run(
    checkout: Path, fake_python: Path
) -> None:
    make("maintenance", cwd=checkout, PYTHON=str(fake_python))
    later = (checkout / ".venv/.ready-project").stat().st_mtime + 5
    os.utime(checkout / "pyproject.toml", (later, later))
    make("maintenance", cwd=checkout, PYTHON=str(fake_python))
    assert (fake_python.parent / "pip.log").read_text().count("\n") == 2


def test_interrupted_set_up_is_begun_anew(checkout: Path, fake_python: Path) -> None:
    (fake_python.parent / "interrupt").touch()
    assert make("maintenance", cwd=checkout, PYTHON=str(fake_python)).returncode != 0
    half_installed = checkout / ".venv/half-installed"
    half_installed.touch()
    (fake_python.parent / "interrupt").unlink()
    ended = make("maintenance", cwd=checkout, PYTHON=str(fake_python))
    assert ended.returncode == 0
    assert "incomplete" in ended.stdout
    assert not half_installed.exists()


def test_environment_whose_interpreter_is_gone_is_made_anew(
    checkout: Path, fake_python: Path
) -> None:
    make("maintenance", cwd=checkout, PYTHON=str(fake_python))
    (checkout / ".venv/bin/python").unlink()
    ended = make("maintenance", cwd=checkout, PYTHON=str(fake_python))
    assert (ended.returncode, "making it anew" in ended.stdout) == (0, True)


def test_python_that_is_too_old_is_refused_with_what_to_do(checkout: Path) -> None:
    ended = make("maintenance", cwd=checkout, PYTHON="/bin/false")
    assert ended.returncode != 0
    assert "PYTHON=/bin/false is not a Python 3.11 or newer" in ended.stderr
    assert not (checkout / ".venv").exists()


def test_machine_without_a_new_python_is_told_so(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "make", "rm", "mkdir", "env"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    ended = subprocess.run(
        ["make", "maintenance"],
        cwd=checkout,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert "No Python 3.11 or newer was found; install one, or name it" in ended.stderr
