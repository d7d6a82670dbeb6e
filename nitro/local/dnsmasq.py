"""dnsmasq for one subnet: DHCPv4, DHCPv6 with router advertisements, and names.

Addresses are never chosen here: a guest gets what the API said it has, and nobody else gets any.
"""

from __future__ import annotations

import ipaddress
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nitro import debian
from nitro.errors import NitroError
from nitro.local.link import MTU
from nitro.local.watch import Helper
from nitro.progress import Reporter

PACKAGES = debian.Wanted(("dnsmasq-base",))
LEASE = "1h"
HOSTS, LEASES = "hosts", "leases"  # files in a subnet's folder
START_SECONDS = 10.0


@dataclass(frozen=True)
class Host:
    """One guest of the subnet."""

    mac: str
    ipv4: str
    ipv6: str
    name: str


def configuration(
    interface: str,
    ipv4: ipaddress.IPv4Interface,
    ipv6: ipaddress.IPv6Interface,
    folder: Path,
    names: Mapping[str, str],
    domain: str,
) -> str:
    """dnsmasq's configuration file.

    `ipv4` and `ipv6` are the router's own addresses on the subnet; `names` maps host names, with
    all below them, to addresses outside it, guests' names end in `domain`. Guests are read from
    `hosts` in `folder`.
    """
    lines = [
        f"interface={interface}",
        "bind-interfaces",
        "except-interface=lo",
        "no-resolv",
        "no-hosts",
        "no-ping",  # it would wait three seconds for an answer before each first offer
        "log-facility=-",
        f"pid-file={folder / 'dnsmasq.pid'}",
        f"dhcp-leasefile={folder / LEASES}",
        f"dhcp-hostsfile={folder / HOSTS}",
        "dhcp-authoritative",
        "enable-ra",
        f"ra-param={interface},mtu:{MTU},10",
        f"domain={domain}",
        f"dhcp-range={ipv4.network.network_address},static,{ipv4.netmask},{LEASE}",
        f"dhcp-range={ipv6.network.network_address},static,slaac,64,{LEASE}",
        f"dhcp-option=option:router,{ipv4.ip}",
        f"dhcp-option=option:dns-server,{ipv4.ip}",
        f"dhcp-option=option:mtu,{MTU}",
        f"dhcp-option=option6:dns-server,[{ipv6.ip}]",
    ]
    lines += [f"address=/{name}/{address}" for name, address in names.items()]
    lines.append("address=/#/")  # nothing else has a name here: say so instead of asking on
    return "\n".join(lines) + "\n"


def hosts_file(hosts: Sequence[Host]) -> str:
    """The lines of `dhcp-hostsfile`."""
    return "".join(f"{h.mac},{h.ipv4},[{h.ipv6}],{h.name},{LEASE}\n" for h in hosts)


class Dnsmasq:
    """A running dnsmasq, from Debian's package. Ends with this process's namespace."""

    def __init__(
        self,
        interface: str,
        ipv4: ipaddress.IPv4Interface,
        ipv6: ipaddress.IPv6Interface,
        folder: Path,
        names: Mapping[str, str],
        domain: str,
        report: Reporter | None = None,
    ) -> None:
        self._hosts: dict[str, Host] = {}
        self._hosts_path = folder / HOSTS
        config = folder / "dnsmasq.conf"
        config.write_text(configuration(interface, ipv4, ipv6, folder, names, domain))
        (folder / LEASES).unlink(missing_ok=True)  # of an earlier run
        self._write_hosts()
        program = debian.tree(PACKAGES, report=report).program("dnsmasq")
        # --no-daemon also keeps the user: in a user namespace there is no other.
        self._command = [*program, "--no-daemon", f"--conf-file={config}"]
        self._address, self._log = str(ipv4.ip), folder / "dnsmasq.log"
        self._process = self._start()

    @property
    def helper(self) -> Helper:
        """The process as it is now: guests that it served do without a later one."""
        return Helper(f"dnsmasq of {self._address}", self._process, self._log)

    def admit(self, host: Host) -> None:
        """Let this guest have its addresses from now on.

        dnsmasq keeps an ended guest's leases for their time: the next guest with its addresses
        must have its MAC address too.
        """
        self._hosts[host.mac] = host
        if self._process.poll() is not None:
            self._process = self._start()
        self._reload()

    def dismiss(self, mac: str) -> None:
        self._hosts.pop(mac, None)
        self._reload()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        _wait_for_answers(process, self._address)
        return process

    def _reload(self) -> None:
        self._write_hosts()
        self._process.send_signal(signal.SIGHUP)

    def _write_hosts(self) -> None:
        self._hosts_path.write_text(hosts_file(list(self._hosts.values())))


def _wait_for_answers(process: subprocess.Popen[bytes], address: str) -> None:
    """A SIGHUP that comes before dnsmasq expects it would end it."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((address, 53), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    process.kill()
    process.wait()
    raise NitroError(f"dnsmasq does not start for {address}", hint="its log says why")
