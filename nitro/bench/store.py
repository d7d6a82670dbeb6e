"""Where a record's files lie: a folder, or a prefix of a bucket. None is ever there in part."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from pyarrow import fs

from nitro.cloud import ApiError, Cloud
from nitro.errors import InputError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


class Store(Protocol):
    """Files by their paths below a root, such as `samples/night=2026-11-26/plan=x/a.parquet`."""

    filesystem: fs.FileSystem
    root: str

    def write(self, path: str, data: bytes) -> None:
        """Write a file; a reader sees all of it or, until then, what was there before."""

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""

    def read(self, folder: str) -> list[bytes]:
        """The content of all files of a folder, by their names; few and small ones."""


class _Reader:
    """Reads through Arrow's file system."""

    filesystem: fs.FileSystem
    root: str

    def read(self, folder: str) -> list[bytes]:
        selector = fs.FileSelector(f"{self.root}/{folder}", allow_not_found=True)
        infos = self.filesystem.get_file_info(selector)
        paths = sorted(info.path for info in infos if not info.base_name.startswith("."))
        return [self._content(path) for path in paths]

    def _content(self, path: str) -> bytes:
        with self.filesystem.open_input_file(path) as file:
            content: bytes = file.read()
            return content


class FolderStore(_Reader):
    """A folder. A file is written beside its place and renamed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.filesystem = fs.LocalFileSystem()
        self.root = str(self.folder)

    def write(self, path: str, data: bytes) -> None:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Readers leave out names that begin with a dot.
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the name, too, outlives a crash of the machine
        finally:
            os.close(folder)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink(missing_ok=True)


class S3Store(_Reader):
    """A prefix of a bucket: objects are never there in part.

    Written by boto3, which repeats calls, and read by Arrow, which fetches only the columns that
    a query needs. The bucket has to be in the cloud's region.
    """

    def __init__(self, cloud: Cloud, bucket: str, prefix: str) -> None:
        self._s3: S3Client = cloud.s3
        self._bucket, self._prefix = bucket, prefix
        self.root = str(PurePosixPath(bucket, prefix))
        credentials = cloud.session.get_credentials()
        key = credentials.get_frozen_credentials() if credentials else None
        endpoint = (cloud.endpoint_url or "").partition("://")
        self.filesystem = fs.S3FileSystem(
            access_key=key.access_key if key else None,
            secret_key=key.secret_key if key else None,
            session_token=key.token if key else None,
            region=cloud.region,
            scheme=endpoint[0] or "https",
            endpoint_override=endpoint[2] or None,
        )

    def write(self, path: str, data: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=self._key(path), Body=data)

    def remove(self, path: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=self._key(path))

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
    bucket, prefix = s3_place(location)
    try:
        cloud.s3.head_bucket(Bucket=bucket)
    except ApiError as error:
        if error.absent:
            raise InputError(f"there is no bucket {bucket}", hint="create it first") from None
        raise
    return S3Store(cloud, bucket, prefix)
