"""A record in S3 is the record of a folder: written whole, listed, read in place, removed."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.credentials import Credentials
from moto.server import ThreadedMotoServer

from nitro.bench import store as store_module
from nitro.bench.record import Record
from nitro.bench.store import FolderStore, S3Store, is_s3, s3_store
from nitro.cloud import Cloud
from nitro.errors import InputError
from tests.cloud.policed import granted
from tests.unit.bench.samples import NIGHT, sample


@pytest.fixture(scope="module")
def cloud():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with granted("bench", buckets=["benchmarks", "nowhere"]):
        cloud = Cloud.connect(region="us-east-1", endpoint_url=f"http://{host}:{port}")
    cloud.s3.create_bucket(Bucket="benchmarks")
    yield cloud
    server.stop()


@pytest.mark.extended
@pytest.mark.parametrize("prefix", ["", "/", "/fleet/eu"])
def test_a_record_in_s3(cloud, prefix):
    location = f"s3://benchmarks{prefix}"
    assert is_s3(location)
    record = Record(s3_store(cloud, location))
    plan = f"plan{len(prefix)}"
    for repetition in range(3):
        record.append([sample(repetition=repetition, plan=plan)])
    record.compact(plan, NIGHT)
    counted = record.query("SELECT count(*) AS n, sum(value) AS total FROM metrics", plan=plan)
    assert counted.to_pylist() == [{"n": 3, "total": 3e9}]
    assert len(record.ids(plan, NIGHT)) == 3
    keys = [o["Key"] for o in cloud.s3.list_objects_v2(Bucket="benchmarks")["Contents"]]
    assert len([key for key in keys if f"plan={plan}/" in key]) == 1


def test_a_damaged_file_in_s3_is_named_as_its_user_would(cloud):
    location = "s3://benchmarks/damaged"
    record = Record(s3_store(cloud, location))
    with pytest.raises(InputError, match=f"the record at {location} has no samples"):
        record.query("SELECT 1")
    record.append([sample()])
    [key] = (
        one["Key"]
        for one in cloud.s3.list_objects_v2(Bucket="benchmarks", Prefix="damaged")["Contents"]
    )
    cloud.s3.put_object(Bucket="benchmarks", Key=key, Body=b"PAR1 none")
    for read in (
        lambda: record.query("SELECT id FROM samples"),
        lambda: record.ids("small", NIGHT),
    ):
        with pytest.raises(InputError, match=f"s3://benchmarks/{key} is damaged"):
            read()


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("s3://", "is no place"),
        ("s3://A/b", "is no place"),
        ("s3://nowhere/x", "no bucket nowhere"),
    ],
)
def test_what_is_no_place_in_s3_is_refused(cloud, location, says):
    with pytest.raises(InputError, match=says):
        s3_store(cloud, location)


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    store.write("a/b", b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write("a/b", b"new and longer")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert (tmp_path / "a/b").read_bytes() == b"old"


def test_a_file_is_whole_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Then its name is, too: a crash of the machine leaves the old file or the new one."""
    synced = []
    real = os.fsync

    def fsync(descriptor):
        state = os.fstat(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        synced.append((name, state.st_size if stat.S_ISREG(state.st_mode) else "folder"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = FolderStore(tmp_path)
    store.write("a/file", b"12345")
    [(draft, size), folder] = synced
    assert draft.startswith(".file.")
    assert (size, folder) == (5, ("a", "folder"))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_draft_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    store.write("a/file", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write("a/file", b"new")
    assert store.read("a") == {"a/file": b"old"}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_files_are_read_in_the_order_of_their_names(tmp_path):
    store = FolderStore(tmp_path)
    for name in ("b", "c", "a", ".draft"):
        store.write(f"told/{name}", name.encode())
    assert list(store.read("told").items()) == [(f"told/{c}", c.encode()) for c in "abc"]
    assert store.read("none") == {}
    store.remove("told/b")
    store.remove("told/b")
    assert list(store.read("told")) == ["told/a", "told/c"]


def test_a_file_that_another_process_removes_meanwhile_is_left_out(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    for name in ("a", "b"):
        store.write(f"running/{name}", name.encode())
    real = store_module._shown

    def then_removed(infos):
        found = real(infos)
        store.remove("running/a")
        return found

    monkeypatch.setattr(store_module, "_shown", then_removed)
    assert store.read("running") == {"running/b": b"b"}


def test_a_record_in_s3_is_read_with_the_credentials_of_now(cloud):
    """A night may take longer than those that it began with."""

    class Session:
        key = "first"
        client = cloud.session.client

        def get_credentials(self):
            return Credentials(self.key, "secret")

    session = Session()
    store = S3Store(replace(cloud, session=session), "benchmarks", "renewed")
    before = store.filesystem
    assert store.filesystem is before
    session.key = "second"
    assert not store.filesystem.equals(before)
    assert store.filesystem is store.filesystem


def test_writing_leaves_no_descriptor_open(tmp_path):
    """A night writes thousands of files in one process."""
    store = FolderStore(tmp_path)
    store.write("a", b"1")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        store.write(f"b/{number}", b"1")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("place", ["file", "link", "file/below", "/proc/none"])
def test_a_record_where_no_folder_can_be_is_refused(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing/there")
    with pytest.raises(InputError, match="no folder can be there"):
        FolderStore(tmp_path / place).write("samples/x", b"")
