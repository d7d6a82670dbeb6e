"""Prints a deployment as text or as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nitro.cli.output import print_json, print_text

if TYPE_CHECKING:
    from nitro.deploy import Deployment
    from nitro.probe.result import Result

_WIDTH = 84  # characters of a row's text


def show(deployment: Deployment, *, as_json: bool) -> None:
    """Print the result of `nitro deploy` or `nitro launch`."""
    if as_json:
        print_json(deployment.to_json())
        return
    image, published, instance = deployment.image, deployment.published, deployment.instance
    address = instance.public_ip or "no public address"
    why = f" (the nitro driver: {instance.fallback})" if instance.fallback else ""
    print_text(f"{deployment.name} on {instance.type} ({instance.accelerator}), {deployment.id}\n")
    _print_row("image", f"{image.digest[:19]}…  {image.size_bytes / 1e6:.1f} MB")
    _print_row("snapshot", f"{published.snapshot_id}  {_origin(deployment)}")
    _print_row("AMI", f"{published.ami_id}  {published.ami_name}  {published.region}")
    _print_row("instance", f"{instance.id}  {address}  {instance.private_ip}")
    _print_row("NIC", f"{instance.nic}, {instance.driver} driver{why}")
    print_text()
    _print_probes(deployment.probes)
    if deployment.program:
        print_text(deployment.program.output + "\n")
    spans = [f"{span.stage} {span.seconds:.1f}" for span in deployment.timeline]
    total = sum(span.seconds for span in deployment.timeline)
    _print_row("timeline", f"{' · '.join(spans)} = {total:.1f} s")
    for line in deployment.leftovers:
        _print_row("left over", line)


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


def _print_probes(results: Sequence[Result]) -> None:
    for result in results:
        name = result.name
        if not result.ok:
            print_text(f"  {name:<18} failed: {result.error}")
        for metric, value in result.metrics.items():
            print_text(f"  {name:<18} {metric:<28} {value}")
            name = ""
    if results:
        print_text()


def _print_row(name: str, text: str) -> None:
    """One line, or several below each other."""
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    for head, line in zip((name, *[""] * len(lines)), lines, strict=False):
        print_text(f"  {head:<9} {line}")


def _origin(deployment: Deployment) -> str:
    if deployment.published.reused:
        return "found, nothing uploaded"
    sent = deployment.published.bytes_uploaded / 1e6
    return f"imported from S3, {sent:.1f} MB uploaded, read back and equal"
