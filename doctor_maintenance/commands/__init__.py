# SPDX-License-Identifier: Apache-2.0
"""The subcommands of ``doctor-maintenance``, one module each, found by their file.

A module here is a subcommand if it has these two functions; the first line of its docstring is its
line in the help. It is imported only when it is called for, so what it imports costs the others
nothing::

    def configure(parser: argparse.ArgumentParser) -> None: ...
    def run(args: argparse.Namespace, settings: Settings) -> int: ...

``run`` returns the exit status, or raises ``UsageError`` (2) or ``PreconditionError`` (3). An
underscore in a module's name is a hyphen in the subcommand's. A module with ``NEEDS_SETTINGS = False``
takes no configuration and gets the defaults.
"""
