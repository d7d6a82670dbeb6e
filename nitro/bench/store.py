"""Where a record's files lie: a folder, or a prefix of a bucket. None is ever there in part."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from pyarrow import fs

from nitro.errors import InputError, NitroError
from nitro.replacing import replacing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from nitro.cloud import Cloud

_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class Store(Protocol):
    """Files by their paths below a root, such as `samples/night=2026-11-26/plan=x/a.parquet`."""

    root: str
    scheme: str  # before `root`, for people: "s3://"

    @property
    def filesystem(self) -> fs.FileSystem:
        """Arrow's, to read with now: its credentials may be used up after hours."""

    def write(self, path: str, data: bytes) -> None:
        """Write a file; a reader sees all of it or, until then, what was there before."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def read(self, folder: str) -> dict[str, bytes]:
        """The content of all files of a folder by their paths, in their order; few and small ones.

        Raises NitroError when they cannot be read.
        """


def _shown(infos: Sequence[fs.FileInfo]) -> list[str]:
    """The paths of files, without drafts and what else is hidden."""
    return sorted(one.path for one in infos if one.is_file and not one.base_name.startswith("."))


def _read(store: Store, folder: str) -> dict[str, bytes]:
    """`Store.read` through Arrow's file system. Others may remove a file that was listed."""
    selector = fs.FileSelector(f"{store.root}/{folder}", allow_not_found=True)
    found: dict[str, bytes] = {}
    try:
        infos = store.filesystem.get_file_info(selector)
        for path in _shown(infos):
            with suppress(FileNotFoundError), store.filesystem.open_input_file(path) as file:
                found[path.removeprefix(f"{store.root}/")] = file.read()
    except OSError as error:
        raise NitroError(
            f"the record at {store.scheme}{store.root} cannot be read: {error}"
        ) from None
    return found


class FolderStore:
    """A folder. A file is written beside its place and renamed."""

    scheme = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.filesystem = fs.LocalFileSystem()
        self.root = str(self.folder)

    def write(self, path: str, data: bytes) -> None:
        target = self.folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{target.parent}: no folder can be there", hint="--record names another record"
            ) from None
        # Readers leave out names that begin with a dot.
        with replacing(target) as draft, draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, outlives a crash of the machine
        finally:
            os.close(folder)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink(missing_ok=True)

    def read(self, folder: str) -> dict[str, bytes]:
        return _read(self, folder)


class S3Store:
    """A prefix of a bucket: objects are never there in part.

    Written by boto3, which repeats calls, and read by Arrow, which fetches only the columns that
    a query needs. The bucket has to be in the cloud's region.
    """

    scheme = "s3://"

    def __init__(self, cloud: Cloud, bucket: str, prefix: str) -> None:
        self._s3: S3Client = cloud.s3
        self._bucket, self._prefix = bucket, prefix
        self._cloud = cloud
        self._connected: tuple[object, fs.S3FileSystem] | None = None
        self.root = str(PurePosixPath(bucket, prefix))

    @property
    def filesystem(self) -> fs.FileSystem:
        """Made anew when the session has renewed its credentials, which Arrow does not."""
        credentials = self._cloud.session.get_credentials()
        key = credentials.get_frozen_credentials() if credentials else None
        if self._connected is None or self._connected[0] != key:
            endpoint = (self._cloud.endpoint_url or "").partition("://")
            connected = fs.S3FileSystem(
                access_key=key.access_key if key else None,
                secret_key=key.secret_key if key else None,
                session_token=key.token if key else None,
                region=self._cloud.region,
                scheme=endpoint[0] or "https",
                endpoint_override=endpoint[2] or None,
            )
            self._connected = key, connected
        return self._connected[1]

    def write(self, path: str, data: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=self._key(path), Body=data)

    def remove(self, path: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=self._key(path))

    def read(self, folder: str) -> dict[str, bytes]:
        return _read(self, folder)

    def _key(self, path: str) -> str:
        return str(PurePosixPath(self._prefix, path))


def is_s3(location: str) -> bool:
    return location.startswith("s3://")


def s3_place(location: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://BUCKET/PREFIX`. Raises InputError for what is none."""
    found = _LOCATION.fullmatch(location)
    if not found:
        raise InputError(f"{location!r} is no place for a record", hint="write s3://BUCKET/PREFIX")
    return found[1], (found[2] or "").strip("/")


def s3_store(cloud: Cloud, location: str) -> S3Store:
    """The store at `s3://BUCKET/PREFIX`. Raises InputError for what is none, or is not there."""
    from nitro.cloud import ApiError  # a record in a folder does without boto3

    bucket, prefix = s3_place(location)
    try:
        cloud.s3.head_bucket(Bucket=bucket)
    except ApiError as error:
        if error.absent:
            raise InputError(f"there is no bucket {bucket}", hint="create it first") from None
        raise
    return S3Store(cloud, bucket, prefix)
