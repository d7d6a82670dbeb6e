"""Files from buckets; web servers are tried in tests/unit/cli/test_kernel.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitro.cloud import Cloud
from nitro.cloud.download import download, is_url
from nitro.errors import InputError, NitroError, RefusedError
from nitro.progress import Reporter


def fetch(url: str, out: Path) -> None:
    with Reporter().stage("download") as stage:
        download(url, out, stage, region="us-east-1")


def test_an_object_of_a_bucket(cloud: Cloud, tmp_path: Path) -> None:
    bucket = cloud.session.client("s3", region_name="us-east-1")
    bucket.create_bucket(Bucket="kernels")
    bucket.put_object(Bucket="kernels", Key="osv/loader.elf", Body=b"kernel")
    fetch("s3://kernels/osv/loader.elf", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"kernel"
    with pytest.raises(RefusedError, match="s3://kernels/none"):
        fetch("s3://kernels/none", tmp_path / "file")


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "https://", "s3://bucket", "s3:///key", "http://[::1/file"),
        *(
            "http://127.0.0.1:port/file",
            f"http://{'x' * 70}\N{LATIN SMALL LETTER O WITH DIAERESIS}/file",
        ),
    ],
)
def test_what_is_not_fetched(url: str, tmp_path: Path) -> None:
    assert is_url(url)
    with pytest.raises(InputError, match="cannot be fetched"):
        fetch(url, tmp_path / "file")


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NitroError, match="check that this machine reaches it"):
        fetch("http://127.0.0.1:9/file", tmp_path / "file")
