"""The stand-in that runs nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nitro.local.hypervisor import Disk, Guest, Network, NullHypervisor, PortRange, State

GUEST = Guest(
    instance_id="i-1",
    image_id="ami-1",
    instance_type="c5.large",
    architecture="x86_64",
    boot_mode="legacy-bios",
    vcpus=2,
    memory_mib=4096,
    disks=(Disk("/dev/xvda", 1 << 30, "snap-1"),),
    network=Network("subnet-1", "vpc-1", "10.0.0.0/24"),
    mac="02:00:00:00:00:01",
    private_ip="10.0.0.4",
    public_ip="127.42.0.1",
)


def test_a_guest_runs_until_it_is_stopped() -> None:
    hypervisor = NullHypervisor()
    hypervisor.start(GUEST)
    assert hypervisor.status("i-1").state is State.RUNNING
    hypervisor.stop("i-1")
    assert hypervisor.status("i-1").state is State.OFF


def test_a_hypervisor_can_be_told_to_fail() -> None:
    hypervisor = NullHypervisor(fails="no memory")
    hypervisor.start(GUEST)
    status = hypervisor.status("i-1")
    assert (status.state, status.reason) == (State.FAILED, "no memory")


def test_a_console_is_cleared_by_a_reboot() -> None:
    hypervisor = NullHypervisor()
    hypervisor.start(GUEST)
    hypervisor.write_console("i-1", b"hello")
    assert hypervisor.console("i-1") == b"hello"
    hypervisor.reboot("i-1")
    assert hypervisor.console("i-1") == b""


def test_what_a_guest_is_told_is_replaced() -> None:
    hypervisor = NullHypervisor()
    hypervisor.start(GUEST)
    ports = frozenset({PortRange("tcp", 80, 80)})
    hypervisor.update(replace(GUEST, open_ports=ports))
    assert hypervisor.guests["i-1"].guest.open_ports == ports


def test_strangers_are_unknown() -> None:
    with pytest.raises(KeyError):
        NullHypervisor().status("i-2")
