# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: the connection comes from the journal, which holds the lock as well."""

from __future__ import annotations

from alembic import context

from doctor_maintenance.admin_tool.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
