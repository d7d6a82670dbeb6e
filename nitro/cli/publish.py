"""`nitro publish`, `nitro verify` and `nitro rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nitro.cli import options, publish_output
from nitro.cli.connection import connected
from nitro.cli.output import reporter
from nitro.errors import InputError, NitroError

CONFIG = Path("publish.toml")
_ORGANIZATION, _UNIT = ":organization/", ":ou/"

Regions = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help="Region; the first is the home; repeatable."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings; default: publish.toml, if there."),
]


def register(app: typer.Typer) -> None:
    app.command()(publish)
    app.command()(verify)
    app.command()(rollback)


def publish(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|IMAGE|DISK.raw",
            help="A recipe or program, an image that was built, or a raw disk of anybody's.",
        ),
    ],
    config: Config = None,
    region: Regions = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", help="What {recipe} stands for; default: the recipe's. A raw disk needs it."
        ),
    ] = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help="Of a raw disk, as EC2 names architectures.")
    ] = None,
    boot_mode: Annotated[
        str | None,
        typer.Option("--boot-mode", help="Of a raw disk: legacy-bios, uefi or uefi-preferred."),
    ] = None,
    ami_name: Annotated[
        str | None, typer.Option("--ami-name", metavar="TEMPLATE", help="The AMIs' name.")
    ] = None,
    version: Annotated[str | None, typer.Option("--version", help="The release's version.")] = None,
    via: Annotated[
        str | None, typer.Option("--via", metavar="auto|ebs|s3", help="How the disk gets there.")
    ] = None,
    parameter: Annotated[
        str | None,
        typer.Option("--parameter", metavar="TEMPLATE", help="SSM parameter that names the AMI."),
    ] = None,
    kms_key: Annotated[
        str | None, typer.Option("--kms-key", metavar="KEY", help="Key to encrypt with.")
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(
            "--share", metavar="WHO", help="Account id, or ARN of an organisation or unit; repeat."
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Share with everybody.")] = False,
    deprecate: Annotated[
        str | None,
        typer.Option("--deprecate", metavar="WHEN", help="Days (90d) or a date (2027-06-30)."),
    ] = None,
    protect: Annotated[
        bool, typer.Option("--protect", help="Protect the AMIs from deregistration.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option("--keep", help="How many releases stay; default: all.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would change; change nothing.")
    ] = False,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", metavar="FILE", help="Write a release manifest.")
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option("--sign", metavar="KEY", help="Sign the manifest with a key of minisign."),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="The source's revision; default: git's, or the CI's."),
    ] = None,
    cloud: options.CloudName = None,
    profile: options.Profile = None,
    bucket: options.Bucket = None,
    locked: options.Locked = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a disk an AMI in every region asked for, as publish.toml says; run again, go on."""
    from nitro.cli import publish_source
    from nitro.publish import manifest as manifests
    from nitro.publish import minisign, publication, release, settings

    if sign and not manifest:
        raise InputError("--sign needs --manifest", hint="add --manifest FILE")
    asked = settings.load(
        _config(config),
        regions=region,
        ami_name=ami_name,
        version=version,
        via=via,
        parameter=parameter,
        kms_key=kms_key,
        deprecate=deprecate,
        protect=protect or None,
        keep=keep,
        share=_share(share or (), public),
    )
    options.output_file(manifest, "--manifest")
    if manifest and sign:
        options.output_file(manifest.with_name(manifest.name + minisign.SUFFIX), "--manifest")
    secret = minisign.read_secret_key(sign, publish_source.password()) if sign else None
    report = reporter()
    source = publish_source.find(
        what,
        name=name,
        architecture=arch,
        boot_mode=boot_mode,
        revision=revision,
        locked=locked,
        report=report,
    )
    home = asked.regions[0] if asked.regions else None
    with connected(report, cloud=cloud, region=home, profile=profile, bucket=bucket) as connection:
        if not asked.regions:
            asked = asked.model_copy(update={"regions": (connection.cloud.region,)})
        wanted = release.make(asked, source)
        if plan:
            planned = publication.plan(connection.cloud, wanted, report)
            publish_output.show_plan(planned, as_json=json)
            if planned.errors:
                raise typer.Exit(NitroError.exit_code)
            return
        done = publication.publish(
            connection.cloud, wanted, report, bucket=connection.settings.bucket
        )
        if manifest and not done.failed:
            document = manifests.of_publication(done, connection.cloud.account)
            manifests.write(manifest, document)
            if secret:
                content = manifest.read_bytes()
                text = minisign.sign(content, secret, f"release {wanted.name}")
                manifests.write_text(manifest.with_name(manifest.name + minisign.SUFFIX), text)
    publish_output.show(done, manifest if not done.failed else None, as_json=json)
    if done.failed:
        raise typer.Exit(NitroError.exit_code)


def verify(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A release manifest.")],
    all_blocks: Annotated[
        bool, typer.Option("--all-blocks", help="Read every block back, not 32 by chance.")
    ] = False,
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", metavar="KEY", help="Require a signature of this key."),
    ] = None,
    cloud: options.CloudName = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Check that a release is in the account as its manifest says."""
    from nitro.publish import readback
    from nitro.publish import verify as verifier

    found = _signed_manifest(manifest, public_key)
    report = reporter()
    home = found.document["regions"][0]["region"]
    with connected(report, cloud=cloud, region=home, profile=profile) as connection:
        sample = None if all_blocks else readback.SAMPLE
        verdicts = verifier.verify(connection.cloud, found, report, sample=sample)
    publish_output.show_verdicts(verdicts, as_json=json)
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(NitroError.exit_code)


def rollback(
    to: Annotated[
        str, typer.Argument(metavar="MANIFEST|AMI-NAME", help="The release to go back to.")
    ],
    config: Config = None,
    region: Regions = None,
    parameter: Annotated[
        str | None, typer.Option("--parameter", metavar="NAME", help="With an AMI's name.")
    ] = None,
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", metavar="KEY", help="Require a signature of this key."),
    ] = None,
    cloud: options.CloudName = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Make the parameters name an earlier release, in all regions or none."""
    from nitro.publish import rollback as roller
    from nitro.publish import settings

    if Path(to).is_file():
        target = roller.of_manifest(_signed_manifest(Path(to), public_key))
    else:
        asked = settings.load(_config(config), regions=region, parameter=parameter)
        if not (asked.parameter and asked.regions):
            raise InputError(
                f"{to} is no file, and an AMI's name needs a parameter and regions",
                hint="give a manifest, publish.toml, or --parameter and --region",
            )
        target = roller.Target(to, asked.parameter, asked.regions)
    report = reporter()
    with connected(report, cloud=cloud, region=target.regions[0], profile=profile) as connection:
        flips = roller.roll_back(connection.cloud, target, report)
    publish_output.show_flips(flips, as_json=json)


def _signed_manifest(path: Path, public_key: str | None) -> Any:
    """The manifest, once its signature has been checked where a key is given."""
    from nitro.publish import manifest, minisign

    if public_key:
        key = minisign.read_public_key(public_key)
        signature = path.with_name(path.name + minisign.SUFFIX)
        minisign.verify_file(path, signature, key)
    return manifest.read(path)


def _config(given: Path | None) -> Path | None:
    if given:
        return given
    return CONFIG if CONFIG.is_file() else None


def _share(names: list[str] | tuple[str, ...], public: bool) -> dict[str, Any]:
    """The words of --share, sorted by what they are."""
    units = [each for each in names if _UNIT in each]
    organizations = [each for each in names if _ORGANIZATION in each]
    accounts = [each for each in names if each not in (*units, *organizations)]
    return {
        "accounts": accounts,
        "organizations": organizations,
        "units": units,
        "public": public,
    }
