"""`nitro launch`: an instance that keeps running, of what is built for it or of an AMI."""

from __future__ import annotations

from typing import Any

import typer

from nitro.cli import deployment, options, recipe_arg
from nitro.cli.connection import connected
from nitro.cli.output import reporter
from nitro.errors import InputError


def register(app: typer.Typer) -> None:
    app.command()(launch)


def launch(
    name: options.RecipeOrAmi,
    instance: options.InstanceType,
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    kernel: options.Kernel = None,
    driver: options.Driver = None,
    ttl: options.Ttl = None,
    allow: options.Allow = None,
    cloud: options.CloudName = None,
    region: options.Region = None,
    profile: options.Profile = None,
    subnet: options.Subnet = None,
    security_group: options.SecurityGroups = None,
    placement_group: options.PlacementGroup = None,
    instance_profile: options.InstanceProfile = None,
    processors: options.Processors = None,
    bucket: options.Bucket = None,
    locked: options.Locked = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Start an instance that keeps running, of a recipe or of an AMI."""
    where: dict[str, Any] = {
        "cloud": cloud,
        "region": region,
        "profile": profile,
        "subnet": subnet,
        "bucket": bucket,
        "allow": allow,
    }
    fields: dict[str, Any] = {
        "instance_type": options.instance_type(instance),
        "ttl": options.duration(ttl),
        "security_groups": options.security_groups(security_group),
        "placement_group": placement_group,
        "instance_profile": instance_profile,
        "processors": processors,
    }
    if recipe_arg.names_ami(name):
        for option, given in (
            ("arguments", arguments),
            ("--kernel", kernel),
            ("--driver", driver),
            ("--locked", locked),
            ("--bucket", bucket),
        ):
            if given:
                raise InputError(
                    f"{option} given with the AMI {name}, for which nothing is built",
                    hint="leave it out, or launch a recipe",
                )
        ports = None if port is None else recipe_arg.parse_ports(port)
        _launch_ami(
            name, where, json, ports=ports, environment=recipe_arg.parse_environment(env), **fields
        )
        return
    _build_and_launch(
        name, port, env, arguments, kernel, driver, where, json, locked=locked, **fields
    )


def _launch_ami(ami: str, where: dict[str, Any], as_json: bool, **fields: Any) -> None:
    """`fields` are those of `nitro.launch_ami.LaunchRequest`."""
    from nitro.cli import summary
    from nitro.launch_ami import LaunchRequest, launch_ami
    from nitro.probe import ToolProber

    report = reporter()
    with connected(report, launches=True, **where) as connection:
        request = LaunchRequest(
            ami, allow=connection.allow, subnet=connection.settings.subnet, **fields
        )
        result = launch_ami(connection.cloud, request, prober=ToolProber(), report=report)
        connection.keep()
    summary.show_launched(result, as_json=as_json)
    if not as_json:
        summary.show_address(result.instance, result.ports)


def _build_and_launch(
    name: str,
    ports: list[str] | None,
    env: list[str] | None,
    arguments: list[str] | None,
    kernel: str | None,
    driver: str | None,
    where: dict[str, Any],
    as_json: bool,
    *,
    instance_type: str,
    **fields: Any,
) -> None:
    """`fields` are those of `nitro.deploy.DeployRequest`."""
    from nitro.cli import summary
    from nitro.cloud import Keep
    from nitro.probe import Boot, Selection

    report = reporter()
    recipe = recipe_arg.find(name, ports, env, arguments, kernel, driver, report=report)
    with connected(report, launches=True, **where) as connection:
        result = deployment.run(
            connection,
            recipe,
            instance_type,
            report,
            selection=Selection(Boot()),
            keep=Keep.INSTANCE,
            **fields,
        )
        connection.keep()
    summary.show(result, as_json=as_json)
    if not as_json:
        summary.show_address(result.instance, recipe.ports)
    summary.require_removed(result.not_removed)
