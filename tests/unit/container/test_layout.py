"""OCI layouts: which image is taken, and what contradicts itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.container_images import Layout, configuration, digest, layer, oci
from nitro.arch import X86_64
from nitro.container import layout
from nitro.container.source import Source
from nitro.errors import InputError

RAW = layer(files={"x": b"1"})


def find(folder: Path, tag: str | None = None) -> Source:
    return layout.find(folder, tag, X86_64)


def test_the_one_image(tmp_path: Path) -> None:
    found = find(oci(tmp_path / "app", [RAW], "zstd", Cmd=["/x"], Env=None))
    assert found.config.run.cmd == ("/x",)
    assert [one.diff_id for one in found.layers] == [digest(RAW)]
    assert found.inputs == (tmp_path / "app/index.json",)


def test_a_tag_chooses(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    made.offer(made.image([RAW], Cmd=["one"]), tag="one")
    made.offer(made.image([RAW], Cmd=["two"]), tag="two")
    assert find(made.folder, "two").config.run.cmd == ("two",)
    with pytest.raises(InputError, match=r"several images.*one, two"):
        find(made.folder)
    with pytest.raises(InputError, match=r"no such tag.*tags: one, two"):
        find(made.folder, "three")


def test_the_platform_is_that_of_the_machines(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    other = made.image([], config=configuration([], arch="arm64"))
    images = [(made.image([RAW], Cmd=["mine"]), "amd64"), (other, "arm64")]
    entries = [{**one, "platform": {"os": "linux", "architecture": arch}} for one, arch in images]
    made.offer(made.blob(json.dumps({"manifests": entries}).encode(), Layout.INDEX), tag="both")
    made.offer(made.blob(json.dumps({"manifests": entries[1:]}).encode(), Layout.INDEX), tag="arm")
    made.offer(other, tag="said-by-configuration")
    assert find(made.folder, "both").config.run.cmd == ("mine",)
    with pytest.raises(InputError, match="no image for linux/amd64; it has linux/arm64"):
        find(made.folder, "arm")
    with pytest.raises(InputError, match="an image for linux/arm64"):
        find(made.folder, "said-by-configuration")


def test_a_manifest_with_a_configuration_is_an_image_whatever_else_it_lists(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    image = made.image([RAW], Cmd=["mine"])
    document = json.loads(made.path(image["digest"]).read_text())
    both = {**document, "manifests": [made.image([RAW], Cmd=["other"])]}
    made.offer(made.blob(json.dumps(both).encode(), Layout.MANIFEST), tag="both")
    assert find(made.folder, "both").config.run.cmd == ("mine",)
    made.offer(made.blob(b"{}", Layout.MANIFEST), tag="neither")
    with pytest.raises(InputError, match="an image without a configuration"):
        find(made.folder, "neither")


def test_indexes_in_indexes_end(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    one = made.image([RAW])
    for _ in range(9):
        one = made.blob(json.dumps({"manifests": [one]}).encode(), Layout.INDEX)
    made.offer(one)
    with pytest.raises(InputError, match="indexes in indexes"):
        find(made.folder)


def test_a_blob_that_changed_is_gone_or_grew(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    one = made.image([RAW])
    made.offer(one)
    path = made.path(one["digest"])
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + b" ")
    with pytest.raises(InputError, match="another digest"):
        find(made.folder)
    path.write_bytes(raw + b" ")
    with pytest.raises(InputError, match=r"bytes, .* wanted"):
        find(made.folder)
    path.unlink()
    with pytest.raises(InputError, match="no blob sha256:"):
        find(made.folder)


@pytest.mark.parametrize(
    "index",
    ["", "[]", "{", '{"manifests": 7}', '{"manifests": [{"digest": "../../etc/passwd"}]}'],
)
def test_an_index_that_is_none(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(InputError, match=r"index.json|no such tag"):
        find(tmp_path)


def test_a_folder_that_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no OCI layout"):
        find(tmp_path)


def test_layers_that_the_configuration_does_not_have(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    made.offer(made.image([RAW], config=configuration([])))
    with pytest.raises(InputError, match="1 layers, 0 in its configuration"):
        find(made.folder)


def test_messages_name_the_layout_first(tmp_path: Path) -> None:
    """Where, then what: the folder is what somebody can look at."""
    made = Layout(tmp_path / "app")
    one = made.image([RAW])
    made.offer(one, tag="v1")
    path = made.path(one["digest"])
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + b" ")
    with pytest.raises(InputError) as changed:
        find(made.folder)
    assert str(changed.value).startswith(f"{made.folder}: ")
    assert f"the blob {one['digest']} has another digest" in str(changed.value)
    path.write_bytes(raw + b" ")
    with pytest.raises(InputError, match=f"{len(raw) + 1} bytes, {len(raw)} wanted"):
        find(made.folder)
    with pytest.raises(InputError, match=f"{made.folder}:v2: no such tag.*tags: v1$"):
        find(made.folder, "v2")
    made = Layout(tmp_path / "none")
    with pytest.raises(InputError, match=r"none: no such tag.*tags: none"):
        find(made.folder)


@pytest.mark.parametrize(("indexes", "fits"), [(4, True), (5, False)])
def test_an_index_may_be_in_four_others(tmp_path: Path, indexes: int, fits: bool) -> None:
    made = Layout(tmp_path / "app")
    one = made.image([RAW], Cmd=["/x"])
    for _ in range(indexes):
        one = made.blob(json.dumps({"manifests": [one]}).encode(), Layout.INDEX)
    made.offer(one)
    if fits:
        assert find(made.folder).config.run.cmd == ("/x",)
    else:
        with pytest.raises(InputError, match="indexes in indexes"):
            find(made.folder)


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_document_has_at_most_4_mib(tmp_path: Path, more: int, fits: bool) -> None:
    made = Layout(tmp_path / "app")
    made.offer(made.image([RAW], Cmd=["/x"]))
    index = tmp_path / "app/index.json"
    text = index.read_text()
    index.write_text(text.ljust((4 << 20) + more))
    if fits:
        assert find(made.folder).config.run.cmd == ("/x",)
    else:
        with pytest.raises(InputError, match="4194305 bytes, 4194304 wanted"):
            find(made.folder)


def test_the_same_image_offered_twice_is_one(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    one = made.image([RAW], Cmd=["/x"])
    made.offer(one, tag="latest")
    made.offer(one, tag="v1")
    assert find(made.folder).config.run.cmd == ("/x",)


def test_a_layer_is_what_its_blob_is(tmp_path: Path) -> None:
    made = Layout(tmp_path / "app")
    made.offer(made.image([RAW], "gzip"))
    [one] = find(made.folder).layers
    stored = one.open().read()
    assert (one.digest, one.name, one.size) == (digest(stored), digest(stored), len(stored))
