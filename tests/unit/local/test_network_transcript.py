"""What the local network asks of the kernel and of dnsmasq, and tells guests, as transcripts."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro import debian
from nitro.errors import NitroError
from nitro.local import dnsmasq, link, nic, subnet
from nitro.local.hypervisor import Network
from nitro.ports import Forward
from tests.stand_ins import refuse
from tests.transcripts import compare
from tests.unit.local.told import Told

pytestmark = pytest.mark.extended
HERE = Path(__file__).parent / "transcripts"
TAP = 9999
ALL = ("add_bridge", "delete_bridge", "attach", "open_tap", "bring_up", "add_ipv4", "add_ipv6")


def test_requests_to_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    flags = [0x1003]
    refused: dict[int, int] = {}
    opened: list[str] = []

    class Control:
        def __init__(self, *kind: int) -> None:
            opened.append(f"{kind}")

        def __enter__(self) -> str:
            return "control"

        def __exit__(self, *_: object) -> None:
            opened.pop()

    def answer(_: object, number: int, request: Any) -> Any:
        assert len(opened) <= 1
        if number in refused:
            raise OSError(refused[number], os.strerror(refused[number]))
        if number == 0x8913:
            return request[:16] + struct.pack("=H22x", flags[-1])
        if number == 0x8914:
            flags.append(struct.unpack_from("=H", request, 16)[0])
        return request

    monkeypatch.setattr(socket, "socket", Control)
    monkeypatch.setattr(fcntl, "ioctl", told.stand_in("ioctl", answer))
    monkeypatch.setattr(socket, "if_nametoindex", told.stand_in("index", lambda name: len(name)))
    monkeypatch.setattr(os, "open", told.stand_in("open", lambda *_: 17))
    monkeypatch.setattr(os, "close", told.stand_in("close"))
    monkeypatch.setattr(Path, "write_text", told.stand_in("write"))
    for state in (0x1002, 0x1003, 0, 0xFFFF):
        flags.append(state)
        told.outcome(f"up from {state:#x}", link.bring_up, "br0")
        told.note(f"    {flags[-1]:#x}")
        flags.append(state)
        told.outcome(f"down from {state:#x}", link.bring_down, "br0")
        told.note(f"    {flags[-1]:#x}")
    for name in ("a", "a" * 15, "a" * 16, "ä" * 8, "ä" * 7):
        told.outcome(f"a bridge {name}", link.add_bridge, name, "02:00:0a:00:00:01", 1500)
        told.outcome("goes", link.delete_bridge, name)
        told.outcome("a tap", link.open_tap, name)
        told.outcome("with an MTU", link.open_tap, name, 1400)
        told.outcome("a port", link.attach, name, "tap1")
        told.outcome("an address", link.add_ipv4, name, ipaddress.IPv4Interface("10.1.2.3/20"))
        address = ipaddress.IPv6Interface("fd00::1:2/64")
        told.outcome("another", link.add_ipv6, name, address)
    told.outcome("a bridge as by default", link.add_bridge, "br1", "02:00:0a:00:00:01")
    for number in (errno.EEXIST, errno.EPERM, errno.ENODEV):
        refused[0x8916] = number
        address = ipaddress.IPv6Interface("fd00::1/64")
        told.outcome(f"IPv6, {number}", link.add_ipv6, "br0", address)
        told.outcome(f"IPv4, {number}", link.add_ipv4, "br0", ipaddress.IPv4Interface("10.0.0.1/8"))
    for request in (0x400454CA, 0x8922, 0x8914):
        refused[request] = errno.EPERM
        told.outcome(f"a tap, refused {request:#x}", link.open_tap, "tap0")
    for number in (errno.ENOENT, errno.EACCES):
        monkeypatch.setattr(os, "open", refuse(number))
        told.outcome("a tap without the device", link.open_tap, "tap0")
    for text in ("0.0.0.0", "10.1.2.255", "255.255.255.255"):
        told.note(f"{text}: {link.mac_of(text)}")
    monkeypatch.undo()
    compare(HERE / "link.txt", told.text)


class Process:
    """A process of which all is noted."""

    def __init__(self, told: Told, codes: list[int | None] | None = None) -> None:
        self.codes = codes if codes is not None else [None]
        for name in ("terminate", "kill", "wait", "send_signal"):
            setattr(self, name, told.stand_in(name, lambda *_, **__: 0))

    def poll(self) -> int | None:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]


def test_dnsmasq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    codes: list[int | None] = [None]
    tries = [0]
    now = [0.0]

    def connect(*_: Any, **__: Any) -> Any:
        tries[0] += 1
        now[0] += 4.0
        if tries[0] % 3:
            raise OSError(errno.ECONNREFUSED, "refused")
        return SimpleNamespace(close=told.stand_in("close"))

    def started(*_: Any, **__: Any) -> Process:
        return Process(told, codes)

    tree = SimpleNamespace(program=told.stand_in("program", lambda name: ["/deb", name]))
    monkeypatch.setattr(debian, "tree", told.stand_in("tree", lambda *_, **__: tree))
    monkeypatch.setattr(subprocess, "Popen", told.stand_in("Popen", started))
    monkeypatch.setattr(socket, "create_connection", told.stand_in("connect", connect))
    monkeypatch.setattr(time, "sleep", told.stand_in("sleep"))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    (tmp_path / "leases").write_text("old")
    ipv4, ipv6 = ipaddress.IPv4Interface("10.0.0.1/24"), ipaddress.IPv6Interface("fd00::1/64")

    def make() -> dnsmasq.Dnsmasq:
        names = {"a.example": "1.2.3.4", "b.example": "1.2.3.5"}
        return dnsmasq.Dnsmasq("br0", ipv4, ipv6, tmp_path, names, "ec2.internal")

    made = told.outcome("start", make)
    told.note((tmp_path / "dnsmasq.conf").read_text())
    told.note(f"{sorted(path.name for path in tmp_path.iterdir())}")
    for number in (1, 2, 1):
        host = dnsmasq.Host(f"02:00:00:00:00:0{number}", f"10.0.0.{number}", "fd00::4", "ip-4")
        told.outcome(f"admit {number}", made.admit, host)
        told.note((tmp_path / "hosts").read_text())
    for mac in ("02:00:00:00:00:01", "02:00:00:00:00:09"):
        told.outcome(f"dismiss {mac}", made.dismiss, mac)
        told.note((tmp_path / "hosts").read_text())
    codes[:] = [1, None]
    told.outcome("admit when it has ended", made.admit, host)
    told.note(f"{made.helper.name} {made.helper.log.name}")
    told.outcome("close", made.close)
    codes[:] = [None, 1, 1]
    told.outcome("one that ends", make)
    codes[:] = [None]
    tries[0] = -100
    told.outcome("one that does not answer", make)
    monkeypatch.undo()
    compare(HERE / "dnsmasq.txt", told.text)


def test_subnets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    fails: list[str] = []

    def answer(name: str) -> Callable[..., Any]:
        def run(*_: Any, **__: Any) -> Any:
            if name in fails:
                raise NitroError(f"no {name}")
            return 17 if name == "open_tap" else None

        return run

    for name in ALL:
        monkeypatch.setattr(link, name, told.stand_in(name, answer(name)))

    class Dns:
        helper = "a helper"

        def __init__(self, *args: Any) -> None:
            told.stand_in("Dnsmasq", answer("Dnsmasq"))(*args[:4], len(args[4]), *args[5:])
            for name in ("admit", "dismiss", "close"):
                setattr(self, name, told.stand_in(name, answer(name)))

    monkeypatch.setattr(subnet, "Dnsmasq", Dns)
    monkeypatch.setattr(os, "close", told.stand_in("close descriptor"))
    monkeypatch.setattr(Path, "write_text", told.stand_in("write"))
    subnets = told.outcome("all subnets", subnet.Subnets, tmp_path)

    def network(number: int, cidr: str) -> Network:
        return Network(f"subnet-{number}", "vpc-1", cidr, domain=f"d{number}")

    def plug(number: int, cidr: str, ip: str) -> Any:
        mac = f"02:00:{ip.rpartition('.')[2]}"
        found = told.outcome(
            f"plug {number} {cidr} {ip}", subnets.plug, network(number, cidr), "tap1", mac, ip
        )
        if found:
            told.note(f"    idle {found[0].idle}, {found[0].cidr}, {found[0].helper}")
        return found and found[0]

    first = plug(1, "10.0.0.0/24", "10.0.0.4")
    plug(1, "10.0.0.0/24", "10.0.0.255")
    second = plug(2, "10.0.1.0/28", "10.0.1.14")
    plug(3, "10.0.0.0/16", "10.0.3.4")
    for mac in ("02:00:4", "02:00:255", "02:00:9"):
        told.outcome(f"unplug {mac}", first.unplug, mac)
        told.note(f"    idle {first.idle}")
    plug(3, "10.0.0.0/16", "10.0.3.4")
    told.outcome("unplug", second.unplug, "02:00:14")
    third = plug(3, "10.0.0.0/16", "10.0.3.4")
    plug(1, "10.0.0.0/24", "10.0.0.4")
    third.unplug("02:00:4")
    for name in ("Dnsmasq", "add_ipv4", "add_ipv6", "open_tap", "attach", "add_bridge"):
        fails[:] = [name]
        plug(4, "10.9.0.0/24", "10.9.0.4")
    fails[:] = []
    plug(4, "10.9.0.0/24", "10.9.0.4")
    for name in ("", "subnet-1", "subnet-2", "ä"):
        told.note(f"{name}: {subnet.unique_local_prefix(name)}")
    monkeypatch.undo()
    compare(HERE / "subnets.txt", told.text)


def test_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(tmp_path)
    socket_file = tmp_path / "ena"
    codes: list[int | None] = [None]
    now = [0.0]

    def started(*_: Any, **__: Any) -> Process:
        socket_file.touch()
        return Process(told, codes)

    def slept(seconds: float) -> None:
        now[0] += 11

    monkeypatch.setattr(sys, "executable", "python")
    monkeypatch.setattr(subprocess, "Popen", told.stand_in("Popen", started))
    closing = os.close
    close = told.stand_in("close")
    monkeypatch.setattr(os, "close", lambda fd: close(fd) if fd == TAP else closing(fd))
    monkeypatch.setattr(time, "sleep", told.stand_in("sleep", slept))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def make(**more: Any) -> Any:
        given: dict[str, Any] = {
            "profile": "c5.large",
            "folder": tmp_path,
            "console": tmp_path / "console",
        }
        card = nic.EnaNic(TAP, "02:00:00:00:00:01", **(given | more))
        told.note(f"    {card.name}; {card.card}; {card.helper.name}; {card.helper.log}")
        return card

    socket_file.write_text("old")
    for more in (
        {},
        {"offloads": "all"},
        {"offloads": "profile", "map_llq": True},
        {"offloads": "all", "map_llq": True, "shape": "in=5M"},
        {"shape": ""},
    ):
        card = told.outcome(f"{more}", make, **more)
        told.outcome("close", card.close)
    monkeypatch.setattr(
        subprocess, "Popen", told.stand_in("Popen", lambda *_, **__: Process(told, codes))
    )
    codes[:] = [None]
    told.outcome("no socket", make)
    codes[:] = [None, 3]
    told.outcome("it ends", make)
    monkeypatch.setattr(subprocess, "Popen", told.stand_in("Popen", refuse(errno.ENOENT)))
    told.outcome("no program", make)
    for forwards in (
        [],
        [Forward("tcp", 8080, 80)],
        [Forward("udp", 53, 5353)],
        [Forward("tcp", 1, 2), Forward("udp", 3, 4)],
    ):
        user = nic.UserNic(forwards)
        told.note(f"{forwards}: {user.isolated} {user.name} {user.card}")
        told.outcome("close", user.close)
    for name, content in ((nic.OFFLOADS_FILE, "all"), (nic.MAP_LLQ_FILE, "")):
        told.note(f"{nic.offloads_of(tmp_path)} {nic.maps_llq(tmp_path)}")
        (tmp_path / name).write_text(content)
    told.note(f"{nic.offloads_of(tmp_path)} {nic.maps_llq(tmp_path)}")
    told.note(f"{nic.shape_of(tmp_path, 'c5.large')}")
    (tmp_path / nic.SHAPES_FILE).write_text('{"c5.large": "in=5M"}')
    told.note(f"{nic.shape_of(tmp_path, 'c5.large')} {nic.shape_of(tmp_path, 'c5')}")
    monkeypatch.undo()
    compare(HERE / "cards.txt", told.text)
