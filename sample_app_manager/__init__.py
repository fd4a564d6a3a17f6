# SPDX-License-Identifier: Apache-2.0
"""A sample application manager: what a project runs to keep its service up during maintenance."""
