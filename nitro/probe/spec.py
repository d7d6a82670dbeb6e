"""What a person asks for on the command line: `iperf3`, `iperf3:streams=4,seconds=5`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from nitro.errors import InputError
from nitro.ports import Port, tcp_numbers
from nitro.probe import tools
from nitro.probe.base import Options, Probe
from nitro.probe.boot import Boot
from nitro.probe.plan import ANY_ADDRESS, ProbePlan, build

_T = TypeVar("_T", bound=Options)


@dataclass(frozen=True)
class Selection:
    """What to measure: the boot unless `boot` is None, and whatever the probes' tools measure.

    With `allowances`, the client reads what AWS held back meanwhile.
    """

    boot: Boot | None = None
    probes: tuple[Probe, ...] = ()
    allowances: bool = False

    def plan(self, target: str) -> ProbePlan:
        """The steps that measure `target`, an address. Raises InputError as `plan.build`."""
        return build(self.probes, target, allowances=self.allowances)

    def require_ports(self, ports: Iterable[Port], whose: str) -> None:
        """Raise InputError when a probe needs a TCP port that `whose` ports do not have."""
        has = tcp_numbers(ports)
        for step in self.plan(ANY_ADDRESS).steps:
            if step.port not in has:
                listed = ", ".join(map(str, has)) or "none"
                raise InputError(
                    f"{step.tool} needs TCP port {step.port}, which {whose} does not have",
                    hint=f"its TCP ports: {listed}",
                )


def known_probes() -> dict[str, type[Probe]]:
    """The probes by the names of their tools: all that `nitro.probe.tools` has."""
    found: dict[str, type[Probe]] = {}
    for module in pkgutil.iter_modules(tools.__path__):
        names = vars(importlib.import_module(f"{tools.__name__}.{module.name}"))
        for value in names.values():
            if isinstance(value, type) and issubclass(value, Probe) and value is not Probe:
                found[value.tool] = value
    return found


def parse(words: Iterable[str]) -> Selection:
    """Raises InputError that names the probe, the option and what it may be."""
    boot: Boot | None = None
    probes: list[Probe] = []
    known = known_probes()
    for text in words:
        tool = text.partition(":")[0]
        if tool == Boot.tool:
            if boot:
                raise InputError("the probe boot is given twice", hint="an instance boots once")
            boot = _options(text, Boot)
        elif tool in known:
            probes.append(_options(text, known[tool]))
        else:
            names = ", ".join([Boot.tool, *known])
            raise InputError(f"no probe is called {tool!r}", hint=f"there are {names}")
    return Selection(boot, tuple(probes))


def defaults(ports: Iterable[Port]) -> Selection:
    """The probes that suit an instance with these open ports; boot always does."""
    tcp = tcp_numbers(ports)
    suiting = (probe.default_for(tcp) for probe in known_probes().values())
    return Selection(Boot(), tuple(probe for probe in suiting if probe))


def _options(text: str, kind: type[_T]) -> _T:
    """The options of one probe from `tool:key=value,key=value`."""
    _, _, rest = text.partition(":")
    fields = kind.model_fields
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if not equals or key not in fields or key in options:
            hint = f"options of {kind.tool}: {', '.join(f'{f}=…' for f in fields) or 'none'}"
            raise InputError(f"cannot use {part!r} in probe {text!r}", hint=hint)
        options[key] = value
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"probe {text!r}: {name} cannot be {options.get(name)!r}", hint=first["msg"]
        ) from None
