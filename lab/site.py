# SPDX-License-Identifier: Apache-2.0
"""What the configuration of every service of a lab repeats: logins, the database, the bus, URLs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from doctor_maintenance.secret_words import hide
from lab.layout import REGION, Lab, Port
from lab.service import Options

INSIDE = Path(__file__).parent / "inside"
"""The folder of what runs in the services' environment."""


@dataclass(frozen=True, slots=True)
class Site:
    """A lab and its secret.

    Attributes:
        lab: where everything is.
        password: of every user, of the database and of the bus; one a lab, as all is on one machine.
    """

    lab: Lab
    password: str = field(repr=False)

    @property
    def keystone(self) -> str:
        """The URL to log in at."""
        return self.lab.url(Port.KEYSTONE) + "/v3"

    @property
    def bus(self) -> str:
        """The oslo.messaging transport."""
        return f"rabbit://lab:{self.password}@127.0.0.1:{self.lab.port(Port.RABBITMQ)}/"

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        port = self.lab.port(Port.MARIADB)
        return f"mysql+pymysql://lab:{self.password}@127.0.0.1:{port}/{name}?charset=utf8"

    def connection(self, name: str) -> Options:
        """Return the options of a group ``database``."""
        return {"connection": self.database(name), "max_pool_size": 5}

    def login(self, user: str) -> Options:
        """Return the options of a group in which a service logs in."""
        return {
            "auth_type": "password",
            "auth_url": self.keystone,
            "username": user,
            "password": self.password,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": REGION,
        }

    def authtoken(self, user: str) -> Options:
        """Return the options of the group ``keystone_authtoken``."""
        return {
            **self.login(user),
            "www_authenticate_uri": self.keystone,
            "service_token_roles_required": True,
            "service_token_roles": "service",
        }

    @property
    def locks(self) -> Options:
        """The options of the group ``oslo_concurrency``."""
        return {"lock_path": self.lab.run / "lock"}

    def inside(self, script: str, *words: str) -> list[str]:
        """Return the command that runs a script of ours in the services' environment."""
        return [self.lab.program("python"), str(INSIDE / script), *words]

    def wsgi(self, module: str, port: Port, threads: int) -> list[str]:
        """Return the command that serves a WSGI application."""
        return self.inside("lab_serve.py", module, str(self.lab.port(port)), str(threads))

    def share(self, name: str) -> Path:
        """Return a data file that was installed with the services."""
        return self.lab.venv / "etc" / name


def site_of(lab: Lab) -> Site:
    """Return the site of a lab, with a secret that is made once and ends with the lab's data."""
    path = lab.state / "secret"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16), encoding="ascii")
    password = path.read_text(encoding="ascii")
    hide(password)
    return Site(lab, password)
