"""Where the record is: an option of all commands of `nitro bench`, and a setting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro import config
from nitro.cli.connection import connected
from nitro.errors import InputError
from nitro.progress import Reporter

if TYPE_CHECKING:
    from nitro.bench.record import Record
    from nitro.bench.store import Store
    from nitro.cloud.session import Cloud

Location = Annotated[
    str | None,
    typer.Option(
        "--record",
        metavar="FOLDER|s3://BUCKET/PREFIX",
        help="Where the record is; default: the setting `record`, or a folder of nitro's own.",
    ),
]
PlanName = Annotated[
    str | None, typer.Option("--plan", metavar="NAME", help="Of one plan only; default: all.")
]


#: module → the package that it comes in
_PACKAGES = {
    **{name: name for name in ("duckdb", "numpy", "pyarrow")},
    "vl_convert": "vl-convert-python",
}


def require_extra() -> None:
    """Raises InputError where the packages of the record are not installed."""
    for name, package in _PACKAGES.items():
        if find_spec(name) is None:
            raise InputError(
                f"the record needs the Python package {package}",
                hint="install nitro with its extra: pip install 'nitro-ami[bench]'",
            )


@contextmanager
def opened(
    report: Reporter,
    location: str | None,
    cloud: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    *,
    connect: bool = False,
) -> Iterator[tuple[Record, Cloud | None]]:
    """The record, and the cloud where it is in S3 or where `connect` asks for it."""
    require_extra()
    from nitro.bench.record import Record

    if not connect and not place_of(location).startswith("s3://"):
        yield Record(store_of(location, None)), None
        return
    with connected(report, cloud=cloud, region=region, profile=profile) as connection:
        yield Record(store_of(location, connection.cloud)), connection.cloud


def store_of(location: str | None, cloud: Cloud | None) -> Store:
    """Where the record's files lie. Raises InputError for what is no place, and for S3 without
    a cloud."""
    from nitro.bench.store import FolderStore, is_s3, s3_store

    where = place_of(location)
    if cloud and is_s3(where):
        return s3_store(cloud, where)
    if "://" in where:
        raise InputError(f"--record {where}: neither a folder nor s3://BUCKET/PREFIX")
    if os.path.lexists(where) and not Path(where).is_dir():
        raise InputError(f"--record {where}: not a folder", hint="name a folder, or one to be made")
    return FolderStore(Path(where))


def place_of(location: str | None) -> str:
    """The record that the option, the setting or neither names."""
    from nitro.paths import state_dir

    return location or config.load(None).record or str(state_dir() / "record")
