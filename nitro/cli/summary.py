"""A deployment as a person likes to read it, or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nitro.cli.output import print_json

if TYPE_CHECKING:
    from nitro.deploy import Deployment
    from nitro.probe.samples import Result


def show(deployment: Deployment, *, as_json: bool) -> None:
    """Print the result of `nitro deploy` or `nitro launch`."""
    if as_json:
        print_json(deployment.to_json())
        return
    image, published, instance = deployment.image, deployment.published, deployment.instance
    rows = [
        ("image", f"{image.digest[:19]}…  {image.size_bytes / 1e6:.1f} MB  {image.path}"),
        ("snapshot", f"{published.snapshot_id}  {_origin(deployment)}"),
        ("AMI", f"{published.ami_id}  {published.ami_name}  {published.region}"),
    ]
    address = instance.public_ip or "no public address"
    rows.append(("instance", f"{instance.id}  {address}  {instance.private_ip}"))
    why = f" (not the ported one: {instance.fallback})" if instance.fallback else ""
    rows.append(("NIC", f"{instance.nic}, {instance.driver} driver{why}"))
    title = f"{deployment.name} on {instance.type} ({instance.accelerator})"
    print(f"{title}\n")
    for name, text in rows:
        print(f"  {name:<9} {text}")
    print()
    _print_probes(deployment.probes)
    spans = [f"{span.stage} {span.seconds:.1f}" for span in deployment.timeline]
    total = sum(span.seconds for span in deployment.timeline)
    print(f"  {'timeline':<9} {' · '.join(spans)} = {total:.1f} s")
    for line in deployment.stays:
        print(f"  {'stays':<9} {line}")


def show_probes(results: Sequence[Result], *, as_json: bool) -> None:
    """Print the result of `nitro probe`."""
    if as_json:
        print_json([result.to_json() for result in results])
    else:
        _print_probes(results)


def _print_probes(results: Sequence[Result]) -> None:
    for result in results:
        name = result.name
        if not result.ok:
            print(f"  {name:<18} failed: {result.error}")
        for metric, value in result.metrics.items():
            print(f"  {name:<18} {metric:<28} {value}")
            name = ""
    if results:
        print()


def _origin(deployment: Deployment) -> str:
    if deployment.published.reused:
        return "found, nothing uploaded"
    sent = deployment.published.bytes_uploaded / 1e6
    return f"imported from S3, {sent:.1f} MB uploaded, read back and equal"
