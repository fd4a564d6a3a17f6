# SPDX-License-Identifier: Apache-2.0
"""``python -m doctor_maintenance``: the same as the ``doctor-maintenance`` command."""

import sys

from doctor_maintenance.cli import main

sys.exit(main())
