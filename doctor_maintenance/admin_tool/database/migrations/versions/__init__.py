# SPDX-License-Identifier: Apache-2.0
"""The steps. A release that changes a table adds a file; one that was released is never changed."""
