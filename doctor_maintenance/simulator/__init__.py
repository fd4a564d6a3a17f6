# SPDX-License-Identifier: Apache-2.0
"""A simulated OpenStack cloud: a model on a clock, and services that speak the real APIs in front of it.

It is a cloud, not a mock: client code does not know. The model is pure (no HTTP, no threads), so that
thousands of maintenance sessions a minute can be run on it in virtual time; the services in
``services/`` only translate between it and the wire.
"""

from __future__ import annotations
