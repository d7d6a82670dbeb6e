"""The client's archive: read in memory, within bounds, and never unpacked to disk.

It comes from a machine that may have been anybody's, so nothing in it is believed: plain files
with the expected names only, and no more bytes than measurements have.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib

from nitro.errors import ProbeError
from nitro.probe.reading import number, quote
from nitro.probe.step import StepOutput

LARGEST = 32 * 1024 * 1024  # bytes, uncompressed
MOST_FILES = 1024
_NAME = re.compile(r"([a-z0-9][a-z0-9-]{0,63})\.(out|err|rc|times)")


def read(data: bytes) -> dict[str, StepOutput]:
    """The outputs by the names of their steps; a step without `.times` did not end and is left out.

    Raises ProbeError for anything but a gzipped tar of such files.
    """
    files = _files(_unpack(data))
    names = {name for name, kind in files if kind == "times"}
    return {name: _output(name, files) for name in sorted(names)}


def _output(name: str, files: dict[tuple[str, str], str]) -> StepOutput:
    times = files[name, "times"].split()
    if len(times) != 3:
        raise ProbeError(f"the client's {name}.times is damaged: {quote(files[name, 'times'])}")
    began, start, end = (number(time, f"a time in the client's {name}.times") for time in times)
    if not 0 <= began < 1e11 or not 0 <= start <= end < 1e9:
        raise ProbeError(f"the client's {name}.times is impossible: {quote(' '.join(times))}")
    return StepOutput(
        stdout=files.get((name, "out"), ""),
        stderr=files.get((name, "err"), ""),
        started=began,
        seconds=round(end - start, 3),
    )


def _files(data: bytes) -> dict[tuple[str, str], str]:
    files: dict[tuple[str, str], str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                name = _NAME.fullmatch(member.name)
                key = (name[1], name[2]) if name else None
                # A negative size leads back in the archive, for ever.
                plain = member.isreg() and member.size >= 0
                if key is None or not plain or key in files or len(files) >= MOST_FILES:
                    raise ProbeError(f"the client's archive has no place for {quote(member.name)}")
                content = archive.extractfile(member)
                assert content is not None  # it is a regular file
                files[key] = content.read().decode(errors="replace")
    except (
        tarfile.TarError,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ProbeError(f"the client's archive cannot be read: {quote(str(error))}") from None
    return files


def _unpack(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = stream.decompress(data, LARGEST)
    except zlib.error as error:
        raise ProbeError(f"the client's archive cannot be read: {error}") from None
    if len(unpacked) == LARGEST and not stream.eof:
        raise ProbeError(f"the client's archive has more than {LARGEST} bytes")
    if not stream.eof or stream.unused_data:
        raise ProbeError("the client's archive is not one whole gzip file")
    return unpacked
