"""Waiting for an instance: its milestones, its first connection, and a boot that fails."""

import socket
from dataclasses import dataclass

import pytest

from nitro.errors import ProbeError
from nitro.probe.boot import BootFailed, Watch, wait
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


def watch(clock, console, address=None, **more):
    return Watch(
        console, address, launched=90.0, clock=clock, sleep=clock.sleep, started=1e9, **more
    )


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
    result = wait(watch(clock, console_of(clock, again), ports=[80]), deadline=60)
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
    with pytest.raises(BootFailed) as failure:
        wait(watch(clock, console_of(clock, LINES[:2])), deadline=30)
    assert clock.now == pytest.approx(130, abs=0.2)
    assert str(failure.value) == "boot: no `ready` on the console within 30 s"
    assert NOISE in failure.value.console
    assert '"nitro":"driver"' in failure.value.console


def test_the_console_is_read_once_a_second_and_the_port_tried_more_often():
    clock, reads = Clock(), []

    def console():
        reads.append(clock.now)
        return ""

    with pytest.raises(BootFailed):
        wait(watch(clock, console), deadline=10)
    assert len(reads) in (10, 11)


def test_a_silent_console_is_no_other_case():
    clock = Clock()
    with pytest.raises(BootFailed, match="within 5 s") as failure:
        wait(watch(clock, lambda: ""), deadline=5)
    assert failure.value.console == ""


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


def ended(status, uptime=2.5, *, restart=False, output="said before"):
    again = "true" if restart else "false"
    return [
        output,
        f'{{"nitro":"exit","uptime":{uptime},"code":{status},"restart":{again}}}',
    ]


def test_a_program_that_ends_has_failed_although_it_was_ready():
    clock = Clock()
    lines = [*LINES, *ended(3)]
    with pytest.raises(
        BootFailed, match=r"the program ended with status 3 after 0\.4 s"
    ) as failure:
        wait(watch(clock, console_of(clock, lines)), deadline=60)
    assert failure.value.console == "said before"
    assert failure.value.hint is None


def test_a_program_that_ends_well_is_told_how_to_be_meant_so():
    clock = Clock()
    with pytest.raises(ProbeError, match="service = false"):
        wait(watch(clock, console_of(clock, [*LINES, *ended(0)])), deadline=60)


def test_a_program_that_is_meant_to_end_is_waited_for():
    clock = Clock()
    lines = [*LINES, NOISE, NOISE, *ended(0)]
    result = wait(watch(clock, console_of(clock, lines), ends=True), deadline=60)
    assert clock.now >= 100 + len(lines)
    assert result.ok


def test_a_program_that_is_meant_to_end_must_end_well_and_in_time():
    clock = Clock()
    with pytest.raises(ProbeError, match="ended with status 3"):
        wait(watch(clock, console_of(clock, [*LINES, *ended(3)]), ends=True), deadline=60)
    with pytest.raises(ProbeError, match=r"no end of the program within 20 s; .*boot:seconds"):
        wait(watch(Clock(), lambda: "\n".join(LINES), ends=True), deadline=20)


def test_a_crash_loop_is_known_at_the_third_quick_end():
    clock = Clock()
    once = [LINES[-2], *ended(1, restart=True)]
    with pytest.raises(ProbeError, match=r"ended with status 1 after 0\.4 s, as 3 times by now"):
        wait(watch(clock, console_of(clock, once * 9), ports=[80]), deadline=180)
    assert clock.now < 112


def test_a_lack_of_memory_names_a_larger_machine():
    clock = Clock()
    start = '{"nitro":"start","uptime":2.1,"command":"hog","memory_kib":491520,"free_kib":409600}'
    killed = (
        "[  9.1] Out of memory: Killed process 84 (hog) total-vm:922000kB, anon-rss:405504kB, "
        "file-rss:4kB, shmem-rss:0kB, UID:0"
    )
    lines = [start, *ended(137, output=killed)]
    with pytest.raises(ProbeError, match="killed for lack of memory") as failure:
        wait(watch(clock, console_of(clock, lines), larger=lambda mib: f"{mib} more"), deadline=60)
    assert failure.value.hint == "512 more"


def test_a_panic_is_not_waited_for():
    clock = Clock()
    panic = "[    7.911402] Kernel panic - not syncing: VFS: Unable to mount root fs"
    with pytest.raises(ProbeError, match="the kernel panicked: VFS: Unable to mount root fs"):
        wait(watch(clock, console_of(clock, [*LINES[:1], panic])), deadline=60)
    assert clock.now < 105


LISTENING = '{"nitro":"listening","uptime":8,"sockets":["0100007F:0050"],"ipv6_only":[]}'


def test_what_the_program_listens_on_instead_is_said():
    clock = Clock()
    lines = [*LINES[:-1], LISTENING]
    with pytest.raises(ProbeError, match=r"no `ready` .* listens on 127\.0\.0\.1:80, which only"):
        wait(watch(clock, console_of(clock, lines), ports=[80]), deadline=30)


def test_ipv6_alone_is_said_at_once_where_a_connection_is_wanted():
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = ("127.0.0.1", server.getsockname()[1])
    port = address[1]
    only = f'{{"nitro":"listening","uptime":8,"sockets":[],"ipv6_only":[{port}]}}'
    with pytest.raises(ProbeError, match=rf"no connection to .* port {port} for IPv6 only"):
        wait(watch(clock, console_of(clock, [*LINES, only]), address, ports=[port]), deadline=60)
    assert clock.now < 120
