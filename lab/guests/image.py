# SPDX-License-Identifier: Apache-2.0
"""The guests' image: Debian's cloud kernel, its static busybox and our responder, in an initramfs.

It boots in about three seconds where an ordinary cloud image takes minutes under emulation, since there is no
boot loader, no disk and no init system; six such guests fit beside a control plane on two cores.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from doctor_maintenance.exceptions import PreconditionError
from lab.guests import archive
from lab.guests.commands import call, said
from lab.guests.modules import Modules
from lab.layout import Lab

KERNEL_PACKAGE = "linux-image-cloud-amd64"
COMMAND_LINE = "console=ttyS0 quiet panic=5"
DISK_BYTES = 65_536
"""The disk of a guest, which it does not look at; Nova wants one."""

BUSYBOX = Path("/bin/busybox")

_HERE = Path(__file__).parent
_MODULES = ("virtio_pci", "virtio_net", "ata_piix", "sr_mod", "isofs")
# User-space Open vSwitch finishes no checksums and splits no large packets for a guest.
_OPTIONS = {"virtio_net": "csum=0 gso=0"}
_SOURCES = (
    "archive.py",
    "guest-address.sh",
    "guest-init.sh",
    "image.py",
    "modules.py",
    "responder.c",
)
_FOLDERS = ("bin", "config", "dev", "etc", "modules", "proc", "sys")
_TOPS = ("lib", "usr/lib")
_VERSIONED = re.compile(r"^\s*Depends: (linux-image-[0-9]\S*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GuestImage:
    """What a guest boots from.

    Attributes:
        kernel: Debian's.
        initramfs: ours.
    """

    kernel: Path
    initramfs: Path


def folder_of(lab: Lab) -> Path:
    """Return where the image is kept."""
    return lab.root / "guest-image"


def fresh(folder: Path) -> bool:
    """Return whether the image is there, and newer than what it is made of."""
    image = _files(folder)
    if not (image.kernel.exists() and image.initramfs.exists()):
        return False
    made = image.initramfs.stat().st_mtime
    return all((_HERE / name).stat().st_mtime <= made for name in _SOURCES)


def build(folder: Path) -> GuestImage:
    """Make the image, or return the one that is there.

    Args:
        folder: where it is kept; created.

    Raises:
        PreconditionError: a program is missing or fails, or the kernel lacks a module.
    """
    folder.mkdir(parents=True, exist_ok=True)
    image = _files(folder)
    if not fresh(folder):
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            unpacked = _kernel(Path(scratch))
            _write(image.kernel, next((unpacked / "boot").glob("vmlinuz-*")).read_bytes())
            _write(image.initramfs, archive.pack(entries(unpacked, _responder(Path(scratch)))))
    return image


def entries(kernel: Path, responder: bytes) -> dict[str, archive.Entry]:
    """Return the files of a guest.

    Args:
        kernel: an unpacked kernel package.
        responder: the compiled responder.
    """
    # Below /lib up to Debian 12, below /usr/lib since.
    modules = Modules(next(path for top in _TOPS for path in kernel.glob(f"{top}/modules/*")))
    order = modules.order(_MODULES)
    found = {name: archive.folder() for name in _FOLDERS}
    found["init"] = archive.file((_HERE / "guest-init.sh").read_bytes(), program=True)
    found["etc/address.sh"] = archive.file((_HERE / "guest-address.sh").read_bytes(), program=True)
    found["bin/busybox"] = archive.file(BUSYBOX.read_bytes(), program=True)
    found["bin/responder"] = archive.file(responder, program=True)
    for name in order:
        found[f"modules/{name}.ko"] = archive.file(modules.read(name))
    lines = (f"{name}.ko {_OPTIONS.get(name, '')}".strip() for name in order)
    found["modules/order"] = archive.file("".join(f"{line}\n" for line in lines).encode())
    return found


def compile_responder(program: Path) -> None:
    """Compile the responder as a static program.

    Raises:
        PreconditionError: there is no compiler, or it fails.
    """
    source = str(_HERE / "responder.c")
    call("gcc", "-Os", "-static", "-Wall", "-Wextra", "-o", str(program), source)


def _responder(scratch: Path) -> bytes:
    compile_responder(scratch / "responder")
    return (scratch / "responder").read_bytes()


def _kernel(scratch: Path) -> Path:
    """Download and unpack the newest kernel; nothing is installed."""
    shown = said("apt-cache", "depends", KERNEL_PACKAGE)
    found = _VERSIONED.search(shown)
    if found is None:
        raise PreconditionError(
            f"expected {KERNEL_PACKAGE} to depend on a kernel, found {shown.strip()!r}; run apt-get update"
        )
    call("apt-get", "download", "-q", found[1], cwd=scratch)
    package = next(scratch.glob("linux-image-*.deb"))
    call("dpkg", "-x", str(package), str(scratch / "kernel"))
    return scratch / "kernel"


def _files(folder: Path) -> GuestImage:
    return GuestImage(folder / "vmlinuz", folder / "initramfs.gz")


def _write(path: Path, data: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(data)
    new.replace(path)
