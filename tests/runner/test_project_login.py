# SPDX-License-Identifier: Apache-2.0
from doctor_maintenance.runner.live import as_project
from doctor_maintenance.settings import CloudSettings


def test_project_waits_for_the_cloud_as_long_as_the_operator() -> None:
    operator = CloudSettings(os_cloud="lab", request_timeout_s=120.0, connect_retries=7)

    project = as_project(operator)

    assert (project.request_timeout_s, project.connect_retries) == (120.0, 7)


def test_project_does_not_log_in_as_the_operator() -> None:
    operator = CloudSettings(auth_url="http://keystone/v3", username="admin", password="unsaid")

    project = as_project(operator)

    assert (project.auth_url, project.username, project.password) == (None, None, None)
