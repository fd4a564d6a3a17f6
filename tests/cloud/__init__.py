# SPDX-License-Identifier: Apache-2.0
"""One contract-test suite for clouds: the simulator keeps what a real OpenStack does, or a test fails on one of the two.

Each test runs on the simulator, in process and in virtual time, as part of the normal tests. With
``DOCTOR_MAINTENANCE_TEST_CLOUD=NAME``, an operator's entry in ``clouds.yaml``, the same tests run on that cloud; with
``DOCTOR_MAINTENANCE_TEST_TRANSPORT_URL`` too, those that publish notifications. Whatever a test makes is named
after the run and is removed; hosts that it disables are enabled again. Tests marked ``operator`` disable hosts: on a
cloud that others use, leave them out with ``-m "not operator"``.
"""
