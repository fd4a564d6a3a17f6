# SPDX-License-Identifier: Apache-2.0
"""A host as data: its folders, its files, what is mounted where, and what it runs.

A host is a network, a mount, a UTS and a PID namespace. The last is what makes a reboot real: its first process ends,
and the kernel ends every other one that is in it, guests included. Nothing is done here; ``host_init`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from lab.guests.accounts import accounts
from lab.guests.network import OUTSIDE, TUNNELS, Network
from lab.layout import Lab, Port

SHIMS = Path(__file__).parent / "shims"
"""What the host's shell knows besides the machine's programs; it goes before them."""

PHYSICAL_NETWORK = "physnet1"
INIT_PIPE = Path("/run/lab-init")
"""In a host: whatever writes ``reboot`` there reboots it; outside there is nothing."""

FIRST = ("nice", "-n", "-15")
"""How what the guests' network depends on is started: it has machines of its own in a real cloud, and a busy API is not
to be seen as a silent service here."""

_GUESTS = ("nice", "-n", "-10")  # libvirtd, and guests inherit it
# One thread of the switch moves packets and plugs guests in: while a guest boots beside it, it is to wait for nobody.
_AS_HARDWARE = ("chrt", "--rr", "1")

SWITCH = "ovs-vswitchd"
OVS_SOCKET = "/run/openvswitch/db.sock"
LIBVIRT_SOCKET = "/run/libvirt/libvirt-sock"
_LIBVIRT_FOLDERS = ("etc", "lib", "log", "cache")
SHIMS_IN_HOST = Path("/usr/local/sbin")
_PATH = f"{SHIMS_IN_HOST}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Service:
    """A process of a host.

    Attributes:
        name: of its log.
        argv: the command; it stays in the foreground.
    """

    name: str
    argv: Sequence[str]


@dataclass(frozen=True, slots=True)
class Host:
    """A compute host, or the gateway.

    Attributes:
        lab: whose it is.
        name: its name.
    """

    lab: Lab
    name: str

    @property
    def network(self) -> Network:
        """The lab's wires."""
        return Network(self.lab)

    @property
    def address(self) -> str:
        """Where it answers SSH."""
        return str(self.network.management_of(self.name))

    @property
    def state(self) -> Path:
        """What survives a reboot: its guests' definitions, its keys."""
        return self.lab.state / "hosts" / self.name

    @property
    def run(self) -> Path:
        """What tells those outside about its present boot."""
        return self.lab.run / "hosts" / self.name

    @property
    def keys(self) -> Path:
        """The folder of its SSH key."""
        return self.state / "ssh"

    @property
    def boot_id(self) -> Path:
        """What ``/proc/sys/kernel/random/boot_id`` shows in it."""
        return self.run / "boot_id"

    @property
    def ready(self) -> Path:
        """Holds the boot ID of the boot whose services all run."""
        return self.run / "ready"

    @property
    def init(self) -> Path:
        """Holds who its first process is."""
        return self.run / "init.json"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Made before a start."""
        return (self.run, self.keys, *(self.state / name for name in _LIBVIRT_FOLDERS))

    @property
    def mounts(self) -> Mapping[Path, Path]:
        """What is shown where in it."""
        return {
            **{
                Path("/", *place, "libvirt"): self.state / name
                for name, place in zip(
                    _LIBVIRT_FOLDERS,
                    (["etc"], ["var", "lib"], ["var", "log"], ["var", "cache"]),
                    strict=True,
                )
            },
            Path("/etc/hosts"): self.state / "hosts",
            **{Path("/etc", name): self.state / name for name in accounts()},
            Path("/proc/sys/kernel/random/boot_id"): self.boot_id,
        }

    def files(self, authorized_key: Path, host_key: Path) -> dict[Path, str]:
        """Return its configuration files.

        Args:
            authorized_key: the file with the public key that may log in.
            host_key: the file with its own private key.
        """
        return {
            self.state / "etc" / "libvirtd.conf": _libvirtd(self),
            self.state / "etc" / "qemu.conf": _QEMU,
            self.state / "sshd_config": _sshd(self, authorized_key, host_key),
            self.state / "hosts": _hosts(self),
            **{self.state / name: text for name, text in accounts().items()},
        }

    @property
    def compute(self) -> bool:
        """Whether guests run on it; the other kind is the gateway."""
        return self.name in self.lab.hosts

    def services(self) -> list[Service]:
        """Return what it runs besides the network."""
        if not self.compute:
            return []
        sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", str(self.state / "sshd_config")]
        return [
            Service("sshd", sshd),
            Service("libvirtd", [*_GUESTS, "/usr/sbin/libvirtd", "--listen"]),
        ]

    def network_services(self, *, follows_kernel: bool) -> tuple[Service, Service, Service]:
        """Return Open vSwitch's database, its switch, and what OVN has on a host.

        Args:
            follows_kernel: whether the switch takes its routes from the kernel, or is told them.
        """
        common = (f"unix:{OVS_SOCKET}", "--pidfile", *_QUIET)
        routes = () if follows_kernel else ("--disable-system-route",)
        return (
            Service("ovsdb-server", [*FIRST, *_OVSDB]),
            Service(SWITCH, [*_AS_HARDWARE, "ovs-vswitchd", *routes, *common]),
            Service("ovn-controller", [*FIRST, "ovn-controller", *common]),
        )

    @property
    def sockets(self) -> tuple[str, ...]:
        """What answers when all that it runs does."""
        return (OVS_SOCKET, LIBVIRT_SOCKET) if self.compute else (OVS_SOCKET,)

    def switch_settings(self) -> list[str]:
        """Return the arguments of ovs-vsctl that tell Open vSwitch and ovn-controller who they are."""
        own = {
            "system-id": self.name,
            "hostname": self.name,
            "ovn-remote": f"tcp:{self.network.central}:{self.lab.port(Port.OVN_SOUTH)}",
            "ovn-encap-type": "geneve",
            "ovn-encap-ip": str(self.network.tunnels_of(self.name).ip),
            "ovn-bridge-datapath-type": "netdev",
            "ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:br-ex",
            # A busy machine is silent for longer than the five seconds that are usual.
            "ovn-remote-probe-interval": "60000",
            "ovn-openflow-probe-interval": "60",
        }
        if not self.compute:
            own["ovn-cms-options"] = "enable-chassis-as-gw"
        return [
            "set",
            "Open_vSwitch",
            ".",
            *(f'external_ids:{name}="{value}"' for name, value in own.items()),
            "other_config:n-revalidator-threads=1",
            "other_config:n-handler-threads=1",
        ]

    def switch_bridges(self, addresses: Mapping[str, str]) -> list[str]:
        """Return the arguments of ovs-vsctl that make the bridges to the outside and to the tunnels.

        Args:
            addresses: the MAC addresses of the host's interfaces. A bridge has that of its interface: one of its own
                would be another after each boot, and the other ends of tunnels keep what they know for 15 minutes.
        """
        words: list[str] = []
        for bridge, port in (("br-ex", OUTSIDE), ("br-tun", TUNNELS)):
            words += [
                *("--", "--may-exist", "add-br", bridge),
                *("--", "set", "bridge", bridge, "datapath_type=netdev"),
                f'other_config:hwaddr="{addresses[port]}"',
                *("--", "--may-exist", "add-port", bridge, port),
            ]
        return words[1:]

    @property
    def tunnel_ends(self) -> Mapping[str, str]:
        """The other ends of its tunnels: the MAC address by the IP address.

        User-space Open vSwitch drops what is sent to an end whose MAC address it has to ask for, where a kernel keeps
        it until the answer is there. A probe was lost so when a switch-over led to a host for the first time.
        """
        others = [name for name in self.network.hosts if name != self.name]
        return {
            str(self.network.tunnels_of(name).ip): self.network.tunnel_mac_of(name)
            for name in others
        }

    @property
    def tunnels(self) -> IPv4Interface:
        """The address of its bridge ``br-tun``."""
        return self.network.tunnels_of(self.name)


_QUIET = ("-vsyslog:off", "-vconsole:info")
_OVSDB = (
    "ovsdb-server",
    "/run/openvswitch/conf.db",
    f"--remote=punix:{OVS_SOCKET}",
    "--pidfile",
    *_QUIET,
)

# root, as no user of the machine's may look at the lab; no cgroups and no name spaces of its own, as it is in some.
_QEMU = """\
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
stdio_handler = "file"
namespaces = [ ]
cgroup_controllers = [ ]
"""


def _libvirtd(host: Host) -> str:
    number = int(host.network.management_of(host.name)) % 256
    return f"""\
listen_tls = 0
listen_tcp = 1
listen_addr = "{host.address}"
auth_tcp = "none"
auth_unix_rw = "none"
max_client_requests = 50
host_uuid = "00000000-0000-4000-8000-{number:012d}"
log_outputs = "3:stderr"
"""


def _sshd(host: Host, authorized_key: Path, host_key: Path) -> str:
    return f"""\
Port 22
ListenAddress {host.address}
HostKey {host_key}
AuthorizedKeysFile {authorized_key}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
PrintMotd no
SetEnv PATH={_PATH}
"""


def _hosts(host: Host) -> str:
    others = (f"{host.network.management_of(name)} {name}\n" for name in host.lab.hosts)
    return "127.0.0.1 localhost\n" + "".join(others)
