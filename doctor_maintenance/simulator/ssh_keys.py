# SPDX-License-Identifier: Apache-2.0
"""SSH keys of the simulated hosts and of whoever may log in to them.

They come from the operating system's randomness and not from the cloud's seed: a seed is printed in
every report, and a key that follows from it would open the hosts to whoever reads one.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "id_ed25519"
KNOWN_HOSTS_FILE = "known_hosts"


@dataclass(frozen=True, slots=True)
class SshFiles:
    """What an SSH client needs, as files.

    Attributes:
        key_file: the private key, readable by its owner only.
        known_hosts: the hosts' keys.
    """

    key_file: Path
    known_hosts: Path


def new_private_key() -> str:
    """Return a new ed25519 key in OpenSSH's format."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode("ascii")
    )


def new_key() -> paramiko.PKey:
    """Return a new ed25519 key."""
    return paramiko.Ed25519Key.from_private_key(io.StringIO(new_private_key()))


def client_key(directory: Path) -> paramiko.PKey:
    """Return the key in a directory that opens the hosts; it is made if there is none.

    Args:
        directory: where it is, and exists.

    Raises:
        OSError: the file can be neither read nor made.
    """
    path = directory / KEY_FILE
    if not path.exists():
        _write(path, new_private_key(), mode=0o600)
    return paramiko.Ed25519Key.from_private_key_file(str(path))


def write_known_hosts(directory: Path, lines: str) -> SshFiles:
    """Write the hosts' keys beside the client's, and return both files."""
    path = directory / KNOWN_HOSTS_FILE
    _write(path, lines, mode=0o644)
    return SshFiles(directory / KEY_FILE, path)


def known_hosts(keys: Mapping[str, paramiko.PKey], addresses: Mapping[str, str], port: int) -> str:
    """Return the lines of a known_hosts file.

    Args:
        keys: host keys by host name.
        addresses: addresses by host name.
        port: the port of SSH on all of them.
    """
    return "".join(
        f"{_entry(address, port)} {keys[name].get_name()} {keys[name].get_base64()}\n"
        for name, address in addresses.items()
    )


def _entry(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


def _write(path: Path, text: str, *, mode: int) -> None:
    """Write a file whole or not at all; nobody else can read a secret in between."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    new.replace(path)
