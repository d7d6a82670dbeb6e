"""`nitro kernel` and `nitro inspect KERNEL`, with a kernel that has no code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.cli.runner import json_of, nitro_
from tests.unit.image.osv.kernel import build, compressed_disk
from tests.unit.image.osv.test_artifact import SETUP
from tests.unit.image.osv.test_headers import tree


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NITRO_STATE", str(tmp_path / "state"))
    path = tmp_path / "loader.elf"
    path.write_bytes(build())
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a web server for the folder `site`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_add_list_and_remove(file: Path) -> None:
    assert nitro_("kernel", "ls").stdout.split() == [
        "NAME",
        "VERSION",
        "SIZE",
        "DRIVERS",
        "HEADERS",
    ]
    added = nitro_("kernel", "add", "mine", str(file))
    assert "osv:mine" in added.stderr
    assert "v0.57.0-1-g0" in added.stdout
    assert json_of("kernel-ls", "kernel", "ls")[0]["name"] == "mine"
    assert "ena" in nitro_("kernel", "ls").stdout
    nitro_("kernel", "add", "other", str(file))
    nitro_("kernel", "rm", "mine", "other")
    assert json_of("kernel-ls", "kernel", "ls") == []
    assert "no OSv kernel 'mine'" in nitro_("kernel", "rm", "mine", code=2).stderr


def test_add_as_json(file: Path) -> None:
    about = json_of("kernel", "kernel", "add", "mine", str(file))
    assert about["origin"] == str(file)
    assert about["boot"] == ["bios", "pvh"]


def test_a_kernel_from_a_server(file: Path, server: str, tmp_path: Path) -> None:
    source = tree(tmp_path / "osv")
    nitro_("kernel", "add", "mine", str(file), "--source", str(source))
    printed = nitro_("kernel", "export", str(tmp_path / "site")).stdout.strip()
    assert printed == str(tmp_path / "site" / "index.json")
    by_index = json_of("kernel", "kernel", "add", "mine", f"{server}/index.json")
    assert by_index["origin"] == f"{server}/mine.elf"
    assert by_index["source"] == f"{server}/mine.headers.tar.gz"
    sha256 = hashlib.sha256((tmp_path / "site/mine.elf").read_bytes()).hexdigest()
    words = ("kernel", "add", "again", f"{server}/mine.elf", "--sha256")
    nitro_(*words, sha256)
    assert "has the SHA-256" in nitro_(*words, "0" * 64, code=2).stderr
    (tmp_path / "site/a \N{LATIN SMALL LETTER O WITH DIAERESIS}.elf").write_bytes(file.read_bytes())
    nitro_("kernel", "add", "quoted", f"{server}/a \N{LATIN SMALL LETTER O WITH DIAERESIS}.elf")
    (tmp_path / "site/page").write_text("<html>")
    (tmp_path / "site/zip").write_bytes(b"PK\3\4")
    for name in ("page", "zip"):
        refused = nitro_("kernel", "add", "x", f"{server}/{name}", code=2).stderr
        assert f"nitro: {server}/{name}: " in refused
    assert "404" in nitro_("kernel", "add", "x", f"{server}/none", code=3).stderr


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("../x", "file"), "cannot be a kernel's name"),
        (("x", "file", "--sha256", "abc"), "not a SHA-256"),
        (("x", "/none"), "No such file"),
        (("x", "ftp://host/file"), "cannot be fetched"),
        (("x", "http://127.0.0.1:9"), "cannot be fetched"),
    ],
)
def test_bad_words(words: tuple[str, ...], what: str, file: Path) -> None:
    assert what in nitro_("kernel", "add", *words, code=2).stderr


def test_inspect_shows_a_kernel(file: Path) -> None:
    shown = nitro_("inspect", str(file)).stdout
    assert "3 files, room for" in shown
    assert json_of("kernel", "inspect", str(file))["drivers"] == ["ena"]
    assert "/libenv.so" in nitro_("inspect", str(file), "--files").stdout


def test_inspect_knows_a_kernel_for_linuxs_boot_protocol(file: Path) -> None:
    file.write_bytes(SETUP + bytes(1024) + build())
    assert json_of("kernel", "inspect", str(file))["kind"] == "vmlinuz"
    file.write_bytes(SETUP + bytes(100_000))  # as Linux's own is
    assert "no ELF file at its byte 2048" in nitro_("inspect", str(file), code=2).stderr


@pytest.mark.extended
def test_the_boot_sector_is_kept_by_way_of_an_index(
    file: Path, server: str, tmp_path: Path
) -> None:
    file.write_bytes(compressed_disk(build(size=1 << 20)))
    assert json_of("kernel", "kernel", "add", "mine", str(file))["boot_sector"]
    nitro_("kernel", "export", str(tmp_path / "site"))
    assert json_of("kernel", "kernel", "add", "mine", f"{server}/index.json")["boot_sector"]


def test_inspect_says_what_was_looked_for(file: Path) -> None:
    file.write_bytes(build()[:3000])
    refused = nitro_("inspect", str(file), code=2).stderr
    assert f"{file}: not an OSv kernel that nitro knows" in refused
