# SPDX-License-Identifier: Apache-2.0
"""Nova: API, scheduler, conductor, and a nova-compute for each host; what drives guests is the kind's."""

from __future__ import annotations

from pathlib import Path

from lab import ready
from lab.daemons import Daemon
from lab.ini import over, render, without
from lab.layout import Port
from lab.service import Parts, Sections, Service, SetUp
from lab.services.mariadb import CREATED
from lab.services.placement import READY as PLACEMENT
from lab.services.rabbitmq import READY as BUS
from lab.site import Site

API = "nova-api"
CONDUCTOR = "nova-conductor"
_SET_UP = "set up nova"
_PASTE = "api-paste.ini"

REPORT_S, DOWN_S = 2, 12
"""How often a nova-compute says that it is there, and after how long it is taken for down, in seconds."""


def compute(host: str) -> str:
    """Return the name of the daemon that is a host's nova-compute."""
    return f"nova-compute-{host}"


def service(site: Site, parts: Parts) -> Service:
    """Return the service."""
    lab = site.lab
    folder = lab.etc / "nova"
    config = folder / "nova.conf"
    common = _options(site)
    hosts = {host: folder / f"{host}.conf" for host in lab.hosts}
    files = {config: render(common), folder / _PASTE: site.share(f"nova/{_PASTE}").read_text()}
    for host, path in hosts.items():
        files[path] = render(_host_options(site, parts, common, host))
    return Service(
        name="nova",
        folders=tuple(lab.state / "nova" / host for host in ("api", *lab.hosts)),
        databases=("nova_api", "nova", "nova_cell0"),
        type="compute",
        endpoint=f"{lab.url(Port.NOVA)}/v2.1",
        user=True,
        files=files,
        set_up=(_set_up(site, config),),
        daemons=(
            Daemon(
                API,
                site.wsgi("nova.wsgi.osapi_compute", Port.NOVA, 8),
                ready.http(lab.url(Port.NOVA)),
                needs=(_SET_UP, "keystone", BUS),
                env={"OS_NOVA_CONFIG_DIR": str(folder)},
            ),
            *(
                Daemon(
                    f"nova-{name}",
                    [lab.program(f"nova-{name}"), "--config-file", str(config)],
                    ready.consumer(site, name),
                    needs=(
                        _SET_UP,
                        "keystone",
                        PLACEMENT,
                        BUS,
                    ),  # both ask Placement when they begin
                )
                for name in ("conductor", "scheduler")
            ),
            *(compute_daemon(site, parts, host) for host in lab.hosts),
        ),
    )


def compute_daemon(site: Site, parts: Parts, host: str) -> Daemon:
    """Return the nova-compute of a host, which a reboot of the host stops and starts as well."""
    return Daemon(
        compute(host),
        parts.compute_argv(host, site.lab.etc / "nova" / f"{host}.conf"),
        ready.consumer(site, f"compute.{host}"),
        needs=(CONDUCTOR, PLACEMENT, *parts.compute_needs(host)),
        env=parts.compute_env(host),
        namespace=None,
    )


def _set_up(site: Site, config: Path) -> SetUp:
    lines = (
        ["api_db", "sync"],
        ["cell_v2", "map_cell0", "--database_connection", site.database("nova_cell0")],
        ["db", "sync"],
        ["ok=2", "cell_v2", "create_cell", "--name", "cell1"],  # 2: it is there already
    )
    words: list[str] = []
    for line in lines:
        good = [word for word in line if word.startswith("ok=")]
        words += ["--", *good, "--config-file", str(config), *line[len(good) :]]
    return SetUp(
        _SET_UP,
        [site.inside("lab_commands.py", "nova.cmd.manage", *words)],
        needs=(CREATED,),
    )


def _host_options(site: Site, parts: Parts, common: Sections, host: str) -> Sections:
    own = {"DEFAULT": {"host": host, "state_path": site.lab.state / "nova" / host}}
    above = over(own, parts.compute_options(host))
    return over(without(common, "api_database", "database"), above)


def _options(site: Site) -> Sections:
    return {
        "DEFAULT": {
            "use_stderr": True,
            "transport_url": site.bus,
            "my_ip": "127.0.0.1",
            "state_path": site.lab.state / "nova" / "api",
            "report_interval": REPORT_S,
            "service_down_time": DOWN_S,
            # Else the scheduler looks for new hosts for the first time after up to a minute, at random.
            "periodic_fuzzy_delay": 0,
            "allow_resize_to_same_host": False,
            "resume_guests_state_on_host_boot": True,
        },
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": site.lab.etc / "nova" / _PASTE},
        "api_database": site.connection("nova_api"),
        "database": site.connection("nova"),
        "keystone_authtoken": site.authtoken("nova"),
        "service_user": {**site.login("nova"), "send_service_user_token": True},
        "placement": site.login("nova"),
        "neutron": site.login("nova"),
        "glance": {**site.login("nova"), "num_retries": 1},
        "cinder": site.login("nova"),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
        "filter_scheduler": {
            "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
            "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter",
        },
        "vnc": {"enabled": False},
        "notifications": {
            "notification_format": "unversioned",
            "notify_on_state_change": "vm_and_task_state",
        },
        "oslo_messaging_notifications": {"driver": "messagingv2"},
        "oslo_concurrency": site.locks,
    }
