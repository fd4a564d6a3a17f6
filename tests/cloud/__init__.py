# SPDX-License-Identifier: Apache-2.0
"""One contract-test suite for clouds: a fact that does not hold on the simulator or on a real OpenStack fails.

Each test runs on the simulator, in process and in virtual time, as part of the normal tests
(``DOCTOR_MAINTENANCE_TEST_PROFILE=realistic`` lets things take as long as they did on a real cloud). With
``DOCTOR_MAINTENANCE_TEST_CLOUD=NAME``, an operator's entry in ``clouds.yaml``, the same tests run on that cloud; with
``DOCTOR_MAINTENANCE_TEST_TRANSPORT_URL`` too, those that publish notifications. Whatever a test makes is named after
the run and is removed; hosts that it disables are enabled again. Tests marked ``operator`` disable hosts: on a cloud
that others use, leave them out with ``-m "not operator"``.
"""
