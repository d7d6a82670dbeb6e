"""Finding a build again, and not finding it when anything is different."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro import paths
from nitro.errors import InputError
from nitro.image import build_cache
from nitro.ports import Port
from tests.unit.cache_uses import used_kinds


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> build_cache.Image:
    monkeypatch.setenv("NITRO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "disk.raw").write_bytes(b"disk")
    manifest = {
        "name": "x",
        "description": "",
        "digest": "sha256:00",
        "size_bytes": 4,
        "minimum_memory_mib": 192,
        "architecture": "x86_64",
        "boot_mode": "legacy-bios",
        "ports": [80, "udp:53"],
        "tags": {},
        "kernel": {"release": "6.12.0", "command_line": "quiet"},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return build_cache.from_manifest(tmp_path / "manifest.json")


def test_found_while_nothing_changed(image: build_cache.Image, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("1")
    build_cache.put("key", image, build_cache.states([source]))
    found = build_cache.find("key")
    assert found == image
    assert found.cached
    assert found.ports == (Port("tcp", 80), Port("udp", 53))
    assert build_cache.find("other") is None


def test_what_is_found_is_noted_as_used(
    image: build_cache.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "cache/images/00-x"
    home.mkdir(parents=True)
    for name in ("disk.raw", "manifest.json"):
        (tmp_path / name).rename(home / name)
    image = build_cache.from_manifest(home / "manifest.json")
    build_cache.put("key", image, {})
    assert used_kinds(lambda: build_cache.find("other"), monkeypatch) == set()
    assert used_kinds(lambda: build_cache.find("key"), monkeypatch) == {"builds", "images"}


@pytest.mark.parametrize(
    "change", ["content", "gone", "appeared", "disk", "disk gone", "ports", "record"]
)
def test_not_found_after_a_change(image: build_cache.Image, tmp_path: Path, change: str) -> None:
    source, absent = tmp_path / "source", tmp_path / "absent"
    source.write_text("1")
    build_cache.put("key", image, build_cache.states([source, absent]))
    match change:
        case "content":
            source.write_text("2 longer")
        case "gone":
            source.unlink()
        case "appeared":
            absent.write_text("")
        case "disk":
            image.path.write_bytes(b"cut")
        case "disk gone":
            image.path.unlink()
        case "ports":
            manifest = json.loads(image.manifest_path.read_text()) | {"ports": ["http"]}
            image.manifest_path.write_text(json.dumps(manifest))
        case "record":
            next((tmp_path / "cache/builds").iterdir()).write_text("{")
    assert build_cache.find("key") is None


@pytest.mark.parametrize(
    "text", ["", "[" * 100_000, "[]", "{}", '{"inputs": []}', '{"inputs": {}, "manifest": 1}']
)
def test_a_damaged_record_or_manifest_is_none(image: build_cache.Image, text: str) -> None:
    """A record is as if it were not there; a manifest that somebody names is an error."""
    build_cache.put("key", image, {})
    for record in (paths.cache_dir() / "builds").iterdir():
        record.write_text(text)
    assert build_cache.find("key") is None
    image.manifest_path.write_text(text)
    with pytest.raises(InputError, match="is not the manifest of an image"):
        build_cache.read(image.manifest_path)
    image.manifest_path.unlink()
    with pytest.raises(InputError, match="is not the manifest of an image"):
        build_cache.read(image.manifest_path)


def test_key_depends_on_every_part() -> None:
    keys = {build_cache.key(*parts) for parts in [("a", "b"), ("ab",), ("a", "c"), ("b", "a")]}
    assert len(keys) == 4


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of all code that `key` covers, so that a test may change it."""
    for start in build_cache.code():
        target = tmp_path / start.relative_to(paths.PACKAGE.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        if start.is_file():
            shutil.copy(start, target)
        else:
            shutil.copytree(start, target, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "nitro")
    monkeypatch.setattr(build_cache, "PACKAGE", tmp_path / "nitro")
    build_cache.code_digest.cache_clear()
    yield tmp_path
    build_cache.code_digest.cache_clear()


def new_key() -> str:
    build_cache.code_digest.cache_clear()
    return build_cache.key("recipe")


@pytest.mark.extended
def test_a_change_in_any_folder_of_code_makes_another_key(checkout: Path) -> None:
    files = {path.parent: path for path in checkout.rglob("*") if path.is_file()}
    assert {checkout / name for name in ("nitro/image", "nitro/debian", "amis/guest")} <= set(files)
    before = new_key()
    for file in files.values():
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert new_key() != before, file
        file.write_bytes(content)
    assert new_key() == before


def test_a_new_file_in_a_new_folder_makes_another_key(checkout: Path) -> None:
    before = new_key()
    (checkout / "nitro/image/bsd").mkdir()
    (checkout / "nitro/image/bsd/kernel.py").write_text("")
    assert new_key() != before


@pytest.mark.extended
def test_compiled_modules_do_not_count(checkout: Path) -> None:
    before = new_key()
    (checkout / "nitro/image/__pycache__").mkdir()
    (checkout / "nitro/image/__pycache__/fat.pyc").write_bytes(b"\0")
    assert new_key() == before


@pytest.mark.extended
def test_all_that_the_builder_imports_is_in_the_key() -> None:
    found: set[str] = set()
    todo = {"nitro.image.builder"}
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= imports(name) - found
    covered = build_cache.code()
    for name in found:
        file = module_file(name)
        assert any(file.is_relative_to(start) for start in covered), name


def module_file(name: str) -> Path:
    path = paths.PACKAGE.parent / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports(name: str) -> set[str]:
    """The modules of nitro's that a module imports by name."""
    found = set()
    for node in ast.walk(ast.parse(module_file(name).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nitro"):
            inside = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {node.module or "", *(m for m in inside if module_file(m).exists())}
    return found
