# SPDX-License-Identifier: Apache-2.0
"""The timelines of an instance's own life: boot, delete, stop, start, pause, reboot.

Each function is a sequence of the states that real Nova (34) was seen to go through; the profile says how
long each lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from doctor_maintenance.exceptions import CloudError, MaintenanceError
from doctor_maintenance.simulator.errors import NoValidHost
from doctor_maintenance.simulator.processes import FOREVER, Steps
from doctor_maintenance.simulator.records import Action, BootRequest, Instance
from doctor_maintenance.simulator.states import PowerState, TaskState, VmState

if TYPE_CHECKING:
    from doctor_maintenance.simulator.compute_base import ComputeBase


def boot(compute: ComputeBase, instance: Instance, request: BootRequest, action: Action) -> Steps:
    """BUILD/scheduling, networking, block_device_mapping, spawning, ACTIVE; or ERROR without a valid host."""
    profile = compute.profile
    yield compute.draw(profile.boot_scheduling)
    resources = instance.flavor.resources
    try:
        if request.forced and request.host is not None:
            host = request.host
        else:
            host = compute.scheduler.select(
                instance,
                compute.groups.find(instance.group_id),
                now=compute.clock.now(),
                action="create",
                resources=resources,
                host=request.host,
            )
        compute.claim(instance.instance_id, host, resources, instance)
    except NoValidHost as error:
        event = compute.begin_event(action, "conductor_schedule_and_build_instances", "controller")
        compute.end_event(action, event, str(error))
        compute.fail(instance, "No valid host was found. ")
        return
    event = compute.begin_event(action, "compute__do_build_and_run_instance", host)
    compute.set_state(instance, task_state=None, host=host)
    compute.set_state(instance, task_state=TaskState.NETWORKING)
    yield compute.draw(profile.boot_networking)
    try:
        if compute.is_off(host):
            raise CloudError(f"host {host} is down")
        _connect(compute, instance, request)
    except MaintenanceError as error:
        compute.end_event(action, event, str(error))
        compute.placement.release(instance.instance_id)
        compute.set_state(instance, host=None)
        compute.fail(instance, f"Build of instance {instance.instance_id} aborted: {error}")
        return
    instance.root_device = "/dev/vda"
    compute.set_state(instance, task_state=TaskState.BLOCK_DEVICE_MAPPING)
    yield compute.draw(profile.boot_block_devices)
    compute.set_state(instance, task_state=TaskState.SPAWNING)
    compute.set_guest(instance, up=False, host=host)
    for port in compute.network.ports_of(instance.instance_id):
        compute.network.bind(port.id, host)
    yield compute.draw(profile.boot_spawning)
    set_ports(compute, instance, "ACTIVE")
    instance.launched_at = compute.clock.now()
    compute.end_event(action, event)
    compute.set_guest(instance, up=True)
    compute.set_state(
        instance, vm_state=VmState.ACTIVE, task_state=None, power_state=PowerState.RUNNING
    )


def _connect(compute: ComputeBase, instance: Instance, request: BootRequest) -> None:
    for wanted in request.networks:
        if wanted.port_id is not None:
            compute.network.attach_port(wanted.port_id, instance.instance_id)
        elif wanted.network_id is not None:
            compute.network.create_port(
                instance.project_id,
                wanted.network_id,
                device_id=instance.instance_id,
                fixed_ip=wanted.fixed_ip,
            )


def set_ports(compute: ComputeBase, instance: Instance, status: str) -> None:
    """Set the status of every port of an instance."""
    for port in compute.network.ports_of(instance.instance_id):
        compute.network.set_status(port.id, status)


def delete(compute: ComputeBase, instance: Instance, action: Action) -> Steps:
    """Still in its state, deleting; then DELETED for a moment, then gone."""
    never_placed = instance.host is None
    event = None
    if not never_placed:
        event = compute.begin_event(action, "compute_terminate_instance", instance.host or "")
        compute.set_guest(instance, up=False)
        yield compute.draw(compute.profile.delete)
    compute.network.delete_ports_of(instance.instance_id)
    compute.set_guest(instance, up=False, host=None)
    compute.placement.release(instance.instance_id)
    compute.groups.leave(instance.instance_id)
    instance.terminated_at = compute.clock.now()
    if never_placed:
        instance.fault = None
    if event is not None:
        compute.end_event(action, event)
    if instance.host is not None:
        compute.hosts[instance.host].instances.pop(instance.instance_id, None)
    compute.set_state(
        instance, vm_state=VmState.DELETED, task_state=None, power_state=PowerState.NOSTATE
    )
    yield compute.draw(compute.profile.delete_visible)
    instance.process = None
    del compute.instances[instance.instance_id]
    compute.gone[instance.instance_id] = instance


def stop(compute: ComputeBase, instance: Instance, action: Action) -> Steps:
    """ACTIVE/powering-off, then SHUTOFF."""
    event = compute.begin_event(action, "compute_stop_instance", instance.host or "")
    if compute.is_off(instance.host):
        yield FOREVER
    yield compute.draw(compute.profile.stop)
    compute.set_guest(instance, up=False)
    compute.end_event(action, event)
    compute.set_state(
        instance, vm_state=VmState.STOPPED, task_state=None, power_state=PowerState.SHUTDOWN
    )


def start(compute: ComputeBase, instance: Instance, action: Action) -> Steps:
    """SHUTOFF/powering-on, then ACTIVE; the ports are DOWN in between."""
    event = compute.begin_event(action, "compute_start_instance", instance.host or "")
    if compute.is_off(instance.host):
        yield FOREVER
    set_ports(compute, instance, "DOWN")
    yield compute.draw(compute.profile.start)
    set_ports(compute, instance, "ACTIVE")
    compute.set_guest(instance, up=True)
    compute.end_event(action, event)
    compute.set_state(
        instance, vm_state=VmState.ACTIVE, task_state=None, power_state=PowerState.RUNNING
    )


def pause(compute: ComputeBase, instance: Instance, action: Action) -> Steps:
    """ACTIVE/pausing, then PAUSED."""
    event = compute.begin_event(action, "compute_pause_instance", instance.host or "")
    if compute.is_off(instance.host):
        yield FOREVER
    yield compute.draw(compute.profile.stop)
    compute.set_guest(instance, up=False)
    compute.end_event(action, event)
    compute.set_state(
        instance, vm_state=VmState.PAUSED, task_state=None, power_state=PowerState.PAUSED
    )


def unpause(compute: ComputeBase, instance: Instance, action: Action) -> Steps:
    """PAUSED/unpausing, then ACTIVE."""
    event = compute.begin_event(action, "compute_unpause_instance", instance.host or "")
    if compute.is_off(instance.host):
        yield FOREVER
    yield compute.draw(compute.profile.start)
    compute.set_guest(instance, up=True)
    compute.end_event(action, event)
    compute.set_state(
        instance, vm_state=VmState.ACTIVE, task_state=None, power_state=PowerState.RUNNING
    )


def reboot(compute: ComputeBase, instance: Instance, hard: bool, action: Action) -> Steps:
    """REBOOT or HARD_REBOOT, then ACTIVE; the guest does not execute from ``reboot_started`` on."""
    event = compute.begin_event(action, "compute_reboot_instance", instance.host or "")
    if compute.is_off(instance.host):
        yield FOREVER
    whole = compute.draw(compute.profile.reboot_hard if hard else compute.profile.reboot_soft)
    yield whole * 0.2
    compute.set_state(
        instance, task_state=TaskState.REBOOT_STARTED_HARD if hard else TaskState.REBOOT_STARTED
    )
    compute.set_guest(instance, up=False)
    if hard:
        set_ports(compute, instance, "DOWN")
    yield whole * 0.8
    if hard:
        set_ports(compute, instance, "ACTIVE")
    compute.set_guest(instance, up=True)
    compute.end_event(action, event)
    compute.set_state(
        instance, vm_state=VmState.ACTIVE, task_state=None, power_state=PowerState.RUNNING
    )
