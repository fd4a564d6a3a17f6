# SPDX-License-Identifier: Apache-2.0
"""nova-compute with a virt driver of the lab: ``lab_compute.py FOLDER ARGUMENT …``.

Nova loads drivers only from its own package; the folder is added to where that package looks, so nothing is written
into the installed one.
"""

import sys


def main() -> None:
    """Run nova-compute until it is told to end."""
    folder = sys.argv.pop(1)
    sys.argv[0] = "nova-compute"
    import nova.virt
    from nova.cmd import compute

    nova.virt.__path__.append(folder)
    compute.main()


if __name__ == "__main__":
    main()
