# SPDX-License-Identifier: Apache-2.0
"""The command line: finds the subcommand, reads the settings, and turns errors into exit statuses.

Nothing is imported before it is called for: the help of all subcommands is read from their files, so
that ``doctor-maintenance --help`` answers at once whatever the subcommands need.

Exit status: 0 done; 1 an expectation failed; 2 wrong invocation; 3 something that the run needs is
missing; 130 interrupted.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from doctor_maintenance.exceptions import MaintenanceError, PreconditionError, UsageError
from doctor_maintenance.options import values
from doctor_maintenance.secret_words import HidingFormatter, hide, without_secrets
from doctor_maintenance.settings import Settings

PROGRAM = "doctor-maintenance"
DONE, FAILED, USAGE, PRECONDITION, INTERRUPTED = 0, 1, 2, 3, 130

_COMMANDS = Path(__file__).parent / "commands"
_FIRST = ("run", "list", "demo", "check", "explore", "simulator", "admin-tool", "app-manager")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the words after the program's name; default: those of this process.

    Returns:
        The exit status.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except SystemExit as ended:  # argparse: the help was printed, or the words were wrong
        return ended.code if isinstance(ended.code, int) else USAGE
    except UsageError as error:
        return _say(error, USAGE)
    except PreconditionError as error:
        return _say(error, PRECONDITION)
    except MaintenanceError as error:
        logging.getLogger(__name__).debug("the cause", exc_info=True)
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        return _reader_gone()


def commands() -> dict[str, str]:
    """Return the subcommands and what each does, the most used first."""
    found = {
        path.stem.replace("_", "-"): _summary(path)
        for path in _COMMANDS.glob("*.py")
        if not path.stem.startswith("_")
    }
    order = {name: place for place, name in enumerate(_FIRST)}
    return {
        name: found[name] for name in sorted(found, key=lambda each: (order.get(each, 99), each))
    }


def _dispatch(words: list[str]) -> int:
    known = commands()
    top = _top_parser(known)
    name = next((word for word in words if not word.startswith("-")), None)
    before = words[: words.index(name)] if name is not None else words
    if name is None or before or name not in known:
        top.parse_args(words)  # answers --help and --version, and refuses the rest
        raise UsageError(f"no subcommand is given; choose from {', '.join(known)}")
    return _run(name, known[name], words[1:])


def _run(name: str, summary: str, words: list[str]) -> int:
    module = importlib.import_module(f"doctor_maintenance.commands.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {name}", description=summary, allow_abbrev=False
    )
    module.configure(parser)
    if getattr(module, "NEEDS_SETTINGS", True):
        from doctor_maintenance import config  # oslo.config takes longer than all the rest

        config.add_arguments(parser)
        args = parser.parse_intermixed_args(words)
        settings = config.load(args, files=getattr(module, "config_files", _none)(args))
    else:
        args = parser.parse_intermixed_args(words)
        settings = Settings()
    _log_to_stderr(settings)
    status = module.run(args, settings)
    assert isinstance(status, int)
    return status


def _none(args: argparse.Namespace) -> Sequence[str]:
    """Return the files that a subcommand reads of itself: most read none."""
    return ()


def _top_parser(known: dict[str, str]) -> argparse.ArgumentParser:
    width = max(len(name) for name in known)
    lines = "\n".join(f"  {name:<{width}}  {summary}" for name, summary in known.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} COMMAND [ARGUMENT ...]",
        description="Planned maintenance of a cloud's hosts with zero downtime, tested and simulated.",
        epilog=f"commands:\n{lines}\n\n`{PROGRAM} COMMAND --help` tells the arguments of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument("command", choices=list(known), help=argparse.SUPPRESS, metavar="COMMAND")
    return parser


class _Version(argparse.Action):
    """Reads the version only when it is asked for: the metadata is slow to find."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"{PROGRAM} {version(PROGRAM)}")  # noqa: T201 - the answer asked for
        except PackageNotFoundError as error:
            raise PreconditionError(
                "the version is not known, for the package is not installed; run `pip install -e .`"
            ) from error
        parser.exit()


def _summary(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n", 1)[0]


def _log_to_stderr(settings: Settings) -> None:
    level = settings.log_level
    for option, value in values(settings):
        if option.rule.secret:
            hide(value)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(HidingFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("urllib3").setLevel(
        logging.INFO
    )  # its DEBUG shows alarm URLs with their word
    if level != "DEBUG":  # each of these tells its own life at INFO
        for noisy in (
            "paramiko",
            "urllib3",
            "keystoneauth",
            "openstack",
            "oslo",
            "stevedore",
            "waitress",
        ):
            logging.getLogger(noisy).setLevel(logging.WARNING)


def _say(message: object, status: int) -> int:
    print(f"{PROGRAM}: {without_secrets(str(message))}", file=sys.stderr)  # noqa: T201 - for the person at the terminal
    return status


def _reader_gone() -> int:
    """End quietly if our output is piped into something that ended, such as ``head``."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what is still buffered is flushed at exit
    return FAILED
