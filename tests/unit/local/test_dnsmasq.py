"""What dnsmasq is told. That it does so, guests show (tests/boot/local)."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from nitro.local.dnsmasq import Host, configuration, hosts_file


def lines(folder: Path) -> list[str]:
    ipv4 = ipaddress.IPv4Interface("172.31.16.1/20")
    ipv6 = ipaddress.IPv6Interface("fd00:1:2:3::1/64")
    names = {"s3.example": "169.254.170.1"}
    return configuration("subnet0", ipv4, ipv6, folder, names, "ec2.internal").splitlines()


def test_only_known_guests_get_addresses(tmp_path: Path) -> None:
    ranges = [line for line in lines(tmp_path) if line.startswith("dhcp-range=")]
    assert ranges == [
        "dhcp-range=172.31.16.0,static,255.255.240.0,1h",
        "dhcp-range=fd00:1:2:3::,static,slaac,64,1h",
    ]


def test_it_keeps_to_its_interface_and_its_folder(tmp_path: Path) -> None:
    told = lines(tmp_path)
    assert "interface=subnet0" in told
    assert "bind-interfaces" in told
    assert f"dhcp-leasefile={tmp_path}/leases" in told


def test_it_asks_nobody_else(tmp_path: Path) -> None:
    told = lines(tmp_path)
    assert {"no-resolv", "no-hosts", "address=/#/"} <= set(told)
    assert "address=/s3.example/169.254.170.1" in told


def test_guests_are_told_the_mtu_of_a_vpc(tmp_path: Path) -> None:
    told = lines(tmp_path)
    assert "dhcp-option=option:mtu,9001" in told
    assert "ra-param=subnet0,mtu:9001,10" in told


def test_a_guest_is_one_line() -> None:
    hosts = [Host("02:00:00:00:00:01", "10.0.0.4", "fd00::4", "ip-10-0-0-4")]
    assert hosts_file(hosts) == "02:00:00:00:00:01,10.0.0.4,[fd00::4],ip-10-0-0-4,1h\n"
