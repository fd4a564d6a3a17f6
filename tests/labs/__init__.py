# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab that need no cloud. (A folder `tests/lab` would hide the package `lab`.)"""
