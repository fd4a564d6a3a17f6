# SPDX-License-Identifier: Apache-2.0
"""What runs inside the services' own environment, and so may import them and nothing of the project.

These files are run as scripts, or found by a service on its path; nothing else of the package imports them.
"""
