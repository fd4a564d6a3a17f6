# SPDX-License-Identifier: Apache-2.0
"""What the guests' image is made of, and that its responder speaks the probe's protocol."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from doctor_maintenance.exceptions import PreconditionError
from doctor_maintenance.probe.wire import Responder, decode_answer, encode_probe
from lab.guests import archive, image
from lab.guests.modules import Modules, load_order

_META = {
    "keys": [{"name": "the name of a key"}],
    "meta": {"uuid": "of somebody else"},
    "name": "dm-4711-vnf-ha-1",
    "uuid": "3f0a5b0e-8c5e-4a53-9d51-0c5a7c3a1c11",
}

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")


def _kernel(folder: Path, top: str = "lib") -> Path:
    """Make a kernel package as Debian has it; its modules are compressed since Debian 13."""
    drivers = folder / top / "modules" / "6.1.0" / "kernel" / "drivers"
    drivers.mkdir(parents=True)
    depends = {
        "virtio_ring": "",
        "virtio_pci": "virtio_ring",
        "net-failover": "failover",
        "virtio_net": "net_failover,virtio_ring",
        "ata_piix": "libata",
        "libata": "",
        "sr_mod": "",
    }
    for name, needs in depends.items():
        text = f"\0license=GPL\0depends={needs}\0name={name}\0".encode()
        (drivers / f"{name}.ko.xz").write_bytes(lzma.compress(text))
    (drivers / "isofs.ko").write_bytes(b"\0license=GPL\0depends=\0")
    built_in = folder / top / "modules" / "6.1.0" / "modules.builtin"
    built_in.write_text("kernel/net/core/failover.ko\n")
    return folder


def test_modules_are_loaded_after_those_they_need() -> None:
    needs = {"a": ["b", "c"], "b": ["c"], "c": [], "d": ["b"]}

    assert load_order(["a", "d"], needs.__getitem__) == ["c", "b", "a", "d"]


def test_module_that_is_built_in_is_not_loaded(tmp_path: Path) -> None:
    modules = Modules(_kernel(tmp_path) / "lib" / "modules" / "6.1.0")

    assert modules.needs("virtio_net") == ["net_failover", "virtio_ring"]
    assert modules.needs("net_failover") == []


def test_kernel_without_a_module_is_refused_by_the_name_of_the_module(tmp_path: Path) -> None:
    modules = Modules(_kernel(tmp_path) / "lib" / "modules" / "6.1.0")

    with pytest.raises(PreconditionError, match="no module 'virtio_blk'"):
        modules.order(["virtio_blk"])


@pytest.mark.parametrize("top", ["lib", "usr/lib"], ids=["up to Debian 12", "Debian 13"])
def test_image_has_what_its_first_process_calls(
    top: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"busybox itself")
    monkeypatch.setattr(image, "BUSYBOX", busybox)

    found = image.entries(_kernel(tmp_path, top), b"the responder")

    assert found["bin/busybox"].data == b"busybox itself"
    assert found["bin/responder"].data == b"the responder"
    assert found["modules/order"].data.decode().splitlines() == [
        "virtio_ring.ko",
        "virtio_pci.ko",
        "net_failover.ko",
        "virtio_net.ko csum=0 gso=0",
        "libata.ko",
        "ata_piix.ko",
        "sr_mod.ko",
        "isofs.ko",
    ]
    assert found["modules/sr_mod.ko"].data.startswith(b"\0license")
    assert all(found[name].mode & 0o111 for name in ("init", "etc/address.sh", "bin/responder"))


def test_archive_is_read_as_it_was_packed() -> None:
    entries = {
        "etc": archive.folder(),
        "etc/empty": archive.file(b""),
        "etc/odd": archive.file(b"12345"),
        "init": archive.file(b"#!/bin/sh\n", program=True),
    }

    packed = archive.pack(entries)

    assert archive.unpack(packed) == entries
    assert archive.pack(entries) == packed


def _image(folder: Path, made: float) -> Path:
    for name in ("vmlinuz", "initramfs.gz"):
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (made, made))
    return folder


def test_image_that_is_newer_than_its_sources_is_fresh(tmp_path: Path) -> None:
    newest = max(path.stat().st_mtime for path in Path(image.__file__).parent.glob("*.*"))

    assert image.fresh(_image(tmp_path, newest + 1.0))


def test_image_that_is_older_than_its_sources_is_made_anew(tmp_path: Path) -> None:
    assert not image.fresh(_image(tmp_path, 1_000_000_000.0))


def test_image_that_is_there_in_part_is_made_anew(tmp_path: Path) -> None:
    newest = max(path.stat().st_mtime for path in Path(image.__file__).parent.glob("*.*"))
    (_image(tmp_path, newest + 1.0) / "vmlinuz").unlink()

    assert not image.fresh(tmp_path)


@pytest.fixture(scope="module")
def responder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("responder") / "responder"
    image.compile_responder(program)
    return program


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def answering(responder: Path, port: int, tmp_path: Path) -> Iterator[int]:
    """A responder that listens, as its port."""
    meta = tmp_path / "meta_data.json"
    meta.write_text(json.dumps(_META))
    argv = [str(responder), str(port), str(meta)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"ready: {_META['name']} {_META['uuid']}\n"
        yield port
        process.terminate()


@needs_compiler
def test_guest_answers_a_probe_over_udp_with_its_name_and_id(answering: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(5.0)
        probe.connect(("127.0.0.1", answering))
        probe.send(encode_probe(7, "n-1"))
        answer = probe.recv(600)

    assert decode_answer(answer, "n-1") == (7, Responder(str(_META["name"]), str(_META["uuid"])))


@needs_compiler
@pytest.mark.parametrize(
    "line",
    [b"", b"7", b"7 ", b"x n", b"7 n\0", b"7 n n", b"7  n", b"1" * 19 + b" n", b"7 " + b"n" * 65],
)
def test_guest_does_not_answer_what_is_no_probe(answering: int, line: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(5.0)
        probe.connect(("127.0.0.1", answering))
        probe.send(line)
        probe.send(encode_probe(8, "good"))

        assert probe.recv(600).startswith(b"8 good ")


@needs_compiler
def test_guest_answers_lines_over_tcp_however_they_are_cut(answering: int) -> None:
    with socket.create_connection(("127.0.0.1", answering), 5.0) as probe:
        probe.sendall(b"1 a")
        probe.sendall(b"bc\n2 de\r\n3")
        probe.sendall(b" f\n")
        with probe.makefile() as lines:
            answers = [lines.readline() for _ in range(3)]

    name = f"{_META['name']} {_META['uuid']}\n"
    assert answers == [f"1 abc {name}", f"2 de {name}", f"3 f {name}"]


@needs_compiler
def test_guest_drops_a_connection_that_sends_something_else(answering: int) -> None:
    with socket.create_connection(("127.0.0.1", answering), 5.0) as probe:
        probe.sendall(b"GET / HTTP/1.1\r\n")

        assert probe.recv(100) == b""


@needs_compiler
def test_guest_serves_whoever_comes_after_many_connections_that_stayed(answering: int) -> None:
    stay = [socket.create_connection(("127.0.0.1", answering), 5.0) for _ in range(80)]
    try:
        with socket.create_connection(("127.0.0.1", answering), 5.0) as probe:
            probe.sendall(b"1 late\n")

            assert probe.recv(600).startswith(b"1 late ")
    finally:
        for connection in stay:
            connection.close()


@needs_compiler
def test_guest_without_a_name_says_what_it_expected(
    responder: Path, port: int, tmp_path: Path
) -> None:
    meta = tmp_path / "meta_data.json"
    meta.write_text('{"meta": {"name": "inner"}}')

    done = subprocess.run(
        [str(responder), str(port), str(meta)],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )

    assert done.returncode == 1
    assert 'expected a member "name"' in done.stderr
