# SPDX-License-Identifier: Apache-2.0
"""The accounts of a host: its own, whatever the machine's are.

A machine whose own root account is locked would let nobody in, whatever the key; and libvirtd does not start without
the user that it runs guests as by default, though it is told another one. Debian adds that user with a package which
also starts a libvirtd of the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping

_NOLOGIN = "/usr/sbin/nologin"
_USERS = (
    ("root", 0, 0, "/root", "/bin/bash"),
    ("sshd", 100, 65534, "/run/sshd", _NOLOGIN),
    ("libvirt-qemu", 64055, 64055, "/var/lib/libvirt", _NOLOGIN),
    ("nobody", 65534, 65534, "/nonexistent", _NOLOGIN),
)
_GROUPS = {"root": 0, "tty": 5, "kvm": 104, "libvirt-qemu": 64055, "nogroup": 65534}


def accounts() -> Mapping[str, str]:
    """Return the files of ``/etc`` that have the accounts, by name; see passwd(5), group(5) and shadow(5)."""
    return {
        "passwd": "".join(
            f"{name}:x:{user}:{group}::{home}:{shell}\n"
            for name, user, group, home, shell in _USERS
        ),
        "group": "".join(f"{name}:x:{number}:\n" for name, number in _GROUPS.items()),
        "shadow": "".join(f"{name}:*:20000:0:99999:7:::\n" for name, *_ in _USERS),
    }
