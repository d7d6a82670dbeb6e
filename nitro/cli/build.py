"""`nitro build` and `nitro inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nitro.cli import options, recipe_arg
from nitro.cli.output import print_json, print_table, print_text, reporter

if TYPE_CHECKING:
    from nitro.documents.images import BuildDocument, KernelDocument


def register(app: typer.Typer) -> None:
    app.command()(build)
    app.command()(inspect)


def build(
    recipe: options.RecipeName,
    arguments: options.Arguments = None,
    port: options.Ports = None,
    env: options.Env = None,
    kernel: options.Kernel = None,
    driver: options.Driver = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Say what was decided, and why: launch, libraries, driver, memory."
        ),
    ] = False,
    locked: options.Locked = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Build a bootable disk image from a recipe or a program."""
    from nitro import image
    from nitro.cli.unchanged import text
    from nitro.image import decisions

    changed = port or env or arguments or kernel or driver
    built = None if changed or recipe_arg.names_ami(recipe) else image.known(recipe)
    if built is None:
        report = reporter()
        made = recipe_arg.find(recipe, port, env, arguments, kernel, driver, report=report)
        built = image.build(made, report=report, locked=locked)
        report.close()
    if json:
        document: BuildDocument = {
            "digest": built.digest,
            "path": str(built.path),
            "manifest": str(built.manifest_path),
            "size_bytes": built.size_bytes,
            "cached": built.cached,
            "build_seconds": built.build_seconds,
            "minimum_memory_mib": built.minimum_memory_mib,
        }
        if explain:
            document["decisions"] = decisions.to_json(decisions.of(built))
        print_json(document)
        return
    print_text(text(built))
    if explain:
        print_text()
        rows = [(one.subject, one.choice, one.reason) for one in decisions.of(built)]
        print_table(("ABOUT", "CHOICE", "REASON"), rows)


def inspect(
    image_path: Annotated[
        Path, typer.Argument(metavar="IMAGE|KERNEL", help="A disk image, or a kernel of OSv's.")
    ],
    files: Annotated[bool, typer.Option("--files", help="List the files of the RAMFS.")] = False,
    json: options.Json = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the contents of an image, read from the disk, or what is known of an OSv kernel."""
    from nitro.image import inspect as reader

    if kernel := reader.inspect_kernel(image_path):
        _show_kernel(kernel, files, json)
        return
    found = reader.inspect(image_path)
    if json:
        print_json(found.to_json(files=files))
    elif files:
        rows = [
            (f"{f.mode:o}", f.size, f.path + (f" -> {f.target}" if f.target else ""))
            for f in found.files
        ]
        print_table(("MODE", "SIZE", "PATH"), rows)
    else:
        print_table(("KEY", "VALUE"), list(found.summary().items()))


def _show_kernel(kernel: KernelDocument, files: bool, as_json: bool) -> None:
    from nitro.image.osv import store

    if as_json:
        print_json(kernel)
    elif files:
        print_table(("PATH",), [(path,) for path in kernel["ramfs_files"]])
    else:
        print_table(("KEY", "VALUE"), list(store.summary(kernel).items()))
