# SPDX-License-Identifier: Apache-2.0
"""The kind of lab whose control plane is real and whose guests, network and hosts are stood in for."""

from lab.control_plane.parts import clear, parts

__all__ = ["clear", "parts"]
