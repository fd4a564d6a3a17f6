# SPDX-License-Identifier: Apache-2.0
"""Why the simulator answers something otherwise than the recorded cloud: a line each, or it is a bug."""

from __future__ import annotations

import re

from .comparing import Difference

OVN = "the recorded cloud's network is a stub; the simulator answers as ML2/OVN does, which was recorded too"
FORWARDING = "the recorded cloud had no plug-in for port forwardings; one with it was recorded too, and answers so"
ORDER = "the service writes a set, in an order that is another one every time it is started"
SCHEMA = "the text of a JSON schema's validator goes on with the schema"

REASONS: tuple[tuple[str, str, str], ...] = (
    (".*", r"body\.floatingips?(\[\d+\])?\.dns_(name|domain)", OVN),
    (".*", r"body\.floatingips?(\[\d+\])?\.port_forwardings", FORWARDING),
    (".*", r"body\.network\.mtu", OVN),
    (".*", r"body\.router\.(external_gateways|enable_snat|enable_default_route_(ecmp|bfd))", OVN),
    ("test_interface_of_a_router_is_added_once_and_removed", r"body\.NeutronError\.message", OVN),
    ("test_deleting_a_port_frees_its_floating_ip", r"body\.floatingip\.status", OVN),
    (r"test_alarm_that_is_none_is_refused_with_400.*", r"body\.error_message\.faultstring", ORDER),
    (r"test_errors_have_a_message_a_code_and_a_title", r"body\.message", SCHEMA),
    (r"test_login_that_is_none_is_refused.*", r"body\.error\.message", SCHEMA),
)
"""Which test, which field (both regular expressions), and why."""


def reason(test: str, difference: Difference) -> str | None:
    """Return why a field differs, or None if there is no reason."""
    for tests, fields, why in REASONS:
        if re.fullmatch(tests, test) and re.fullmatch(fields, difference.where):
            return why
    return None
