# SPDX-License-Identifier: Apache-2.0
"""The keys on both sides of an SSH connection: ours, read once, and the hosts', verified every time.

A key that cannot be read is found when the program starts and not at the first host in maintenance.
"""

from __future__ import annotations

import logging
from pathlib import Path

import paramiko

from doctor_maintenance.exceptions import PreconditionError

LOG = logging.getLogger(__name__)


def load_key(path: Path) -> paramiko.PKey:
    """Read a private key without a passphrase.

    Raises:
        PreconditionError: there is none, it cannot be read, or it has a passphrase.
    """
    try:
        return paramiko.PKey.from_path(path)
    except OSError as error:
        raise PreconditionError(
            f"ssh.key_file: expected a private key in {path}, found: {error.strerror or error}"
        ) from error
    except (paramiko.PasswordRequiredException, TypeError) as error:  # either, by the kind of key
        raise PreconditionError(
            f"ssh.key_file: {path} has a passphrase; use a key without one, or no key_file and an agent"
        ) from error
    except (paramiko.SSHException, paramiko.pkey.UnknownKeyType, ValueError) as error:
        raise PreconditionError(
            f"ssh.key_file: {path} is no private key that can be used: {error}"
        ) from error


def load_known_hosts(path: Path | None) -> paramiko.HostKeys:
    """Read a known_hosts file; None is the user's own, which may be missing.

    Raises:
        PreconditionError: the named file cannot be read.
    """
    keys = paramiko.HostKeys()
    own = Path("~/.ssh/known_hosts").expanduser()
    if path is None and not own.is_file():
        return keys
    try:
        keys.load(str(path or own))
    except (OSError, UnicodeDecodeError) as error:
        raise PreconditionError(
            f"ssh.known_hosts: expected the keys of the hosts in {path or own}, found: {error}"
        ) from error
    return keys


class UnknownHostKeyError(paramiko.SSHException):
    """A host shows a key and none is known for it.

    Attributes:
        key: the key it shows.
    """

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("unknown host key")
        self.key = key


class UnknownKeyPolicy(paramiko.MissingHostKeyPolicy):
    """Refuses a host without a known key, or remembers its key.

    Args:
        known: where an accepted key is remembered.
        accept: whether to accept it.
    """

    def __init__(self, known: paramiko.HostKeys, accept: bool) -> None:
        self._known = known
        self._accept = accept

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Called by the library for a host that nothing is known of."""
        if not self._accept:
            raise UnknownHostKeyError(key)
        LOG.warning("accepting the unknown key %s of %s", fingerprint(key), hostname)
        self._known.add(hostname, key.get_name(), key)


def known_name(host: str, port: int) -> str:
    """Return what a known_hosts file calls a host."""
    return host if port == 22 else f"[{host}]:{port}"


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key as people compare it."""
    return f"{key.get_name()} {key.fingerprint}"
