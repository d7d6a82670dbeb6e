"""The recipes that come with nitro, booted."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lab.image import DEADLINE, Booted, booted
from nitro import recipe
from nitro.debian import Wanted, tree
from nitro.image import build
from nitro.local import qemu

pytestmark = [pytest.mark.boot, pytest.mark.slow]


@pytest.mark.parametrize("boot_mode", ["legacy-bios", "uefi"])
def test_bench_boots_to_its_three_servers(tmp_path: Path, boot_mode: str) -> None:
    image = build(recipe.load("bench").model_copy(update={"boot_mode": boot_mode}))
    with booted(image, tmp_path, boot_mode=boot_mode) as machine:
        assert machine.wait_for("ready").fields["ports"] == [5201, 12865, 80]
        page = machine.get(80)
        assert page.startswith("HTTP/1.0 200 OK")
        assert (recipe.load("bench").folder / "bench/index.html").read_text() in page
        _iperf3_runs_twice(machine)
        with machine.connect(12865):
            pass  # netserver takes a connection
        assert '"nitro":"exit"' not in machine.console
        assert '"nitro":"fail"' not in machine.console


def _iperf3_runs_twice(machine: Booted) -> None:
    """A real client, twice, for the server must live on after a test."""
    client = tree(Wanted(recipe.load("bench").packages)).program("iperf3")
    argv = [*client, "-c", "127.0.0.1", "-p", str(machine.ports[5201]), "-t", "1", "--json"]
    for direction in ([], ["--reverse"]):
        told = _run([*argv, *direction])
        assert "error" not in told, f"{told['error']}\n{machine.console}"
        assert told["end"]["sum_received"]["bytes"] > 1_000_000


def _run(argv: list[str]) -> dict[str, Any]:
    """What iperf3 tells. Between two tests its server does not listen for a moment."""
    for _ in range(5):
        done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
        told: dict[str, Any] = json.loads(done.stdout)
        if "error" not in told:
            break
        time.sleep(1)
    return told


def test_milestones_come_in_order(tmp_path: Path) -> None:
    with booted(build(recipe.load("bench")), tmp_path) as machine:
        machine.wait_for("ready")
        names = ["kernel", "driver", "link", "address", "start", "ready"]
        found = [machine.wait_for(name) for name in names]
        times = [m.uptime for m in found if m.uptime is not None]
        assert times == sorted(times)
        kernel, driver, link, address, start, _ = found
        assert "cloud-amd64" in kernel.fields["release"]
        assert driver.fields == {
            "interface": "eth0",
            "driver": "virtio_net",
            "kind": "kernel",
            "version": kernel.fields["release"],
        }
        assert link.fields["mac"] == "52:54:00:12:34:56"
        assert address.fields["ipv4"] == "10.0.2.15/24"
        assert start.fields["command"] == "/usr/bin/servers"


def test_hello_says_so_and_powers_off(tmp_path: Path) -> None:
    with booted(build(recipe.load("hello")), tmp_path) as machine:
        machine.wait_for_end()
        assert "Hello from Linux 6." in machine.console
        assert machine.wait_for("exit").fields["code"] == 0
        assert machine.process.returncode == 0


def test_httpd_serves_its_folder(tmp_path: Path) -> None:
    with booted(build(recipe.load("httpd")), tmp_path) as machine:
        machine.wait_for("ready")
        assert "Copy <code>httpd.toml</code>" in machine.get(80)


def test_client_has_its_tools(tmp_path: Path) -> None:
    """Without user data there is no plan: the client says so and powers off."""
    with booted(build(recipe.load("client")), tmp_path) as machine:
        machine.wait_for_end()
        assert machine.wait_for("exit").fields["code"] != 0


def test_power_button_ends_the_machine_cleanly(tmp_path: Path) -> None:
    """As stopping an instance presses it."""
    with booted(build(recipe.load("httpd")), tmp_path) as machine:
        machine.wait_for("ready")
        end = time.monotonic() + DEADLINE
        while machine.process.poll() is None:
            # Again and again: the button's driver loads beside the program.
            assert time.monotonic() < end, f"still running:\n{machine.console}"
            with contextlib.suppress(OSError, ValueError):  # it may be gone meanwhile
                _press(machine)
            time.sleep(1)
        assert "reboot: Power down" in machine.console


def _press(machine: Booted) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        qemu.connect(control, machine.folder, "qmp")
        with control.makefile("rw") as channel:
            channel.readline()
            for command in ("qmp_capabilities", "system_powerdown"):
                channel.write(json.dumps({"execute": command}) + "\n")
                channel.flush()
                while "return" not in json.loads(channel.readline()):
                    pass


def test_program_that_ends_is_started_again_ever_more_slowly(tmp_path: Path) -> None:
    (tmp_path / "again.toml").write_text(
        'command = ["/bin/sh", "-c", "echo once more; exit 3"]\non_exit = "restart"\n'
    )
    with booted(build(recipe.load(tmp_path / "again.toml")), tmp_path) as machine:
        end = time.monotonic() + DEADLINE
        while machine.console.count("once more") < 3 and time.monotonic() < end:
            time.sleep(0.2)
        assert machine.console.count("once more") >= 3
        assert machine.wait_for("exit").fields["code"] == 3
        assert machine.process.poll() is None


def test_fits_into_the_memory_that_it_asks_for(tmp_path: Path) -> None:
    image = build(recipe.load("bench"))
    assert image.minimum_memory_mib <= 256
    assert image.size_bytes <= 20_000_000
    with booted(image, tmp_path) as machine:
        machine.wait_for("ready")
        assert machine.get(80).startswith("HTTP/1.0 200 OK")


def test_qemu_is_provided() -> None:
    assert qemu.find().version >= (10, 1)


def test_kernel_of_another_suite(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(
        'suite = "bookworm"\ncommand = ["/bin/sh", "-c", "echo on $(uname -r)"]\n'
    )
    with booted(build(recipe.load(tmp_path / "old.toml")), tmp_path) as machine:
        machine.wait_for_end()
        assert "on 6.1.0-" in machine.console
        assert machine.wait_for("address").fields["ipv4"] == "10.0.2.15/24"
