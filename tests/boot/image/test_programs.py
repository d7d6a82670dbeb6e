"""Programs that no one here wrote, from Debian: each by its path or a recipe of a few lines."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lab.image import DEADLINE, booted
from nitro import recipe
from nitro.console import milestones
from nitro.debian import Wanted, tree
from nitro.image import build
from nitro.image.linux.trace import missing_files
from nitro.local.nic import UserNic
from nitro.paths import resource
from nitro.ports import Forward, Port
from nitro.strace import calls, totals

pytestmark = [pytest.mark.boot, pytest.mark.slow]

EXAMPLES = resource("amis") / "examples"


def test_redis_answers_its_own_client(tmp_path: Path) -> None:
    with booted(build(recipe.load(EXAMPLES / "redis.toml")), tmp_path) as machine:
        machine.wait_for("ready")
        client = tree(Wanted(("redis-tools",))).program("redis-cli")
        argv = [*client, "-p", str(machine.ports[6379])]

        def ask(*words: str) -> str:
            done = subprocess.run(
                [*argv, *words], capture_output=True, text=True, timeout=30, check=True
            )
            return done.stdout.strip()

        assert ask("SET", "key", "a value") == "OK"
        assert ask("GET", "key") == "a value"


def test_redis_by_path_from_another_root(tmp_path: Path) -> None:
    """`nitro build PROGRAM` where the program's root is not this machine's."""
    root = tree(Wanted(("redis-server",))).root
    made = recipe.for_program(
        root / "usr/bin/redis-server",
        ports=[Port("tcp", 6379)],
        arguments=["--protected-mode", "no", "--save", ""],
        sysroot=root,
    )
    with booted(build(made), tmp_path) as machine:
        machine.wait_for("ready")
        assert machine.ask(6379, b"PING\r\n") == b"+PONG\r\n"


def test_nginx(tmp_path: Path) -> None:
    with booted(build(recipe.load(EXAMPLES / "nginx.toml")), tmp_path) as machine:
        machine.wait_for("ready")
        assert "nginx on nginx" in machine.get(80)


def test_static_go_program(tmp_path: Path) -> None:
    image = build(recipe.load(EXAMPLES / "gojq.toml"))
    with booted(image, tmp_path) as machine:
        machine.wait_for("ready")
        assert machine.ask(7000, b'{"b": [1, 2]}') == b'{"b":[1,2]}\n'


def test_python_with_its_standard_library(tmp_path: Path) -> None:
    with booted(build(recipe.load(EXAMPLES / "python.toml")), tmp_path) as machine:
        machine.wait_for("ready")
        assert "root:x:0:0" in machine.get(8000, "/passwd")


def test_program_of_this_machine(tmp_path: Path) -> None:
    """By path, dynamic, with the libraries that this machine has."""
    made = recipe.for_program(
        Path("/usr/bin/env"), arguments=["sh", "-c", "echo $WHO"], env={"WHO": "it's me"}
    )
    with booted(build(made), tmp_path) as machine:
        machine.wait_for_end()
        assert "it's me" in machine.console.splitlines()


UDP_ECHO = """
import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("", 5300))
while True:
    server.sendto(*server.recvfrom(100))
"""


def test_datagrams_reach_a_forwarded_port(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(UDP_ECHO)
    echo = tmp_path / "echo.toml"
    echo.write_text("""
packages = ["python3"]
programs = ["/usr/bin/python3"]
files = ["/usr/lib/python3.13", { source = "echo.py", path = "/srv/echo.py" }]
command = ["/usr/bin/python3", "/srv/echo.py"]
ports = ["udp:5300"]
""")
    with socket.socket(type=socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        outside = free.getsockname()[1]
    cards = (UserNic([Forward("udp", outside, 5300)]).card,)
    with (
        booted(build(recipe.load(echo)), tmp_path, cards=cards) as machine,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        machine.wait_for("ready")
        client.connect(("127.0.0.1", outside))
        client.settimeout(1)
        for _ in range(20):  # "ready" does not wait for UDP servers
            client.send(b"anyone there?")
            with contextlib.suppress(TimeoutError, ConnectionError):
                assert client.recv(100) == b"anyone there?"
                break
        else:
            pytest.fail(f"no answer:\n{machine.console}")


def test_files_that_a_program_seeks_in_vain(tmp_path: Path) -> None:
    made = recipe.for_program(Path("/bin/cat"), arguments=["/etc/hosts", "/srv/not there"])
    with booted(build(made, trace=True), tmp_path, memory_mib=512) as machine:
        machine.wait_for_end()
        assert "127.0.0.1 localhost" in machine.console
        assert machine.wait_for("exit").fields["code"] == 1
        assert "/srv/not there" in missing_files(machine.console)
        assert "/etc/hosts" not in missing_files(machine.console)


def test_system_calls_of_a_traced_program(tmp_path: Path) -> None:
    made = recipe.for_program(Path("/bin/cat"), arguments=["/etc/hosts", "/srv/not there"])
    traced = recipe.with_trace(made, "open")
    with booted(build(traced), tmp_path, memory_mib=512) as machine:
        machine.wait_for_end()
        assert machine.wait_for("exit").fields["code"] == 1
        [total] = totals(calls(machine.console))
    assert total.name == "openat"
    assert total.count > total.errors >= 1
    assert total.seconds is not None


def test_no_port_is_tried_once_somebody_was_let_in(tmp_path: Path) -> None:
    """A trial could take the port of a server that listens anew after each connection, as iperf3
    does. Here one would find a port of IPv6 only."""
    program = tmp_path / "serve"
    program.write_text(
        "#!/bin/sh\necho 1 >/proc/sys/net/ipv6/bindv6only\n"
        "{ sleep 1; echo | nc ::1 8080; sleep 8; echo that is all; } &\n"
        "exec httpd -f -p [::]:8080 -h /run/lock\n"
    )
    program.chmod(0o755)
    made = recipe.for_program(program, ports=[Port("tcp", 8080)])
    with booted(build(made), tmp_path) as machine:
        machine.wait_for("ready")
        end = time.monotonic() + DEADLINE
        while "that is all" not in machine.console and time.monotonic() < end:
            time.sleep(0.2)
        said = [milestone.name for milestone in milestones(machine.console)]
    assert "that is all" in machine.console
    assert said[-1] == "ready"
