# SPDX-License-Identifier: Apache-2.0
"""The scenarios, one file each. ``doctor-maintenance list`` shows them, ``run NAME`` runs them.

To add one: copy a file, change its ``SCENARIO``. Nothing else has to be told.
"""
