"""Buckets and their objects that outlive the process.

    buckets/ACCOUNT-PARTITION/BUCKET/bucket.json      the bucket and its configuration
                                    /KEY.json         all versions of the object
                                    /KEY-NAME         the bytes of one version

KEY is a hash of the object's key. Uploads in parts that are not complete are not kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import shutil
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from moto.core.utils import utcnow
from moto.s3.models import (
    CorsRule,
    FakeAcl,
    FakeBucket,
    FakeDeleteMarker,
    FakeGrant,
    FakeGrantee,
    FakeKey,
    PublicAccessBlock,
    s3_backends,
)

from nitro.local.aws import kept
from nitro.local.aws.s3_expiry import expired
from nitro.local.aws.site import Site
from nitro.replacing import replacing

FOLDER = "buckets"
_BUCKET = "bucket.json"

# Attributes of moto's that JSON can hold as they are.
_OF_BUCKET = (
    *("versioning_status", "encryption", "ownership_rule", "object_lock_enabled"),
    *("default_lock_mode", "default_lock_days", "default_lock_years"),
)
_OF_OBJECT = (
    *("_etag", "_version_id", "_is_versioned", "_storage_class", "contentsize"),
    *("encryption", "kms_key_id", "bucket_key_enabled", "website_redirect_location"),
    *("lock_mode", "lock_legal_status", "lock_until"),
    *("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts"),
)
_OF_BLOCK = (
    *("block_public_acls", "ignore_public_acls", "block_public_policy"),
    "restrict_public_buckets",
)

_log = logging.getLogger(__name__)


class StoredBytes:
    """The bytes of an object, in place of the temporary file in which moto has them."""

    def __init__(self, path: Path) -> None:
        self.path, self._at = path, 0

    def seek(self, offset: int) -> None:
        self._at = offset

    def read(self, size: int = -1) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self._at)
            data = file.read(size)
        self._at += len(data)
        return data

    def close(self) -> None:
        """Nothing is open between two reads."""


class KeptBackend:
    """Part of the S3 backend; see `nitro.local.aws.s3`."""

    site: Site | None = None  # of the class: moto empties an instance to reset it
    account_id: str
    region_name: str
    buckets: dict[str, Any]
    tagger: Any

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)  # type: ignore[call-arg]
        self._keeping = threading.Lock()
        self._restore()

    def keep(self, bucket_name: str, key_name: str = "") -> None:
        """Write what a request may have changed: of one object, or of the bucket and all of it."""
        folder = self._folder(bucket_name)
        if folder is None:
            return
        try:
            with self._keeping:
                self._keep(folder, self.buckets.get(bucket_name), key_name)
        except OSError:  # a full disk is no reason to fail every call; the next one tries again
            _log.exception("%s cannot be written", folder)

    def _keep(self, folder: Path, bucket: Any, key_name: str) -> None:
        if bucket is None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / _BUCKET, _bucket_entry(bucket, self._tags(bucket)))
        if key_name:
            self._keep_object(folder, key_name, bucket.keys.getlist(key_name, []))
            return
        there = {_stem(name): (name, versions) for name, versions in bucket.keys.lists()}
        for name, versions in there.values():
            self._keep_object(folder, name, versions)
        for path in folder.glob("*.json"):
            if path.name != _BUCKET and path.stem not in there:
                _remove(path)

    def _keep_object(self, folder: Path, name: str, versions: Iterable[Any]) -> None:
        path = folder / f"{_stem(name)}.json"
        entries = []
        for version in list(versions):
            if isinstance(version, FakeDeleteMarker):
                _let_go(version)
                modified = version.last_modified.isoformat()
                entries.append({"marker": version.version_id, "modified": modified})
            elif not version.disposed:
                stored = _store(folder, path.stem, version)
                entries.append({**_object_entry(version, self._tags(version)), "bytes": stored})
        if not entries:
            _remove(path)
            return
        _write(path, {"key": name, "versions": entries})
        _sweep(path, {entry["bytes"] for entry in entries if "bytes" in entry})

    def _restore(self) -> None:
        """What cannot be read is left out."""
        folder = self._folder()
        for path in sorted(folder.glob(f"*/{_BUCKET}")) if folder else ():
            try:
                self._restore_bucket(path.parent, kept.read(path))
            except (AttributeError, LookupError, TypeError, ValueError):
                _log.exception("%s: the bucket is left out", path)
                self.buckets.pop(path.parent.name, None)
                s3_backends.bucket_accounts.pop(path.parent.name, None)

    def _restore_bucket(self, folder: Path, entry: dict[str, Any]) -> None:
        bucket = FakeBucket(folder.name, self.account_id, entry["region"])
        for name in _OF_BUCKET:
            setattr(bucket, name, entry[name])
        bucket.creation_date = datetime.fromisoformat(entry["created"])
        bucket.policy = entry["policy"] and entry["policy"].encode()
        bucket.acl = _acl(entry["acl"])
        bucket.cors = [_cors_rule(rule) for rule in entry["cors"]]
        if entry["public_access"] is not None:
            bucket.public_access_block = PublicAccessBlock(**entry["public_access"])
        bucket.local_lifecycle = entry["lifecycle"] and tuple(entry["lifecycle"])
        self._add_tags(bucket, entry["tags"])
        self.buckets[bucket.name] = bucket
        for path in sorted(folder.glob("*.json")):
            if path.name == _BUCKET:
                continue
            try:
                held = kept.read(path, ("key", "versions"))
                versions = [self._version(bucket, path, held["key"], v) for v in held["versions"]]
            except (AttributeError, LookupError, OSError, TypeError, ValueError):
                _log.exception("%s: an object is left out", path)
            else:
                if expired(bucket, versions[-1], utcnow()):
                    _remove(path)
                else:
                    bucket.keys.setlist(held["key"], versions)

    def _version(self, bucket: Any, path: Path, name: str, entry: dict[str, Any]) -> Any:
        key = FakeKey(name, b"", self.account_id, bucket.region_name, bucket_name=bucket.name)
        modified = datetime.fromisoformat(entry["modified"])
        if "marker" in entry:
            marker = FakeDeleteMarker(key)
            marker._version_id, marker.last_modified = entry["marker"], modified
            return marker
        for attribute in _OF_OBJECT:
            setattr(key, attribute, entry[attribute])
        key.last_modified, key.acl = modified, _acl(entry["acl"])
        key.metadata.clear()
        key.metadata.update(entry["metadata"])
        if entry["parts"]:
            sizes = entry["parts"].items()
            parts = {int(number): SimpleNamespace(size=size) for number, size in sizes}
            key.multipart = SimpleNamespace(
                id=entry["upload"], parts=parts, partlist=sorted(parts), dispose=lambda: None
            )
        stored = path.parent / entry["bytes"]
        if stored.stat().st_size != key.contentsize:
            raise ValueError(f"{stored} has not the size that it had")
        key._value_buffer = StoredBytes(stored)
        self._add_tags(key, entry["tags"])
        return key

    def _folder(self, bucket_name: str = "") -> Path | None:
        if self.site is None or self.site.index is None:
            return None
        return self.site.index / FOLDER / f"{self.account_id}-{self.region_name}" / bucket_name

    def _tags(self, resource: Any) -> dict[str, str]:
        return dict(self.tagger.get_tag_dict_for_resource(resource.arn))

    def _add_tags(self, resource: Any, tags: dict[str, str]) -> None:
        if tags:
            given = [{"Key": name, "Value": value} for name, value in tags.items()]
            self.tagger.tag_resource(resource.arn, given)


def _bucket_entry(bucket: Any, tags: dict[str, str]) -> dict[str, Any]:
    block = bucket.public_access_block
    return {
        **{name: getattr(bucket, name) for name in _OF_BUCKET},
        "region": bucket.region_name,
        "created": bucket.creation_date.isoformat(),
        "policy": bucket.policy and _text(bucket.policy),
        "acl": _acl_entry(bucket.acl),
        "cors": [vars(rule) for rule in bucket.cors],
        "public_access": block and {name: getattr(block, name) for name in _OF_BLOCK},
        "lifecycle": getattr(bucket, "local_lifecycle", None),
        "tags": tags,
    }


def _object_entry(key: Any, tags: dict[str, str]) -> dict[str, Any]:
    parts = key.multipart.parts if key.multipart else {}
    return {
        **{name: getattr(key, name) for name in _OF_OBJECT},
        "_etag": key.etag.strip('"'),
        "modified": key.last_modified.isoformat(),
        "metadata": dict(key.metadata),
        "acl": _acl_entry(key.acl),
        "upload": key.multipart and key.multipart.id,
        "parts": {number: part.size for number, part in parts.items()},
        "tags": tags,
    }


def _acl_entry(acl: Any) -> list[Any] | None:
    if acl is None:
        return None
    return [[list(map(vars, grant.grantees)), list(grant.permissions)] for grant in acl.grants]


def _acl(entry: list[Any] | None) -> Any:
    if entry is None:
        return None
    return FakeAcl([FakeGrant([_grantee(each) for each in who], what) for who, what in entry])


def _grantee(held: dict[str, str]) -> Any:
    return FakeGrantee(held["id"], held["uri"], held["display_name"])


def _cors_rule(held: dict[str, Any]) -> Any:
    rule = CorsRule([], [])
    vars(rule).update(held)
    return rule


def _store(folder: Path, stem: str, key: Any) -> str:
    """The name of the file that has the object's bytes; written and used from then on."""
    held = key._value_buffer
    if isinstance(held, StoredBytes) and held.path.parent == folder:
        return held.path.name
    stored = folder / f"{stem}-{secrets.token_hex(8)}"
    with key.lock:
        key._value_buffer.seek(0)
        with stored.open("wb") as file:
            shutil.copyfileobj(key._value_buffer, file, 1 << 20)
        key._value_buffer.close()
        key._value_buffer = StoredBytes(stored)
    return stored.name


def _let_go(marker: Any) -> None:
    """A marker is listed without the object that it hides, whose bytes may be gone by then."""
    held = marker.key
    if isinstance(held, FakeKey) and held.contentsize:
        of_it = {"bucket_name": held.bucket_name}
        marker.key = FakeKey(held.name, b"", held.account_id, held.region_name, **of_it)


def _sweep(path: Path, named: set[str]) -> None:
    """Remove the bytes of versions that are no more."""
    for stored in path.parent.glob(f"{path.stem}-*"):
        if stored.name not in named:
            stored.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    _sweep(path, set())


def _write(path: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1)
    try:
        if path.read_text() == text:
            return
    except FileNotFoundError:
        pass
    with replacing(path) as fresh:
        fresh.write_text(text)


def _stem(key_name: str) -> str:
    return hashlib.sha256(key_name.encode(errors="surrogatepass")).hexdigest()[:40]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
