"""Prints a deployment as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nitro.cli import options
from nitro.cli.output import print_json, print_text
from nitro.cli.result_lines import lines, wrapped

if TYPE_CHECKING:
    from nitro.deploy import Deployment, InstanceReport, ProgramEnd
    from nitro.launch_ami import Launched
    from nitro.ports import Port
    from nitro.probe.result import Result
    from nitro.progress import Span

_LABEL = 9
_SEPARATOR = " · "

# What a port's number says of how to try it; any other is knocked at.
_TRIES = {
    **dict.fromkeys((80, 3000, 5000, 8000, 8080, 8888), "curl http://{host}:{port}/"),
    **dict.fromkeys((443, 8443), "curl --insecure https://{host}:{port}/"),
    22: "ssh root@{host}",
    53: "dig @{host}",
    5201: "iperf3 --client {host}",
    5432: "psql --host {host}",
    6379: "redis-cli -h {host}",
}
_KNOCK = {"tcp": "nc -v {host} {port}", "udp": "nc -v -u {host} {port}"}


def show(deployment: Deployment, *, as_json: bool) -> None:
    """Print the result of `nitro deploy` or `nitro launch`; all metrics with `--verbose`."""
    if as_json:
        print_json(deployment.to_json())
        return
    image = deployment.image
    _print_title(deployment)
    _print_row("image", [f"{image.digest[:19]}…", f"{image.size_bytes / 1e6:.1f} MB"])
    _print_row("snapshot", [deployment.published.snapshot_id, _origin(deployment)])
    _print_machine(deployment)
    if deployment.program:
        _print_program(deployment.program)
    _print_end(deployment)


def show_launched(launched: Launched, *, as_json: bool) -> None:
    """Print the result of `nitro launch` of an AMI."""
    if as_json:
        print_json(launched.to_json())
        return
    _print_title(launched)
    _print_row("snapshot", [launched.published.snapshot_id])
    _print_machine(launched)
    _print_end(launched)


def show_address(instance: InstanceReport, ports: Sequence[Port]) -> None:
    """Print where an instance that keeps running is reached, and a line to copy."""
    host = instance.public_ip or instance.private_ip
    print_text(f"\n{host}")
    for port in ports[:1]:
        line = _TRIES.get(port.number, _KNOCK[port.protocol])
        print_text(line.format(host=host, port=port.number).replace(":80/", "/"))


def show_probes(results: Sequence[Result], *, as_json: bool) -> None:
    """Print the result of `nitro probe`."""
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _print_probes(results)


def require_removed(not_removed: Sequence[str]) -> None:
    """Raises CleanUpError, after the results were printed, when something could not be removed."""
    from nitro.cloud import CleanUpError

    if not_removed:
        raise CleanUpError(list(not_removed))


def _print_title(deployment: Deployment | Launched) -> None:
    instance = deployment.instance
    print_text(f"{deployment.name} on {instance.type} ({instance.accelerator}), {deployment.id}\n")


def _print_machine(deployment: Deployment | Launched) -> None:
    published, instance = deployment.published, deployment.instance
    addresses = [instance.public_ip or "no public address", instance.private_ip]
    why = f" (the nitro driver: {instance.fallback})" if instance.fallback else ""
    _print_row("AMI", [published.ami_id, published.ami_name, published.region])
    _print_row("instance", [instance.id, *addresses])
    _print_row("NIC", [f"{instance.nic}, {instance.driver} driver{why}"])
    print_text()
    _print_probes(deployment.probes)


def _print_end(deployment: Deployment | Launched) -> None:
    _print_timeline(deployment.timeline)
    for line in deployment.leftovers:
        _print_row("left over", [line])


def _print_probes(results: Sequence[Result]) -> None:
    for line in _all_metrics(results) if options.verbose else lines(results):
        print_text(line)
    if results:
        print_text()


def _all_metrics(results: Sequence[Result]) -> list[str]:
    """The long form: each metric under its name in JSON."""
    found = []
    for result in results:
        name = result.name
        if not result.ok:
            found.append(f"  {name:<18} failed: {result.error}")
        for metric, value in result.metrics.items():
            found.append(f"  {name:<18} {metric:<28} {value}")
            name = ""
    return found


def _print_program(program: ProgramEnd) -> None:
    after = "" if program.seconds is None else f" after {program.seconds:.1f} s"
    _print_row("program", [f"ended with status {program.status}{after}"])
    print_text()
    if program.output:
        print_text(program.output + "\n")


def _print_timeline(timeline: Sequence[Span]) -> None:
    """Each stage once, whatever number of times it came."""
    seconds: dict[str, float] = {}
    for span in timeline:
        seconds[span.stage] = seconds.get(span.stage, 0.0) + span.seconds
    spans = [f"{stage} {time:.1f}" for stage, time in seconds.items()]
    spans[-1:] = [f"{spans[-1]} = {sum(seconds.values()):.1f} s"] if spans else []
    _print_row("timeline", spans, separator=_SEPARATOR)


def _print_row(name: str, parts: Sequence[str], *, separator: str = "  ") -> None:
    for line in wrapped(name, parts, separator=separator, width=_LABEL):
        print_text(line)


def _origin(deployment: Deployment) -> str:
    if deployment.published.reused:
        return "found, nothing uploaded"
    sent = deployment.published.bytes_uploaded / 1e6
    return f"{sent:.1f} MB uploaded, read back and equal"
