"""Which cloud, region and account settings a command works with.

In order: the command's own options, the environment (`NITRO_CLOUD`, `NITRO_REGION`, …), the
nearest `nitro.toml` from the working directory upwards, the defaults. The default cloud is the
local Nitro, so that nothing costs money by accident.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from nitro.errors import InputError

CLOUDS = ("aws", "local")
FILE = "nitro.toml"


@dataclass(frozen=True)
class Settings:
    """What `nitro.toml` may say, key by key."""

    cloud: str = "local"
    #: AWS region; None: what the AWS configuration of this machine says
    region: str | None = None
    #: profile of the AWS configuration
    profile: str | None = None
    #: S3 bucket for imports; None: one of our own, made when needed
    bucket: str | None = None
    #: subnet for instances; None: the default VPC's
    subnet: str | None = None
    #: who may reach a deployed instance, as a CIDR
    allow: str | None = None
    #: the record of benchmarks: a folder, or s3://BUCKET/PREFIX; None: a folder of nitro's own
    record: str | None = None
    #: Debian's archive and, after a space, its security fixes; None: what this machine's apt names
    debian_mirror: str | None = None
    #: where the choice of cloud came from, for the first line of output
    origin: str = "nothing set"
    #: the settings file that was read, for the same line
    file: Path | None = None


_KEYS = [field.name for field in fields(Settings) if field.name not in {"origin", "file"}]


def load(start: Path | None = None, **options: str | None) -> Settings:
    """The settings for a command that was given `options` (None: not given).

    Raises InputError for an unreadable file, one that another user owns, an unknown key or an
    unknown cloud.
    """
    values: dict[str, str] = {}
    origin = Settings.origin
    path = _nearest(start or Path.cwd())
    if path:
        values = _read(path)
        origin = str(path) if "cloud" in values else origin
    for name in _KEYS:
        if value := os.environ.get(f"NITRO_{name.upper()}"):
            values[name] = value
            origin = "NITRO_CLOUD" if name == "cloud" else origin
        if option := options.get(name):
            values[name] = option
            origin = "--cloud" if name == "cloud" else origin
    if values.get("cloud", "local") not in CLOUDS:
        raise InputError(f"no cloud {values['cloud']!r} (from {origin})", hint="use aws or local")
    return Settings(**values, origin=origin, file=path)


def _nearest(folder: Path) -> Path | None:
    candidates = (parent / FILE for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        _check_owner(path, os.fstat(file.fileno()).st_uid)
        content = file.read()
    try:
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, nested too deeply
        raise InputError(f"{path}: {error}", hint="fix the TOML syntax") from None
    for key, value in document.items():
        if key not in _KEYS:
            raise InputError(
                f"{path}: unknown key {key!r}", hint=f"known keys: {', '.join(sorted(_KEYS))}"
            )
        if not isinstance(value, str):
            raise InputError(f"{path}: {key} must be a string", hint=f'write {key} = "…"')
    return document


def _check_owner(path: Path, owner: int) -> None:
    """Whoever can write to a parent folder, such as /tmp, must not choose this user's account.

    Raises InputError unless the file belongs to this user, to root, or, under sudo, to the user
    who called it.
    """
    trusted = {0, os.geteuid()}
    if os.geteuid() == 0 and (user := os.environ.get("SUDO_UID", "")).isdecimal():
        trusted.add(int(user))
    if owner not in trusted:
        raise InputError(
            f"{path} belongs to another user (uid {owner})",
            hint="work in another folder, or take the file over with `chown` if you trust it",
        )
