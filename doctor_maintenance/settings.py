# SPDX-License-Identifier: Apache-2.0
"""Every option of the project, each in one place: its name, type, default, range, unit and meaning.

An option is a field of a frozen dataclass, so code that uses it is type checked and a test builds
the settings it wants without a configuration file. ``config`` derives the oslo.config options, the
command line and the sample file from these fields; a second list of names was refused.

Adding an option is adding a field. Its unit is the end of its name: ``_s`` seconds, ``_hz`` times a
second, ``_mb`` mebibytes, ``_gb`` gibibytes, ``_bytes`` bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from doctor_maintenance.options import option

DAY_S = 86_400.0


def _bind(who: str) -> Any:
    return option("127.0.0.1", f"The address that the {who} listens on.")


def _port(who: str) -> Any:
    return option(
        0, f"The TCP port that the {who} listens on; 0: any free one.", low=0, high=65_535
    )


def _url(who: str, reader: str) -> Any:
    return option(
        None,
        f"The URL under which {reader} reach the {who}, where it is not http://BIND:PORT "
        "(behind a proxy, or bound to every address).",
    )


def _threads() -> Any:
    return option(8, "How many requests are handled at the same time.", low=1, high=256)


def _body() -> Any:
    return option(
        262_144, "The largest request body that is read, in bytes.", low=1_024, high=16_777_216
    )


def _certificate(what: str) -> Any:
    return option(None, f"The PEM file with the {what} for HTTPS; without it, HTTP is served.")


def _poll() -> Any:
    return option(0.5, "How long between two looks at the cloud, in seconds.", low=0.01, high=60.0)


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The cloud that is worked on, and who we are there."""

    kind: str = option(
        "embedded",
        "Which cloud `run` works on: an embedded one that it starts itself, or the OpenStack that the "
        "other options of this group and the OS_* variables name.",
        choices=("embedded", "openstack"),
    )
    os_cloud: str | None = option(
        None,
        "The name of a cloud in clouds.yaml; it excludes the other credentials.",
        env="OS_CLOUD",
    )
    clouds_file: str | None = option(
        None,
        "The clouds.yaml that os_cloud is looked up in; without it, OS_CLIENT_CONFIG_FILE and the usual places.",
    )
    auth_url: str | None = option(None, "The URL of Keystone, with /v3.", env="OS_AUTH_URL")
    username: str | None = option(None, "The user's name.", env="OS_USERNAME")
    password: str | None = option(None, "The user's password.", env="OS_PASSWORD", secret=True)
    project_name: str | None = option(
        None, "The project that tokens are scoped to.", env="OS_PROJECT_NAME"
    )
    user_domain_name: str = option("Default", "The user's domain.", env="OS_USER_DOMAIN_NAME")
    project_domain_name: str = option(
        "Default", "The project's domain.", env="OS_PROJECT_DOMAIN_NAME"
    )
    region_name: str | None = option(
        None, "The region, where there are several.", env="OS_REGION_NAME"
    )
    interface: str = option(
        "public",
        "Which endpoints of the catalog are used.",
        choices=("public", "internal", "admin"),
        env="OS_INTERFACE",
    )
    cacert: str | None = option(
        None,
        "The PEM file with the authorities that endpoints, and the admin tool, are verified with.",
        env="OS_CACERT",
    )
    request_timeout_s: float = option(
        30.0, "How long one request to the cloud may take, in seconds.", low=0.1, high=600.0
    )
    connect_retries: int = option(
        2, "How often a request that found no connection is tried again.", low=0, high=20
    )
    image: str = option("cirros", "The name or ID of the image that instances are built from.")
    external_network: str | None = option(
        None,
        "The name or ID of the network that floating IPs come from; without it, the only external one, or the first "
        "by name.",
    )
    note: str | None = option(
        None,
        "What a reader of a report must know of this cloud, where not all of it is what it seems.",
    )


@dataclass(frozen=True, slots=True)
class AdminToolSettings:
    """The admin tool: its API, its waits, and what it does on a host."""

    bind: str = _bind("admin tool")
    port: int = _port("admin tool")
    url: str | None = _url("admin tool", "operators and projects")
    tls_certificate: str | None = _certificate("certificate chain")
    tls_key: str | None = _certificate("private key")
    policy_file: str | None = option(
        None, "A policy.yaml that overrides who may do what; `config --policy` prints the defaults."
    )
    authtoken_file: str | None = option(
        None,
        "A configuration file with the group [keystone_authtoken]: tokens are then validated by "
        "keystonemiddleware, as in every OpenStack service. Without it, with the admin tool's own login.",
    )
    threads: int = _threads()
    workers: int = option(
        8, "How many calls to the cloud are under way at the same time.", low=1, high=64
    )
    max_body_bytes: int = _body()
    max_projects: int = option(
        1000,
        "Of how many projects the instances on one host may be; with more, its maintenance is canceled.",
        low=1,
        high=100_000,
    )
    max_sessions: int = option(
        1_000, "How many sessions are kept; a further one is refused.", low=1, high=1_000_000
    )
    reply_wait_s: float = option(
        60.0, "How long a project has to reply to a notification, in seconds.", low=0.05, high=DAY_S
    )
    own_action_wait_s: float = option(
        120.0,
        "How long a project has for its OWN_ACTION after its reply, in seconds.",
        low=0.05,
        high=DAY_S,
    )
    drain_timeout_s: float = option(
        1_800.0,
        "How long emptying a host may take before its maintenance is canceled, in seconds.",
        low=0.1,
        high=7 * DAY_S,
    )
    migrate_retries: int = option(
        2, "How often a failed migration of an instance is tried again.", low=0, high=20
    )
    move_retry_s: float = option(
        15.0,
        "How long before a failed migration of an instance is tried again, in seconds.",
        low=0.0,
        high=DAY_S,
    )
    refusal_wait_s: float = option(
        150.0,
        "How long a migration is tried again that Nova's scheduler refuses, in seconds: of an anti-affinity group it "
        "may believe for two minutes that a member is where it was, and after its message broker was away every "
        "nova-compute is down for a minute. Such refusals are no failed attempts; 0: they are.",
        low=0.0,
        high=DAY_S,
    )
    migration_timeout_s: float = option(
        600.0,
        "How long one migration may take before it is given up, in seconds.",
        low=0.1,
        high=DAY_S,
    )
    host_timeout_s: float = option(
        900.0,
        "How long a host may take to come back after a reboot, in seconds.",
        low=0.1,
        high=DAY_S,
    )
    command_timeout_s: float = option(
        3_600.0,
        "How long one maintenance or test command may take, in seconds.",
        low=0.1,
        high=DAY_S,
    )
    poll_s: float = _poll()
    maintenance_commands: tuple[str, ...] = option(
        ("true",),
        "A command run over SSH on each host in maintenance, in the order given; the first that fails "
        "ends the host's maintenance as failed.",
        repeat=True,
    )
    reboot_command: str = option(
        "sudo systemctl reboot",
        "The command that reboots a host in maintenance of type `reboot`, run over SSH.",
    )
    settle_s: float = option(
        0.2,
        "How long between telling everybody that a host is in maintenance and the maintenance itself, "
        "in seconds.",
        low=0.0,
        high=3_600.0,
    )
    stop_timeout_s: float = option(
        30.0,
        "How long the admin tool may take to put hosts back when it is told to end, in seconds.",
        low=0.0,
        high=DAY_S,
    )
    test_command: str | None = option(
        "true",
        "The operator's test of a `full` host, run over SSH before it returns to production.",
    )
    notify_driver: str = option(
        "http",
        "How notifications are published: messagingv2 (a message bus, as on a real cloud), or http "
        "(posted to the embedded cloud, which has no bus).",
        choices=("http", "messagingv2"),
    )
    transport_url: str | None = option(
        None,
        "The oslo.messaging transport of driver messagingv2: rabbit://USER:PASSWORD@HOST/.",
        secret=True,
    )
    notification_url: str | None = option(
        None, "Where driver http posts notifications; without it, the embedded cloud's own address."
    )
    notify_retries: int = option(
        9,
        "How often a notification that was not accepted is published again, with waits from 0.2 s to 10 s: 9 times "
        "are 43 s, in which a message broker that was killed is back.",
        low=0,
        high=20,
    )
    notify_timeout_s: float = option(
        5.0, "How long publishing a notification may take, in seconds.", low=0.1, high=60.0
    )
    only_if_agreed: tuple[str, ...] = option(
        (),
        "The IDs, separated by commas, of the projects whose instances are touched only after an ACK: "
        "without a reply their host is canceled.",
    )
    default_action: str = option(
        "LIVE_MIGRATE",
        "What is done with an instance whose project did not reply.",
        choices=("MIGRATE", "LIVE_MIGRATE"),
    )

    state_dir: str | None = option(
        None,
        "The folder with what must survive a restart of the admin tool; without it, `admin-tool` in the work "
        "folder. One process at a time uses it, and with the host's name it is what the tool is known by.",
    )
    journal_url: str | None = option(
        None,
        "Where sessions are kept: the URL of a database (postgresql+psycopg://USER:PASSWORD@HOST/NAME, "
        "mysql+pymysql://…), which several admin tools may share, or `memory` for none; without it, SQLite in "
        "the state folder.",
        secret=True,
    )
    lease_s: float = option(
        15.0,
        "After how long an admin tool that is silent is taken for dead by the others on its journal, in "
        "seconds.",
        low=0.5,
        high=3_600.0,
    )
    peer_url: str | None = option(
        None,
        "The URL under which the other admin tools on the journal reach this one, where it is not "
        "http://BIND:PORT.",
    )


@dataclass(frozen=True, slots=True)
class AppManagerSettings:
    """The sample app manager: how it replies and how it switches over."""

    bind: str = _bind("app manager")
    port: int = _port("app manager")
    url: str | None = _url("app manager", "the cloud's alarms")
    tls_certificate: str | None = _certificate("certificate chain")
    tls_key: str | None = _certificate("private key")
    threads: int = _threads()
    workers: int = option(
        4, "How many calls to the cloud are under way at the same time.", low=1, high=64
    )
    max_body_bytes: int = _body()
    secret: str | None = option(
        None, "A word in the alarm URL without which an alarm is refused.", secret=True
    )
    policy: str = option(
        "agree",
        "What it replies: agree (ACK), refuse (NACK), or silent (nothing, to try the deadline).",
        choices=("agree", "refuse", "silent"),
    )
    strategy: str = option(
        "auto",
        "How it switches over from the active to the standby instance; a name of a file in "
        "sample_app_manager/strategies (auto: the best that the cloud allows; none: it does not, to try "
        "the judge). A run lays its application's address out accordingly.",
    )
    action: str = option(
        "MIGRATE",
        "What it asks for its instances; another action is taken where this one is not allowed.",
        choices=("MIGRATE", "LIVE_MIGRATE", "LEAVE", "OWN_ACTION"),
    )
    single_action: str | None = option(
        None,
        "What it asks for instances that serve in no ACT-STBY pair; without it, the same.",
        choices=("MIGRATE", "LIVE_MIGRATE", "LEAVE", "OWN_ACTION"),
    )
    ask: str = option(
        "probe",
        "How it makes sure that the standby serves: probe (asks the service as the probe does, see group "
        "probe), or neutron (believes Neutron, for guests that cannot be asked).",
        choices=("probe", "neutron"),
    )
    admin_tool_url: str | None = option(
        None,
        "The only place that replies, and with them the project's token, are sent to; without it, "
        "wherever an alarm says.",
    )
    user_data_file: str | None = option(
        None,
        "The file with the user data of instances that are built anew (OWN_ACTION); a project cannot "
        "read it back from the cloud.",
    )
    switch_over_timeout_s: float = option(
        30.0,
        "How long the standby may take to answer after a switch-over, in seconds.",
        low=0.05,
        high=DAY_S,
    )
    reply_retries: int = option(
        5,
        "How often a reply that was not accepted is sent again before its deadline.",
        low=0,
        high=100,
    )
    request_timeout_s: float = option(
        10.0, "How long a request to the admin tool may take, in seconds.", low=0.1, high=600.0
    )
    poll_s: float = option(
        0.05,
        "How long between two questions whether the standby answers, in seconds.",
        low=0.005,
        high=60.0,
    )
    state_file: str | None = option(
        None,
        "The file with what must survive a restart of the app manager: what it was told, and what it promised. "
        "Without it, that is forgotten. One process at a time uses it.",
    )
    look_s: float = option(
        10.0,
        "How long between two looks at the sessions that it knows of, which make up for lost alarms, in seconds.",
        low=0.1,
        high=DAY_S,
    )


@dataclass(frozen=True, slots=True)
class InspectorSettings:
    """The sample inspector: automatic fault management, which stands down in maintenance."""

    bind: str = _bind("inspector")
    port: int = _port("inspector")
    url: str | None = _url("inspector", "the cloud's alarms")
    tls_certificate: str | None = _certificate("certificate chain")
    tls_key: str | None = _certificate("private key")
    threads: int = _threads()
    workers: int = option(
        4, "How many calls to the cloud are under way at the same time.", low=1, high=64
    )
    max_body_bytes: int = _body()
    secret: str | None = option(
        None, "A word in the alarm URL without which an alarm is refused.", secret=True
    )


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How commands reach the hosts."""

    user: str = option("root", "The user on the hosts.")
    port: int = option(22, "The port of SSH on the hosts.", low=1, high=65_535)
    key_file: str | None = option(
        None, "The private key; without it, the agent and the user's own keys are tried."
    )
    known_hosts: str | None = option(
        None, "The file of the hosts' keys; without it, the user's own known_hosts."
    )
    accept_unknown: bool = option(
        False, "Accept a host whose key is not known; whoever answers is then believed."
    )
    connect_timeout_s: float = option(
        10.0, "How long connecting to a host may take, in seconds.", low=0.1, high=600.0
    )
    command_timeout_s: float = option(
        30.0, "How long a command of the checks may take, in seconds.", low=0.1, high=3_600.0
    )


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """The probe that asks the service, many times a second, who answers."""

    protocol: str = option("udp", "What a probe is sent over.", choices=("udp", "tcp"))
    port: int = option(7_777, "The port that the service answers on.", low=1, high=65_535)
    rate_hz: float = option(100.0, "How many probes are sent each second.", low=1.0, high=1_000.0)
    timeout_s: float = option(
        1.0, "After how long a probe without an answer is lost, in seconds.", low=0.01, high=60.0
    )
    allowed_gap_s: float = option(
        0.0,
        "The longest silence of the service that still passes, in seconds.",
        low=0.0,
        high=DAY_S,
    )


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """The embedded cloud."""

    bind: str = _bind("embedded cloud")
    port: int = _port("embedded cloud")
    threads: int = _threads()
    hosts: int = option(3, "How many compute hosts it has.", low=1, high=1_000)
    vcpus: int = option(8, "How many vCPUs each host has.", low=1, high=1_024)
    memory_mb: int = option(
        16_384, "How much memory each host has, in mebibytes.", low=256, high=16_777_216
    )
    disk_gb: int = option(200, "How much disk each host has, in gibibytes.", low=1, high=1_000_000)
    cacert: str | None = option(
        None,
        "The PEM file with the authorities that alarm URLs with https are verified with; without it, those "
        "of the system.",
    )
    profile: str = option(
        "fast",
        "How long things take; a name of a file in doctor_maintenance/simulator/profiles.",
    )
    speed: float = option(
        1.0, "How many seconds pass in the embedded cloud in a real second.", low=0.01, high=1_000.0
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All options: the common ones here, the others by group.

    Attributes:
        oslo: the ``oslo_config.cfg.ConfigOpts`` that these were read with, for libraries that want
            one (oslo.messaging, oslo.policy); None if these were built by hand.
    """

    work_dir: str = option(
        ".maintenance", "The folder for reports, traces, logs and the embedded cloud's keys."
    )
    log_level: str = option(
        "INFO",
        "The least severe messages that are logged.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )
    seed: int = option(
        1, "What every draw by chance is derived from; the same seed gives the same run.", low=0
    )
    session_timeout_s: float = option(
        3_600.0,
        "How long `run` waits for a maintenance session to end, in seconds.",
        low=1.0,
        high=7 * DAY_S,
    )
    cloud: CloudSettings = field(default_factory=CloudSettings)
    admin_tool: AdminToolSettings = field(default_factory=AdminToolSettings)
    app_manager: AppManagerSettings = field(default_factory=AppManagerSettings)
    inspector: InspectorSettings = field(default_factory=InspectorSettings)
    ssh: SshSettings = field(default_factory=SshSettings)
    probe: ProbeSettings = field(default_factory=ProbeSettings)
    simulator: SimulatorSettings = field(default_factory=SimulatorSettings)
    oslo: Any = field(default=None, repr=False, compare=False)
