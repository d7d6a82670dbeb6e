"""The client's archive is read within bounds, and a hostile one is a ProbeError."""

import contextlib
import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitro.errors import ProbeError
from nitro.probe.archive import LARGEST, read
from nitro.probe.step import StepOutput

FILES = {
    "wait.out": b"",
    "wait.rc": b"0\n",
    "wait.times": b"1700000000 3.00 3.51\n",
    "http.out": b"Running 3s test\n",
    "http.err": b"warning\n",
    "http.rc": b"0\n",
    "http.times": b"1700000003 6.10 9.25\n",
}


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def archive(files: dict[str, bytes]) -> bytes:
    return gzip.compress(tar(*((tarfile.TarInfo(n), c) for n, c in files.items())))


def test_outputs_by_name():
    assert read(archive(FILES)) == {
        "wait": StepOutput("", "", 1700000000.0, 0.51),
        "http": StepOutput("Running 3s test\n", "warning\n", 1700000003.0, 3.15),
    }


def test_a_step_that_did_not_end_is_left_out():
    files = {name: content for name, content in FILES.items() if name != "http.times"}
    assert set(read(archive(files))) == {"wait"}


def test_output_that_is_not_utf8_is_kept_as_far_as_it_is():
    assert read(archive(FILES | {"http.out": b"a\xffb"}))["http"].stdout == "a\ufffdb"


@pytest.mark.parametrize(
    "name",
    ["../http.out", "/etc/passwd", "a/b.out", "http.sh", ".out", "HTTP.out", "x" * 80 + ".out"],
)
def test_unexpected_names_are_refused(name):
    with pytest.raises(ProbeError, match="has no place for"):
        read(archive(FILES | {name: b""}))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE],
)
def test_only_plain_files(kind):
    member = tarfile.TarInfo("http.out")
    member.type = kind
    member.linkname = "/etc/passwd"
    with pytest.raises(ProbeError, match="has no place for"):
        read(gzip.compress(tar((member, b""))))


def test_a_file_given_twice_is_refused():
    twice = [(tarfile.TarInfo("http.out"), b"a"), (tarfile.TarInfo("http.out"), b"b")]
    with pytest.raises(ProbeError, match=r"has no place for 'http\.out'"):
        read(gzip.compress(tar(*twice)))


@pytest.mark.extended
def test_too_many_files_are_refused():
    with pytest.raises(ProbeError, match="has no place for"):
        read(archive({f"a{number}.out": b"" for number in range(1025)}))


@pytest.mark.extended
def test_a_bomb_is_not_unpacked():
    with pytest.raises(ProbeError, match=f"more than {LARGEST} bytes"):
        read(gzip.compress(bytes(LARGEST * 8)))


@pytest.mark.parametrize(
    "times", [b"", b"1 2", b"1 2 3 4", b"a b c", b"1 3 2", b"-1 2 3", b"1 nan 3", b"1e9 2 3"]
)
def test_impossible_times_are_refused(times):
    with pytest.raises(ProbeError, match=r"http\.times"):
        read(archive(FILES | {"http.times": times}))


def test_what_is_not_one_whole_gzip_file_is_refused():
    good = archive(FILES)
    for bad in (b"", b"hello", good[:-1], good + b"more", good + good, good[: len(good) // 2]):
        with pytest.raises(ProbeError, match="archive"):
            read(bad)


def test_sizes_that_lead_backwards_end():
    # A negative size made tarfile of some Python versions read the same header for ever.
    data = bytearray(tar((tarfile.TarInfo("http.out"), b"x" * 600)))
    data[124:136] = b"\xff" * 11 + b"\x00"
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with pytest.raises(ProbeError, match="has no place for"):
        read(gzip.compress(bytes(data)))


@given(st.binary())
def test_arbitrary_bytes_give_a_probe_error(data):
    with pytest.raises(ProbeError):
        read(data)


@given(st.binary(min_size=1, max_size=2048))
def test_arbitrary_tars_give_outputs_or_a_probe_error(data):
    with contextlib.suppress(ProbeError):
        assert all(output.seconds >= 0 for output in read(gzip.compress(data)).values())


@pytest.mark.extended
@given(st.integers(0, 511), st.binary(min_size=1, max_size=16), st.booleans())
def test_changed_headers_give_outputs_or_a_probe_error(at, change, repair):
    data = bytearray(tar(*((tarfile.TarInfo(n), c) for n, c in FILES.items())))
    data[at : at + len(change)] = change
    if repair:
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
    with contextlib.suppress(ProbeError):
        assert set(read(gzip.compress(bytes(data)))) <= {"wait", "http"}


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (b"0 0 0", 0.0),
        (b"99999999999 1 2", 1.0),
        (b"100000000000 1 2", None),
        (b"1 999999999 999999999", 0.0),
        (b"1 0 1000000000", None),
        (b"1 5 5", 0.0),
        (b"1 5.001 5", None),
        (b"1 1.0 1.23456", 0.235),
        (b"-1 1 2", None),
        (b"1 -1 2", None),
    ],
)
def test_times_are_those_of_a_clock_that_runs(times, seconds):
    """A clock that starts at 0 is one, too: of a machine without a battery for it."""
    if seconds is None:
        with pytest.raises(ProbeError, match=r"http\.times"):
            read(archive(FILES | {"http.times": times}))
    else:
        assert read(archive(FILES | {"http.times": times}))["http"].seconds == seconds


@pytest.mark.parametrize(("name", "fits"), [("a" * 64, True), ("a" * 65, False), ("-a", False)])
def test_a_name_has_64_characters(name, fits):
    files = {f"{name}.times": b"1 2 3"}
    if fits:
        assert set(read(archive(files))) == {name}
    else:
        with pytest.raises(ProbeError, match="has no place for"):
            read(archive(files))


@pytest.mark.extended
def test_1024_files_are_the_most():
    """All that the largest plan has; they would be kept in memory."""
    assert len(read(archive({f"a{number}.times": b"1 2 3" for number in range(1024)}))) == 1024


@pytest.mark.extended
@pytest.mark.parametrize("more", [0, 1])
def test_an_archive_of_the_largest_size_is_read(more):
    """Of the tar file with its padding."""
    empty = gzip.decompress(archive({"a.out": b""}))
    out = bytearray(tar((tarfile.TarInfo("a.out"), bytes(LARGEST // 2))))
    out += bytes(LARGEST - len(out) + more)
    assert len(empty) < LARGEST
    if more:
        with pytest.raises(ProbeError, match="more than"):
            read(gzip.compress(bytes(out), 1))
    else:
        assert read(gzip.compress(bytes(out), 1)) == {}
