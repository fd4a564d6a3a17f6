# SPDX-License-Identifier: Apache-2.0
"""How the tables came to be what they are, step by step; run by alembic when the admin tool starts."""
