# SPDX-License-Identifier: Apache-2.0
"""The command line as a person or a script meets it: words in, output and exit status out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance import cli
from doctor_maintenance.exceptions import CloudError, PreconditionError, UsageError

ROOT = Path(__file__).parent.parent

SERVICE = """
from doctor_maintenance import lifecycle
import sys
closed = lambda: print("closed", flush=True)
sys.exit(lifecycle.serve_until_stopped("http://127.0.0.1:1", closed, die_with_parent="die" in sys.argv))
"""


def program(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "doctor_maintenance", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **options,
    )


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    words = getattr(request, "param", ())
    with subprocess.Popen(
        [sys.executable, "-c", SERVICE, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready http://127.0.0.1:1\n"
        yield child
        child.kill()


def test_help_names_every_subcommand_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, summary in cli.commands().items():
        assert f"{name} " in shown
        assert summary in shown


def test_every_subcommand_has_a_summary_and_a_help_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, summary in cli.commands().items():
        assert summary.endswith("."), name
        assert cli.main([name, "--help"]) == 0
        assert f"usage: doctor-maintenance {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "required: COMMAND"),
        (["maintain"], "invalid choice: 'maintain'"),
        (["--verbose", "list"], "unrecognized arguments: --verbose"),
        (["list", "--bogus"], "unrecognized arguments: --bogus"),
        (["list", "surplus"], "unrecognized arguments: surplus"),
        (["config", "--see", "3"], "unrecognized arguments: --see"),
        (["config", "--ssh-port"], "expected one argument"),
        (["config", "--ssh-port", "http"], "ssh.port on the command line is wrong"),
        (["config", "--config-file", "missing"], "missing does not exist"),
    ],
)
def test_wrong_invocation_exits_2_and_says_what_is_wrong(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.out == ""


def test_list_shows_every_scenario_and_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    files = {path.stem for path in (ROOT / "scenarios").glob("[a-z]*.py")}
    assert names == sorted(files - {"conftest"} - {name for name in files if "test_" in name})


def test_config_prints_a_file_that_can_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["config"]) == 0
    file = tmp_path / "maintenance.conf"
    file.write_text(capsys.readouterr().out)
    assert cli.main(["config", "--config-file", str(file)]) == 0


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (UsageError("no such scenario"), 2, "doctor-maintenance: no such scenario\n"),
        (PreconditionError("2 hosts, 3 needed"), 3, "doctor-maintenance: 2 hosts, 3 needed\n"),
        (CloudError("nova answered 500"), 1, "doctor-maintenance: nova answered 500\n"),
        (KeyboardInterrupt(), 130, "doctor-maintenance: interrupted\n"),
    ],
)
def test_error_of_a_subcommand_becomes_its_exit_status(
    error: BaseException,
    status: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from doctor_maintenance.commands import list as command

    def fails(*_: object) -> int:
        raise error

    monkeypatch.setattr(command, "run", fails)
    assert cli.main(["list"]) == status
    assert capsys.readouterr().err == says


def test_help_and_list_import_nothing_slow() -> None:
    script = (
        "import sys; from doctor_maintenance import cli; cli.main(['--help']); cli.main(['list']);"
        "slow = {'oslo_config', 'openstack', 'requests', 'flask', 'paramiko', 'rich'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(slow)) or 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_package_runs_as_a_module() -> None:
    ended = program("list")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "full_maintenance" in ended.stdout


def test_output_into_a_pipe_that_nobody_reads_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "doctor_maintenance", "config"],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_service_that_is_told_to_end_closes_and_exits(
    service: subprocess.Popen[str], number: signal.Signals, status: int
) -> None:
    service.send_signal(number)
    assert service.communicate(timeout=10)[0] == "closed\n"
    assert service.returncode == status


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_service_ends_whichever_of_its_threads_the_signal_comes_to(
    number: signal.Signals, status: int
) -> None:
    """The kernel may give it to any; so does one that comes just before the wait begins wake nobody."""
    elsewhere = (
        "import signal, sys, threading\n"
        "def kill():\n"
        "    sys.stdin.readline()\n"
        f"    signal.pthread_kill(threading.get_ident(), {number:d})\n"
        "threading.Thread(target=kill, daemon=True).start()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", elsewhere + SERVICE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline().startswith("ready ")
            assert child.communicate("now\n", timeout=10)[0] == "closed\n"
            assert child.returncode == status
        finally:
            child.kill()


@pytest.mark.parametrize("service", [("die",)], indirect=True)
def test_service_that_dies_with_its_parent_ends_when_its_standard_input_does(
    service: subprocess.Popen[str],
) -> None:
    assert service.communicate(timeout=10)[0] == "closed\n"
    assert service.returncode == 0


def test_service_stays_when_its_standard_input_ends_if_it_was_not_asked_to_die(
    service: subprocess.Popen[str],
) -> None:
    assert service.stdin is not None
    service.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        service.wait(timeout=0.3)


def test_second_signal_ends_a_service_whose_closing_hangs() -> None:
    hangs = SERVICE.replace(
        'print("closed", flush=True)',
        '(print("closing", flush=True), __import__("threading").Event().wait())',
    )
    with subprocess.Popen(
        [sys.executable, "-c", hangs], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        assert child.stdout.readline() == "closing\n"
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == -signal.SIGTERM


def test_the_help_of_all_commands_imports_none_of_the_libraries_that_they_need() -> None:
    code = (
        "import sys\n"
        "from doctor_maintenance.cli import main\n"
        "main(['--help'])\n"
        "heavy = {'flask', 'openstack', 'keystoneauth1', 'oslo_config', 'paramiko', 'requests', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"
