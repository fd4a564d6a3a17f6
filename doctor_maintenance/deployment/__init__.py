# SPDX-License-Identifier: Apache-2.0
"""Deploys what a run needs on a cloud, simulated or real, and removes exactly that again.

Every application has a project of its own, and every name carries the run's ID. So two runs beside
each other do not touch each other, and what a crashed run left behind can be removed by anybody who
knows its ID: removal looks at the cloud, not at what a process remembers.
"""

from doctor_maintenance.deployment.deployment import Deployment
from doctor_maintenance.deployment.spec import (
    Account,
    ApplicationSpec,
    DeployedApplication,
    Sizes,
    Spec,
)

__all__ = ["Account", "ApplicationSpec", "DeployedApplication", "Deployment", "Sizes", "Spec"]
