# SPDX-License-Identifier: Apache-2.0
"""Plays a scenario on a stage, in virtual or in real time, and gathers what the witnesses saw."""
