# SPDX-License-Identifier: Apache-2.0
"""For tools that want a setup.py: everything is in pyproject.toml."""

from setuptools import setup

setup()
