"""Open Virtualization Archives: a tar with a description (OVF), disks, and perhaps their sums.

DMTF DSP0243 (OVF 1.1), sections 5 and 7. Only what VM Import takes is read: VMDK disks, not
compressed, each in one file. https://docs.aws.amazon.com/vm-import/latest/userguide/prerequisites.html
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from nitro.errors import NitroError

MOST_MEMBERS = 64
LARGEST_TEXT = 1 << 20  # bytes of a description or a manifest
_SUM = re.compile(r"(SHA1|SHA256)\s*\(([^()]+)\)\s*=\s*([0-9a-fA-F]+)\s*")


def disks(content: bytes) -> list[memoryview]:
    """The VMDK disks in the order of the description, the one that boots first; nothing is copied.

    NitroError for what is no such archive, or whose manifest does not agree with it.
    """
    members = _members(content)
    descriptions = [name for name in members if name.lower().endswith(".ovf")]
    if len(descriptions) != 1:
        raise NitroError(f"the OVA has {len(descriptions)} OVF files, and must have one")
    _check_sums(members)
    found = list(_named(_parsed(members[descriptions[0]]), members))
    if not found:
        raise NitroError("the OVF describes no disk")
    return found


def _members(content: bytes) -> dict[str, memoryview]:
    """Name → content of the plain files, of which nothing is copied."""
    view, found = memoryview(content), dict[str, memoryview]()
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                if len(found) >= MOST_MEMBERS:
                    raise NitroError(f"the OVA has more than {MOST_MEMBERS} files")
                if not member.isreg() or member.issparse():
                    raise NitroError(f"{member.name!r} in the OVA is no plain file")
                if member.name in found:
                    raise NitroError(f"the OVA has two files {member.name!r}")
                data = view[member.offset_data : member.offset_data + member.size]
                if len(data) < member.size:
                    raise NitroError(f"the OVA ends within {member.name!r}")
                found[member.name] = data
    except RecursionError:  # tarfile reads a header before the header that it is about
        raise NitroError("the OVA has too many headers for one file") from None
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise NitroError(f"the OVA is no tar archive: {error}") from None
    return found


def _parsed(description: memoryview) -> ElementTree.Element:
    text = _text(description, "OVF")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise NitroError("the OVF has a document type, which is not read")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise NitroError(f"the OVF is no XML: {error}") from None


def _named(root: ElementTree.Element, members: Mapping[str, memoryview]) -> Iterator[memoryview]:
    named = set[str]()
    files = {each.get("id"): each for each in _elements(root, "File")}
    for disk in _elements(root, "Disk"):
        reference = disk.get("fileRef")
        if reference is None:  # an empty disk
            continue
        if reference not in files:
            raise NitroError(f"the OVF's disk {disk.get('diskId')!r} is of no file of it")
        file = files[reference]
        name = file.get("href", "")
        if file.get("compression", "identity") != "identity" or file.get("chunkSize"):
            raise NitroError(f"{name!r} in the OVA is compressed or in pieces")
        if "vmdk" not in disk.get("format", "").lower():
            raise NitroError(f"{name!r} in the OVA is not described as a VMDK")
        if name not in members:
            raise NitroError(f"the OVA lacks {name!r}, which its OVF names")
        if name in named:
            raise NitroError(f"the OVF has two disks of {name!r}")
        named.add(name)
        yield members[name]


def _elements(root: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Without namespaces, which differ between versions."""
    for element in root.iter():
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == name:
            bare = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
            yield ElementTree.Element(name, bare)


def _check_sums(members: Mapping[str, memoryview]) -> None:
    for manifest in (name for name in members if name.lower().endswith(".mf")):
        summed = set[tuple[str, str]]()
        for line in _text(members[manifest], "manifest").splitlines():
            if not (match := _SUM.fullmatch(line)):
                continue
            algorithm, name, stated = match.groups()
            if (algorithm, name) in summed:  # which would be read once more for each
                raise NitroError(f"the manifest in the OVA has two sums of {name!r}")
            summed.add((algorithm, name))
            if name not in members:
                raise NitroError(f"the OVA lacks {name!r}, which its manifest names")
            if hashlib.new(algorithm, members[name]).hexdigest() != stated.lower():
                raise NitroError(f"{name!r} in the OVA is not what its manifest says")


def _text(data: memoryview, what: str) -> str:
    if len(data) > LARGEST_TEXT:
        raise NitroError(f"the {what} in the OVA is larger than {LARGEST_TEXT} bytes")
    try:
        return bytes(data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NitroError(f"the {what} in the OVA is not UTF-8") from None
