# SPDX-License-Identifier: Apache-2.0
"""The database behind the journal: its tables, how they come to be, and how it is connected to.

Written for SQLite, PostgreSQL and MariaDB alike, so it uses nothing that one of them does not have.
"""

from doctor_maintenance.admin_tool.database.connection import Database, DatabaseError

__all__ = ["Database", "DatabaseError"]
