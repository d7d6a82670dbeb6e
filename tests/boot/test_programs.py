"""Programs that nobody here wrote, deployed as they are and answered by their own clients."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from nitro import debian
from nitro.paths import resource

from .commands import Nitro, eventually

pytestmark = pytest.mark.boot


def redis(address: str) -> None:
    cli = debian.tree(debian.Wanted(("redis-tools",))).program("redis-cli")

    def ask(*words: str) -> str:
        command = [*cli, "-h", address, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert eventually(lambda: ask("PING") == "PONG")
    assert ask("SET", "key", "kept in the guest") == "OK"
    assert ask("GET", "key") == "kept in the guest"
    assert "os:Linux" in ask("INFO", "server")


def nginx(address: str) -> None:
    curl = debian.tree(debian.Wanted(("curl",))).program("curl")
    done = subprocess.run(
        [*curl, "--silent", "--show-error", "--include", "--retry", "5", f"http://{address}/"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Server: nginx/1." in done.stdout


def python(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}:8000/passwd", timeout=10) as answer:
        assert answer.headers["Server"].startswith("SimpleHTTP/0.6 Python/3.")
        assert b"root:" in answer.read()


def gojq(address: str) -> None:
    with socket.create_connection((address, 7000), timeout=10) as client:
        client.sendall(b'{ "b": [1, 2],\n "a": null }\n')
        client.shutdown(socket.SHUT_WR)
        answer = client.makefile("rb").read()
    assert json.loads(answer) == {"a": None, "b": [1, 2]}
    assert answer.strip() == b'{"a":null,"b":[1,2]}'


@pytest.mark.parametrize("ask", [redis, nginx, python, gojq], ids=lambda ask: ask.__name__)
def test_a_short_recipe_is_enough(nitro: Nitro, ask: Callable[[str], None]):
    recipe = resource("amis") / f"examples/{ask.__name__}.toml"
    assert len(recipe.read_text().splitlines()) <= 6
    kept = nitro.json("launch", str(recipe), "--instance", "c5.large")
    try:
        ask(kept["instance"]["public_ip"])
    finally:
        nitro.run("destroy", kept["deployment"])
    assert nitro.left() == []


def test_a_path_to_a_program_is_enough(nitro: Nitro):
    busybox = debian.tree(debian.Wanted(("busybox-static",))).path("/usr/bin/busybox")
    words = ("launch", str(busybox), "--instance", "t3.micro", "--port", "8080")
    kept = nitro.json(*words, "--env", "HOME=/", "--", "httpd", "-f", "-p", "8080", "-h", "/etc")
    try:
        with urllib.request.urlopen(
            f"http://{kept['instance']['public_ip']}:8080/group", timeout=10
        ) as answer:
            assert b"root:" in answer.read()
    finally:
        nitro.run("destroy", kept["deployment"])
    assert Path(kept["image"]["path"]).is_file()
