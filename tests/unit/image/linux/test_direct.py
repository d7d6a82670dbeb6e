"""What QEMU starts an image's kernel from."""

from __future__ import annotations

import json
from pathlib import Path

from nitro.image import Image
from nitro.image.linux import direct, disk


def _image(folder: Path) -> Image:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"kernel": {"release": "6.12", "command_line": "quiet a=b"}}))
    path = folder / "disk.raw"
    facts = ("one", path, "sha256:0", 0, manifest, False, 0.0, 64, "x86_64", "legacy-bios")
    return Image(*facts, ports=(), tags={}, description="")


def test_kernel_and_initrd_of_the_disk(tmp_path: Path) -> None:
    image = _image(tmp_path)
    files = {"VMLINUZ": b"kernel" * 9000, "INITRD": b"files"}
    disk.write(image.path, boot=b"", core=b"", files=files)
    found = direct.unpack(image, tmp_path)
    assert found is not None
    assert found.kernel.read_bytes() == files["VMLINUZ"]
    assert found.initrd.read_bytes() == files["INITRD"]
    assert found.command_line == "quiet a=b"


def test_a_disk_without_linux(tmp_path: Path) -> None:
    image = _image(tmp_path)
    image.path.write_bytes(bytes(1 << 20))
    assert direct.unpack(image, tmp_path) is None
