# SPDX-License-Identifier: Apache-2.0
"""keystone-manage with the same ``main`` as the other services' programs: without arguments."""

import sys

from keystone.cmd import cli


def main() -> None:
    """Run the command line of this process."""
    cli.main(argv=sys.argv)
