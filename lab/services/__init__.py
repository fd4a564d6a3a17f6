# SPDX-License-Identifier: Apache-2.0
"""The services of a lab, a file each; a new one is a file and its name in ``lab/catalogue.py``."""
