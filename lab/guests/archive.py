# SPDX-License-Identifier: Apache-2.0
"""The archive that a kernel unpacks into its first file system: cpio's ``newc`` format.

Written here since it is a header and two paddings; the cpio program would be a package more, and archives of it
differ from run to run. Format: initramfs buffer format, Documentation/driver-api/early-userspace of the kernel.
"""

from __future__ import annotations

import gzip
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder.

    Attributes:
        mode: its type and permissions, as in ``stat``.
        data: what is in it.
    """

    mode: int
    data: bytes = b""


def folder() -> Entry:
    """Return an empty folder."""
    return Entry(stat.S_IFDIR | 0o755)


def file(data: bytes, *, program: bool = False) -> Entry:
    """Return a file."""
    return Entry(stat.S_IFREG | (0o755 if program else 0o644), data)


def pack(entries: Mapping[str, Entry]) -> bytes:
    """Return a compressed archive; the same entries always make the same bytes.

    Args:
        entries: by path without a leading slash; a folder before what is in it.
    """
    parts = [_one(number, path, entry) for number, (path, entry) in enumerate(entries.items(), 1)]
    parts.append(_one(0, "TRAILER!!!", Entry(0)))
    return gzip.compress(b"".join(parts), compresslevel=6, mtime=0)


def unpack(archive: bytes) -> dict[str, Entry]:
    """Return what is in an archive that :func:`pack` made."""
    return dict(_read(gzip.decompress(archive)))


def _one(number: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = [number, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _read(data: bytes) -> Iterator[tuple[str, Entry]]:
    at = 0
    while True:
        mode, size, length = (int(data[at + first : at + first + 8], 16) for first in (14, 54, 94))
        path = data[at + 110 : at + 109 + length].decode()
        if path == "TRAILER!!!":
            return
        begin = at + 110 + length + -(110 + length) % 4
        yield path, Entry(mode, data[begin : begin + size])
        at = begin + size + -size % 4
