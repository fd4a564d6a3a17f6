# SPDX-License-Identifier: Apache-2.0
"""A folder that Nova finds virt drivers in."""
