"""What `nitro deploy` and `nitro launch` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nitro.cli.connection import Connection
    from nitro.deploy import Deployment
    from nitro.progress import Reporter
    from nitro.recipe import Recipe


def run(
    connection: Connection, recipe: Recipe, instance_type: str, report: Reporter, **options: Any
) -> Deployment:
    """Deploy with the connection's settings; `options` are more fields of `DeployRequest`."""
    from nitro import deploy, image
    from nitro.probe import ToolProber

    request = deploy.DeployRequest(
        recipe,
        instance_type,
        allow=connection.allow,
        subnet=connection.settings.subnet,
        bucket=connection.settings.bucket,
        **options,
    )
    return deploy.deploy(
        connection.cloud, request, builder=image, prober=ToolProber(), report=report
    )
