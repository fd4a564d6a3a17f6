# SPDX-License-Identifier: Apache-2.0
"""Tests of the judge, and what makes traces for them."""
