# SPDX-License-Identifier: Apache-2.0
"""The kind ``guests``: QEMU guests that move, an OVN network that carries, and hosts that can be rebooted."""
