"""Waiting for an instance: its milestones, its first connection, and a boot that fails."""

import socket
from dataclasses import dataclass

import pytest

from nitro.errors import ProbeError
from nitro.probe.boot import Watch, wait
from nitro.probe.result import Metric

LINES = [
    '{"nitro":"kernel","uptime":0.9,"release":"6.12"}',
    '{"nitro":"driver","uptime":1.2,"interface":"eth0","driver":"ena","kind":"kernel"}',
    '{"nitro":"link","uptime":1.5,"interface":"eth0"}',
    '{"nitro":"address","uptime":2.0,"ipv4":"10.0.0.10/24","ipv6":null}',
    '{"nitro":"start","uptime":2.1,"command":"serve"}',
    '{"nitro":"ready","uptime":2.4,"ports":[80]}',
]
NOISE = "[  1.3] a kernel message"


@dataclass
class Clock:
    """Time that passes only while someone sleeps."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watch(clock, console, address=None):
    return Watch(console, address, launched=90.0, clock=clock, sleep=clock.sleep, started=1e9)


def console_of(clock, lines):
    """A console on which one more line stands each second."""
    return lambda: "\r\n".join([NOISE, *lines[: int(clock.now - 100)]]) + "\r\n"


def test_milestones_become_metrics_by_the_guests_clock():
    clock = Clock()
    result = wait(watch(clock, console_of(clock, LINES)), deadline=60)
    assert result.ok
    assert {name: metric.value for name, metric in result.metrics.items()} == {
        "boot_kernel": 0.9,
        "boot_driver": 1.2,
        "boot_link": 1.5,
        "boot_address": 2.0,
        "boot_start": 2.1,
        "boot_ready": 2.4,
    }
    assert {metric.unit for metric in result.metrics.values()} == {"s"}
    assert NOISE in result.raw
    assert result.started == 1e9
    assert result.seconds == pytest.approx(clock.now - 90, abs=0.01)


def test_a_program_that_starts_again_counts_once():
    clock = Clock()
    again = [*LINES[:-1], '{"nitro":"start","uptime":3.0,"command":"serve"}', LINES[-1]]
    result = wait(watch(clock, console_of(clock, again)), deadline=60)
    assert result.metrics["boot_start"] == Metric(2.1, "s", "less")


def test_the_first_connection_counts_from_the_launch():
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
        result = wait(watch(clock, console_of(clock, LINES), address), deadline=60)
    assert result.metrics["boot_first_connection"] == Metric(10.0, "s", "less")


def test_ready_alone_is_not_enough_where_a_connection_is_wanted():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
    clock = Clock()
    with pytest.raises(ProbeError, match=r"no connection to 127\.0\.0\.1 port \d+ within 20 s"):
        wait(watch(clock, console_of(clock, LINES), address), deadline=20)


def test_an_instance_that_never_boots_shows_its_console():
    clock = Clock()
    with pytest.raises(ProbeError) as failure:
        wait(watch(clock, console_of(clock, LINES[:2])), deadline=30)
    assert clock.now == pytest.approx(130, abs=0.2)
    text = str(failure.value)
    assert text.startswith("boot: no `ready` on the console within 30 s; its console ends:")
    assert NOISE in text
    assert '"nitro":"driver"' in text


def test_a_silent_console_is_named():
    clock = Clock()
    with pytest.raises(ProbeError, match="within 5 s; its console is empty"):
        wait(watch(clock, lambda: ""), deadline=5)


def test_a_guest_that_failed_is_not_waited_for():
    clock = Clock()
    failed = [*LINES[:2], '{"nitro":"fail","uptime":7,"what":"no address by DHCP"}']
    with pytest.raises(ProbeError, match="the guest failed: no address by DHCP"):
        wait(watch(clock, console_of(clock, failed)), deadline=60)
    assert clock.now < 105


def test_a_console_that_raises_ends_the_wait():
    def gone():
        raise ProbeError("the instance has ended")

    with pytest.raises(ProbeError, match="has ended"):
        wait(watch(Clock(), gone), deadline=60)
