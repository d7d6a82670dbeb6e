"""What a person asks for on the command line: `iperf3`, `iperf3:streams=4,seconds=5`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from nitro.errors import InputError
from nitro.ports import Port, tcp_numbers
from nitro.probe.base import Probe
from nitro.probe.boot import Boot
from nitro.probe.http import Http
from nitro.probe.iperf3 import Iperf3
from nitro.probe.netperf import Netperf

PROBES: dict[str, type[Probe]] = {p.tool: p for p in (Boot, Iperf3, Netperf, Http)}
HTTP_PORTS = (80, 8080, 8000)

__all__ = ["PROBES", "Probe", "defaults", "parse"]


def parse(text: str) -> Probe:
    """Raises InputError that names the probe, the option and what it may be."""
    tool, _, rest = text.partition(":")
    if tool not in PROBES:
        raise InputError(f"no probe is called {tool!r}", hint=f"there are {', '.join(PROBES)}")
    fields = PROBES[tool].model_fields
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if not equals or key not in fields or key in options:
            hint = f"options of {tool}: {', '.join(f'{f}=…' for f in fields) or 'none'}"
            raise InputError(f"cannot use {part!r} in probe {text!r}", hint=hint)
        options[key] = value
    try:
        return PROBES[tool].model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"probe {text!r}: {name} cannot be {options.get(name)!r}", hint=first["msg"]
        ) from None


def defaults(ports: Iterable[Port]) -> list[Probe]:
    """The probes that suit an instance with these open ports; boot always does.

    Together their tools measure for 13 s.
    """
    tcp = tcp_numbers(ports)
    chosen: list[Probe] = [Boot()]
    chosen += [probe() for probe in (Iperf3, Netperf) if probe().port in tcp]
    chosen += [Http(port=port) for port in HTTP_PORTS if port in tcp][:1]
    return chosen
