"""Archives of disks, well-formed and not."""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import NitroError
from nitro.local import ova

FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"


def archive(**members: bytes) -> bytes:
    """A tar with these files; a name's `_` is its dot."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def description(*names: str, more: str = "", form: str = FORMAT) -> bytes:
    """An OVF of these disks, in the order given; `more` stands in each file's element."""
    files = "".join(
        f'<File ovf:id="file{n}" ovf:href="{name}" {more}/>' for n, name in enumerate(sorted(names))
    )
    order = sorted(names)
    listed = "".join(
        f'<Disk ovf:diskId="d{n}" ovf:fileRef="file{order.index(name)}" ovf:format="{form}"/>'
        for n, name in enumerate(names)
    )
    space = "http://schemas.dmtf.org/ovf/envelope/1"
    return (
        f'<?xml version="1.0"?><Envelope xmlns="{space}" xmlns:ovf="{space}">'
        f"<References>{files}</References><DiskSection>{listed}</DiskSection></Envelope>"
    ).encode()


def test_disks_come_in_the_order_of_the_description() -> None:
    ovf = description("b.vmdk", "a.vmdk")
    manifest = f"SHA256(a.vmdk)= {hashlib.sha256(b'second').hexdigest()}\n".encode()
    content = archive(vm_ovf=ovf, a_vmdk=b"second", b_vmdk=b"first", vm_mf=manifest)
    assert ova.disks(content) == [b"first", b"second"]


# One that is about the header after it, as each of the others.
_COMMENT = tarfile.TarInfo("comment")
_COMMENT.type, _COMMENT.size = tarfile.XHDTYPE, 20
_HEADERS = _COMMENT.tobuf(tarfile.USTAR_FORMAT) + b"20 comment=aaaaaaaaa".ljust(512, b"\0")

WRONG = {
    "no tar archive": b"KDMV" + bytes(2000),
    "0 OVF files": archive(a_vmdk=b"x"),
    "2 OVF files": archive(a_ovf=b"x", b_ovf=b"x"),
    "is no XML": archive(a_ovf=b"<open>"),
    "is not UTF-8": archive(a_ovf=b"\xff\xfe\x00"),
    "has a document type": archive(a_ovf=b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'),
    "describes no disk": archive(a_ovf=description()),
    "lacks 'a.vmdk', which its OVF": archive(a_ovf=description("a.vmdk")),
    "compressed or in pieces": archive(
        a_ovf=description("a.vmdk", more='ovf:compression="gzip"'), a_vmdk=b"x"
    ),
    "not described as a VMDK": archive(a_ovf=description("a.vmdk", form="raw"), a_vmdk=b"x"),
    "is not what its manifest says": archive(
        a_ovf=description("a.vmdk"), a_vmdk=b"x", a_mf=b"SHA1(a.vmdk)= 00"
    ),
    "lacks 'b.vmdk', which its manifest": archive(
        a_ovf=description("a.vmdk"), a_vmdk=b"x", a_mf=b"SHA1(b.vmdk)= 00"
    ),
    "two disks of 'a.vmdk'": archive(
        a_ovf=description("a.vmdk").replace(
            b"</DiskSection>", b'<Disk ovf:fileRef="file0" ovf:format="vmdk"/></DiskSection>'
        ),
        a_vmdk=b"x",
    ),
    "two sums of 'a.vmdk'": archive(
        a_ovf=description("a.vmdk"),
        a_vmdk=b"x",
        a_mf=f"SHA1(a.vmdk)= {hashlib.sha1(b'x').hexdigest()}\n".encode() * 2,
    ),
    "too many headers": _HEADERS * 3000 + archive(a_ovf=description("a.vmdk"), a_vmdk=b"x"),
    "more than 64 files": archive(**{f"f{n}": b"" for n in range(65)}),
    "larger than": archive(a_ovf=b" " * (ova.LARGEST_TEXT + 1)),
    "ends within": archive(a_ovf=description("a.vmdk"), a_vmdk=bytes(5000))[:4000],
}


@pytest.mark.parametrize("reason", WRONG)
def test_what_is_no_archive_of_disks_is_refused(reason: str) -> None:
    with pytest.raises(NitroError, match=reason):
        ova.disks(WRONG[reason])


def test_what_is_read_costs_no_more_than_its_size() -> None:
    """A manifest of a megabyte, and a disk that is not copied."""
    nonsense = (b"SHA1(" * 200_000)[: ova.LARGEST_TEXT]
    content = archive(a_ovf=description("a.vmdk"), a_vmdk=b"x" * 5000, a_mf=nonsense)
    (disk,) = ova.disks(content)
    assert disk.obj is content


def test_a_link_is_no_disk() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("a.vmdk")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    with pytest.raises(NitroError, match="is no plain file"):
        ova.disks(made.getvalue())


WHOLE = archive(a_ovf=description("a.vmdk"), a_vmdk=b"disk", a_mf=b"SHA1(a.vmdk)= 00")


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), st.integers(0, len(WHOLE)))
def test_damaged_archives_are_refused_or_read(at: int, value: int, end: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] = value
    with suppress(NitroError):
        assert len(ova.disks(bytes(damaged[:end]))) == 1
