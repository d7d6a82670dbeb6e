"""From settings to a connected cloud; starts the local Nitro when a command needs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from nitro import config
from nitro.cli import options
from nitro.cli.output import say
from nitro.errors import InputError, NitroError
from nitro.progress import Reporter

if TYPE_CHECKING:
    from nitro.cloud.session import Cloud
    from nitro.local import LocalSession

_LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Connection:
    """A cloud to work with and, when it is the local one, the session that keeps it up."""

    cloud: Cloud
    settings: config.Settings
    local: LocalSession | None = None

    @property
    def allow(self) -> tuple[str, ...]:
        """Who may reach an instance from outside: on the local Nitro, this machine."""
        if self.settings.allow:
            return tuple(self.settings.allow.split(","))
        return (_LOOPBACK,) if self.local else ()

    def keep(self) -> None:
        """Leave the local Nitro running: instances stay that need it."""
        if self.local:
            self.local.keep()


@contextmanager
def connected(
    report: Reporter,
    *,
    region: str | None = None,
    dry_run: bool = False,
    launches: bool = False,
    instance: str | None = None,
    **chosen: str | None,
) -> Iterator[Connection]:
    """The cloud that `chosen` (see `config.Settings`), environment and `nitro.toml` choose.

    With `launches`, a machine that cannot run instances of the local Nitro is refused at once, and
    so is an `instance` that is asked for and cannot be there.
    Raises InputError for settings that do not fit, RefusedError without credentials.
    """
    settings = config.load(None, region=region, **chosen)
    if instance is not None:
        _check_instance(instance, settings)
    if settings.subnet and not options.is_id(settings.subnet, "subnet"):
        raise InputError(
            f"{settings.subnet}: no subnet has such an id", hint="such as subnet-0123456789abcdef0"
        )
    from nitro.cloud.network import check_ranges
    from nitro.cloud.session import Cloud

    check_ranges(settings.allow.split(",") if settings.allow else ())

    if settings.cloud == "aws":
        try:
            aws = Cloud.connect(
                region=settings.region, profile=settings.profile, dry_run=dry_run, **_elsewhere()
            )
        except NitroError:
            say(f"cloud: aws ({_origin(settings)})")
            raise
        at = f" at {aws.endpoint_url}" if aws.endpoint_url else ""
        say(f"cloud: aws{at}, account {_account(aws)}, region {aws.region} ({_origin(settings)})")
        yield Connection(aws, settings)
        return
    say(f"cloud: local ({_origin(settings)}; --cloud aws for AWS)")
    from nitro import local

    if region not in (None, local.REGION):
        _check_region(region)
    if launches and not dry_run:
        _check_tap_devices()
    with local.session(report) as session:
        cloud = Cloud.connect(
            region=region or session.endpoint.region,
            endpoint_url=session.endpoint.url,
            guest_ca=session.endpoint.guest_ca,
            key=session.endpoint.key,
            dry_run=dry_run,
        )
        try:
            yield Connection(cloud, settings, session)
        except NitroError as error:
            if death := session.death():
                raise death from error
            raise


def idle(*, region: str | None = None, **chosen: str | None) -> Path | None:
    """The folder of the local Nitro, when a command is for it and it does not run.

    It has no instances then, so what only looks at what is there need not start it.
    """
    settings = config.load(None, region=region, **chosen)
    return _idle(settings) if region is None else None


def _idle(settings: config.Settings) -> Path | None:
    if settings.cloud != "local":
        return None
    from nitro import local

    status = local.status()
    return status.folder if status.pid is None else None


def _check_instance(instance: str, settings: config.Settings) -> None:
    """Refuse what cannot be an instance's id, and one of a local Nitro that does not run."""
    if not options.is_id(instance, "i"):
        raise InputError(
            f"{instance}: no instance has such an id", hint="`nitro ls` lists what is there"
        )
    if _idle(settings):
        raise InputError(
            f"there is no instance {instance}: the local Nitro does not run",
            hint="`nitro launch` starts one; --cloud aws for those of AWS",
        )


class _Elsewhere(TypedDict, total=False):
    endpoint_url: str
    guest_ca: str | None
    key: tuple[str, str]


def _elsewhere() -> _Elsewhere:
    """Where AWS's own variables name another endpoint and a key to it: these.

    Jobs of a local Nitro's Batch find it by this. With credentials of another kind, of a profile
    or a role, AWS_ENDPOINT_URL is an address of AWS's, and boto3's own business.
    """
    url = os.environ.get("AWS_ENDPOINT_URL")
    key = (os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", ""))
    if not url or not all(key) or os.environ.get("AWS_SESSION_TOKEN"):
        return {}
    authority = os.environ.get("NITRO_GUEST_CA")
    return {"endpoint_url": url, "guest_ca": authority, "key": key}


def _check_region(region: str) -> None:
    """The local Nitro has the regions that AWS has."""
    from boto3 import Session

    known = Session().get_available_regions("ec2")
    if region not in known:
        raise InputError(
            f"--region {region}: there is no such region", hint=f"known are {', '.join(known)}"
        )


def _origin(settings: config.Settings) -> str:
    """What chose the cloud, and the settings file that was read with it."""
    names = [settings.origin, *([str(settings.file)] if settings.file else [])]
    return "; ".join(dict.fromkeys(names))


def _account(cloud: Cloud) -> str:
    """The account's number. Why it cannot be had says the command itself, as its first failure."""
    try:
        return cloud.account
    except NitroError:
        return "unknown"


def _check_tap_devices() -> None:
    from nitro.local import doctor

    check = doctor.tap_devices()
    if not check.ok:
        raise NitroError(f"the local Nitro cannot run instances: {check.detail}", hint=check.remedy)
