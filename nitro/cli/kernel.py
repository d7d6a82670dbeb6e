"""`nitro kernel`: the OSv kernels that images can be made with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro import config
from nitro.cli import options
from nitro.cli.output import print_json, print_table, print_text, reporter, say

if TYPE_CHECKING:
    from nitro.image.osv.store import Stored
    from nitro.progress import Reporter

app = typer.Typer(no_args_is_help=True, help="OSv kernels for images: add, list, remove.")


def register(home: typer.Typer) -> None:
    home.add_typer(app, name="kernel")


_Name = Annotated[str, typer.Argument(metavar="NAME", help='As in kernel = "osv:NAME".')]


@app.command()
def add(
    name: _Name,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="loader.elf, vmlinuz.bin, loader.img or usr.img of OSv; or its URL (https, s3), "
            "or that of an index of kernels.",
        ),
    ],
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="HEX", help="SHA-256 that the file must have.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="TREE|ARCHIVE",
            help="OSv's source tree in which the kernel was built, for compiling the ENA driver.",
        ),
    ] = None,
    region: options.Region = None,
    profile: options.Profile = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Add a built OSv kernel, or replace the one of that name."""
    from nitro.cloud import download
    from nitro.image.osv import store

    store.check_name(name)
    if sha256 is not None:
        sha256 = store.check_sha256(sha256)
    if download.is_url(file):
        stored = _add_url(name, file, sha256, source, reporter(), profile, region)
    else:
        stored = store.add(
            name, Path(file), origin=str(Path(file).resolve()), sha256=sha256, source=source
        )
    if json:
        print_json(stored.about)
        return
    print_table(("KEY", "VALUE"), list(store.summary(stored.about).items()))
    say(f'use it with --kernel osv:{name}, or kernel = "osv:{name}" in a recipe')


def _add_url(
    name: str,
    url: str,
    sha256: str | None,
    source: Path | None,
    report: Reporter,
    profile: str | None,
    region: str | None,
) -> Stored:
    """The file at `url`; when that is an index, the file that it has for `name`."""
    from nitro.cloud.download import download
    from nitro.image.osv import store

    settings = config.load(region=region, profile=profile)
    account = {"profile": settings.profile, "region": settings.region}
    source_origin = boot_sector = None
    with tempfile.TemporaryDirectory(prefix="nitro-kernel-") as folder:
        path = Path(folder) / "file"
        with report.stage("download kernel") as stage:
            download(url, path, stage, **account)
            if store.is_index(path):
                offer = store.offered(path, url, name)
                url, sha256 = offer.url, sha256 or offer.sha256
                boot_sector = offer.boot_sector
                download(url, path, stage, **account)
                if offer.headers_url and source is None:
                    source, source_origin = Path(folder) / "headers.tar.gz", offer.headers_url
                    download(offer.headers_url, source, stage, **account)
                    store.check_file(source, offer.headers_sha256, offer.headers_url)
        report.close()
        return store.add(
            name,
            path,
            origin=url,
            sha256=sha256,
            source=source,
            source_origin=source_origin,
            boot_sector=boot_sector,
        )


@app.command("ls")
def list_(json: options.Json = False, verbose: options.Verbose = False) -> None:
    """List the kernels that were added."""
    from nitro.image.osv import store

    kernels = [store.find(name) for name in store.names()]
    if json:
        print_json([kernel.about for kernel in kernels])
        return
    rows = [
        (
            kernel.name,
            kernel.about["version"],
            f"{kernel.about['size_bytes'] / 1e6:.1f} MB",
            ", ".join(kernel.about["drivers"]) or "none known",
            "yes" if kernel.headers else "no",
        )
        for kernel in kernels
    ]
    print_table(("NAME", "VERSION", "SIZE", "DRIVERS", "HEADERS"), rows)


@app.command()
def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="As `ls` shows them.")],
    verbose: options.Verbose = False,
) -> None:
    """Remove kernels; images that were built with them stay."""
    from nitro.image.osv import store

    store.remove(*names)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; created if missing.")],
    verbose: options.Verbose = False,
) -> None:
    """Write all kernels and an index of them, to be put on a web server or into a bucket."""
    from nitro.image.osv import store

    print_text(str(store.export(folder)))
