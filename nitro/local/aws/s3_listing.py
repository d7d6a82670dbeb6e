"""Answers of S3, where moto's are not AWS's: owners, dates, checksums, pages, URL encoding.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from moto.s3.models import OWNER

from nitro.local.aws import s3_parts
from nitro.local.aws.checksums import encoded

MOST_UPLOADS = 1000  # in a page

#: operation → the elements that `encoding-type=url` is for and that moto does not encode
_PLAIN: Mapping[str, tuple[str, ...]] = {
    "ListMultipartUploads": ("Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"),
    "ListObjectVersions": ("Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"),
    "ListObjects": ("Prefix", "Delimiter", "Marker", "NextMarker"),
    "ListObjectsV2": ("Delimiter", "StartAfter"),
}


def amend(response: Any, operation: str, result: dict[str, Any]) -> None:
    """Change what moto answers to an operation."""
    if change := _AMENDED.get(operation):
        change(response, result)


def encode(operation: str, body: str, query: Mapping[str, list[str]]) -> str:
    """The XML of a list, encoded as the request asks for."""
    names = _PLAIN.get(operation)
    if names is None or query.get("encoding-type") != ["url"]:
        return body

    def quoted(found: re.Match[str]) -> str:
        return f"<{found[1]}>{quote(unescape(found[2]), safe='/')}</{found[1]}>"

    body = re.sub(rf"<({'|'.join(names)})>([^<]*)</\1>", quoted, body)
    if "<EncodingType>" in body:
        return body
    start, end, tail = body.rpartition("</")
    return f"{start}<EncodingType>url</EncodingType>{end}{tail}"


def _owned(_response: Any, result: dict[str, Any]) -> None:
    result["Owner"] = {"ID": OWNER, "DisplayName": "webfile"}  # as everywhere else


def _paged_uploads(response: Any, result: dict[str, Any]) -> None:
    """By key and date, from the marker on, and of keys with the delimiter only what is before."""
    uploads = response.backend.list_multipart_uploads(response.bucket_name)
    query = {name: values[0] for name, values in response.querystring.items()}
    for each in result["Uploads"]:
        each["Initiated"] = uploads[each["UploadId"]].initiated
    ordered = sorted(result["Uploads"], key=lambda each: (each["Key"], each["Initiated"]))
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    entries = []  # (key or common prefix, upload)
    for each in ordered:
        rest, cut, _ = each["Key"][len(prefix) :].partition(delimiter) if delimiter else ("",) * 3
        entries.append((prefix + rest + cut, None) if cut else (each["Key"], each))
    entries = [*dict.fromkeys((name, None) for name, each in entries if each is None)] + [
        (name, each) for name, each in entries if each is not None
    ]
    entries.sort(key=lambda entry: entry[0])
    entries = _after(entries, query.get("key-marker", ""), query.get("upload-id-marker", ""))
    most = min(int(query.get("max-uploads", MOST_UPLOADS)), MOST_UPLOADS)
    page = entries[:most]
    result["Uploads"] = [each for _, each in page if each is not None]
    result["CommonPrefixes"] = [{"Prefix": name} for name, each in page if each is None]
    result.update(
        KeyMarker=query.get("key-marker", ""),
        UploadIdMarker=query.get("upload-id-marker", ""),
        MaxUploads=most,
        IsTruncated=len(entries) > most,
        Prefix=prefix,
    )
    if delimiter:
        result["Delimiter"] = delimiter
    if len(entries) > most > 0:
        name, last = page[-1]
        result.update(NextKeyMarker=name, NextUploadIdMarker=last["UploadId"] if last else "")


def _after(entries: list[tuple[str, Any]], key: str, upload_id: str) -> list[tuple[str, Any]]:
    """The entries behind a marker; with an upload's id, behind that upload of the key."""
    if not key:
        return entries
    behind = [entry for entry in entries if entry[0] > key]
    same = [entry for entry in entries if entry[0] == key and entry[1] is not None]
    ids = [each["UploadId"] for _, each in same]
    return same[ids.index(upload_id) + 1 :] + behind if upload_id in ids else behind


def _with_checksums(response: Any, result: dict[str, Any]) -> None:
    upload = response.upload()
    algorithm = s3_parts.algorithm_of(upload)
    if upload is None or algorithm is None:
        return
    result["ChecksumAlgorithm"], result["ChecksumType"] = algorithm, s3_parts.checksum_type(upload)
    for each in result["Parts"]:
        each[f"Checksum{algorithm}"] = upload.parts[each["PartNumber"]].checksum_value


def _copied(response: Any, result: dict[str, Any]) -> None:
    """A copy is in one piece, whatever its source was, and has the checksum of all of it."""
    key = response.backend.get_object(response.bucket_name, response.parse_key_name())
    key.multipart, algorithm = None, key.checksum_algorithm
    if algorithm:
        value = encoded(algorithm, key.value)
        key.checksum_value, key.checksum_type, key.checksum_parts = value, "FULL_OBJECT", None
        told = {f"Checksum{algorithm}": value, "ChecksumType": key.checksum_type}
        result["CopyObjectResult"].update(told)


_AMENDED: Mapping[str, Callable[[Any, dict[str, Any]], None]] = {
    "CopyObject": _copied,
    "ListBuckets": _owned,
    "ListMultipartUploads": _paged_uploads,
    "ListParts": _with_checksums,
}
