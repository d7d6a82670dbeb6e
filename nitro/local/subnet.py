"""Subnets of the local Nitro: each a bridge with a router's address and a dnsmasq.

They live in the network namespace of this process, which has no way out: what is routed goes
between the subnets. Of two that overlap, even in different VPCs, one has guests at a time.
"""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
import os
import threading
from contextlib import ExitStack
from pathlib import Path

from nitro.errors import RefusedError
from nitro.local import link, s3_names
from nitro.local.dnsmasq import Dnsmasq, Host
from nitro.local.hypervisor import Network
from nitro.local.watch import Helper
from nitro.progress import Reporter

METADATA_ADDRESS = "169.254.169.254"  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
TIME_ADDRESS = (
    "169.254.169.123"  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
)
S3_ADDRESS = "169.254.170.1"  # ours: S3 as guests see it, under all of its names


class Subnet:
    """One subnet, from its first guest on."""

    def __init__(
        self, network: Network, number: int, folder: Path, report: Reporter | None = None
    ) -> None:
        self.cidr = ipaddress.IPv4Network(network.cidr)
        self.bridge = f"subnet{number}"
        self._guests: set[str] = set()
        self._lock = threading.Lock()
        router = ipaddress.IPv4Interface(f"{self.cidr[1]}/{self.cidr.prefixlen}")
        self._prefix = unique_local_prefix(network.subnet_id)
        router6 = ipaddress.IPv6Interface(f"{self._prefix[1]}/64")
        folder.mkdir(parents=True, exist_ok=True)
        link.add_bridge(self.bridge, link.mac_of(str(router.ip)))
        try:
            link.add_ipv4(self.bridge, router)
            link.add_ipv6(self.bridge, router6)
            names = dict.fromkeys(s3_names.endpoints(), S3_ADDRESS)
            self._dnsmasq = Dnsmasq(
                self.bridge, router, router6, folder, names, network.domain, report
            )
        except BaseException:
            link.delete_bridge(self.bridge)
            raise

    def plug(self, tap_name: str, mac: str, ipv4: str) -> int:
        """A tap on the bridge for a guest that is given `ipv4`; returns its descriptor."""
        address = ipaddress.IPv4Address(ipv4)
        ipv6 = str(self._prefix[int(address) - int(self.cidr.network_address)])
        name = f"ip-{ipv4.replace('.', '-')}"
        with self._lock:
            self._dnsmasq.admit(Host(mac, ipv4, ipv6, name))
            self._guests.add(mac)
        with ExitStack() as undo:
            undo.callback(self.unplug, mac)
            tap = link.open_tap(tap_name)
            undo.callback(os.close, tap)
            link.attach(self.bridge, tap_name)
            undo.pop_all()
        return tap

    @property
    def helper(self) -> Helper:
        """What guests of this subnet need, to be watched."""
        return self._dnsmasq.helper

    def unplug(self, mac: str) -> None:
        """Take the guest's addresses back; its tap goes with its descriptor."""
        with self._lock:
            self._dnsmasq.dismiss(mac)
            self._guests.discard(mac)

    @property
    def idle(self) -> bool:
        """Whether it has no guests."""
        return not self._guests

    def close(self) -> None:
        self._dnsmasq.close()
        link.delete_bridge(self.bridge)


class Subnets:
    """All subnets, made when a guest needs them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._subnets: dict[str, Subnet] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        link.bring_up("lo")
        for number, address in enumerate((METADATA_ADDRESS, S3_ADDRESS, TIME_ADDRESS)):
            link.add_ipv4(f"lo:{number}", ipaddress.IPv4Interface(f"{address}/32"))
        for family in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            Path(f"/proc/sys/net/{family}").write_text("1")

    def plug(self, network: Network, tap_name: str, mac: str, ipv4: str) -> tuple[Subnet, int]:
        """The subnet, made if it is new, and the descriptor of a tap in it; see `Subnet.plug`.

        RefusedError when it overlaps with another that has guests.
        """
        with self._lock:
            if network.subnet_id not in self._subnets:
                self._make_room(network)
                folder = self._folder / network.subnet_id
                subnet = Subnet(network, next(self._numbers), folder)
                self._subnets[network.subnet_id] = subnet
            subnet = self._subnets[network.subnet_id]
            return subnet, subnet.plug(tap_name, mac, ipv4)

    def _make_room(self, network: Network) -> None:
        cidr = ipaddress.IPv4Network(network.cidr)
        overlapping = [(i, each) for i, each in self._subnets.items() if cidr.overlaps(each.cidr)]
        for id_, other in overlapping:
            if not other.idle:
                raise RefusedError(
                    f"subnet {network.subnet_id} ({cidr}) overlaps {id_} ({other.cidr})",
                    hint="the local Nitro runs instances in one of them at a time",
                )
        for id_, _ in overlapping:
            self._subnets.pop(id_).close()


def unique_local_prefix(name: str) -> ipaddress.IPv6Network:
    """A /64 of fd00::/8 (RFC 4193) that is always the same for a name."""
    digest = hashlib.sha256(name.encode()).digest()
    return ipaddress.IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64))
