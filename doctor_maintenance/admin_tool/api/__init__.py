# SPDX-License-Identifier: Apache-2.0
"""The admin tool's REST API, version 1: for operators, and for each project its own view.

A handler reads, checks, and hands over to the engine on its clock; it performs nothing. Every answer is JSON,
also every refusal, and a refusal says which field was expected to be what.

    POST   /v1/maintenance                          begin a session            operators
    GET    /v1/maintenance                          all sessions               operators
    GET    /v1/maintenance/{session}                all of one                 operators
    POST   /v1/maintenance/{session}/action         cancel, continue, release  operators
    DELETE /v1/maintenance/{session}                forget one that is over    operators
    GET    /v1/maintenance/{session}/{project}      the latest announcement    that project
    GET    /v1/maintenance/{session}/{project}/{n}  one announcement           that project
    PUT    /v1/maintenance/{session}/{project}/{n}  the reply to it            that project
"""

from doctor_maintenance.admin_tool.api.access import Access
from doctor_maintenance.admin_tool.api.application import create_app
from doctor_maintenance.admin_tool.api.identity import TokenCheck

__all__ = ["Access", "TokenCheck", "create_app"]
