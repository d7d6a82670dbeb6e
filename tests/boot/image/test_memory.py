"""An image boots, whole, on the machine that it asks for; `benchmarks/memory.py` finds how tight
that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.memory import holds, image_of
from nitro.errors import InputError
from nitro.local import qemu

pytestmark = pytest.mark.boot


@pytest.mark.parametrize(
    ("suite", "boot_mode", "content", "megabytes"),
    [
        ("trixie", "legacy-bios", "random", 1),
        ("trixie", "legacy-bios", "random", 80),
        ("trixie", "uefi", "zeros", 80),
        ("bookworm", "legacy-bios", "random", 1),
    ],
)
def test_the_computed_memory_suffices(
    tmp_path: Path, suite: str, boot_mode: str, content: str, megabytes: int
) -> None:
    image = image_of(tmp_path, suite, boot_mode, content, megabytes)
    memory = image.minimum_memory_mib
    assert holds(qemu.find(), image, megabytes * 1_000_000, memory, tmp_path)


def test_what_grub_cannot_load_by_bios_is_refused(tmp_path: Path) -> None:
    """It would start a kernel without files, which panics."""
    with pytest.raises(
        InputError, match=r"take 9\d\d MB, compressed; by BIOS at most 860 MB"
    ) as said:
        image_of(tmp_path, "trixie", "legacy-bios", "random", 900)
    assert 'boot_mode = "uefi"' in str(said.value.hint)
    assert image_of(tmp_path, "trixie", "uefi", "random", 900).size_bytes > 900_000_000
