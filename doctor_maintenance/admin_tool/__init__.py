# SPDX-License-Identifier: Apache-2.0
"""The admin tool: the shell around ``planning.Session`` that acts where the session only decides.

The engine hands a session its events, stores them first, and performs its commands; ``actions`` speaks to
the cloud and to the hosts, ``notifier`` to the message bus, ``api`` to operators and projects.
"""
