# SPDX-License-Identifier: Apache-2.0
"""Runs several command lines of one program, which is imported once: ``lab_commands.py MODULE -- WORD … -- WORD …``.

Importing nova-manage takes two to three seconds of a core, and a set-up has four of its command lines. Each is run in a
child that is forked after the import, so it finds the program as a process of its own would.
"""

import importlib
import multiprocessing
import sys
from types import ModuleType


def main(words: list[str]) -> int:
    """Run the command lines one after the other, and return the exit status of the first that fails.

    A command line may begin with ``ok=2`` for a status that is good besides 0.
    """
    name, *rest = words
    program = importlib.import_module(name)
    fork = multiprocessing.get_context("fork")
    for line in split(rest):
        good = {0}
        while line and line[0].startswith("ok="):
            good.add(int(line.pop(0)[3:]))
        print("+", name, *line, flush=True)
        child = fork.Process(target=one, args=(program, name, line))
        child.start()
        child.join()
        status = child.exitcode
        if status is None or status not in good:
            print(f"{name} {' '.join(line)}: exit status {status}", flush=True)
            return status if status is not None and status > 0 else 1
    return 0


def split(words: list[str]) -> list[list[str]]:
    """Return the lists of words between the ``--``."""
    lines: list[list[str]] = []
    for word in words:
        if word == "--":
            lines.append([])
        else:
            lines[-1].append(word)
    return lines


def one(program: ModuleType, name: str, line: list[str]) -> None:
    """Run one command line in this process, and end it with its status."""
    sys.argv = [name, *line]
    sys.exit(program.main())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
