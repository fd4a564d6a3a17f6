# SPDX-License-Identifier: Apache-2.0
"""A real OpenStack on one machine, to hold the scenarios and the simulator against.

An extra: ``doctor-maintenance lab`` and ``run --cloud lab`` use it, nothing else imports it. What it runs are the
released services, in an environment of their own; ours are the configuration, the order, and what stands in for
hardware. DevStack was refused: it takes the whole machine, half an hour, and leaves much behind.
"""
