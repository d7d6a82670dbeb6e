"""A cloud without AWS: moto in this process, with the local Nitro's extensions and no machines."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from nitro.cloud import Cloud, DiskImage, role, storage
from nitro.local.aws import Site, install
from nitro.local.hypervisor import NullHypervisor
from nitro.local.store import BlockStore

REGION = "eu-central-1"


def blink(seconds: float) -> None:
    """Waits as the code under test does, only shorter."""
    time.sleep(min(seconds, 0.002))


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that open nothing, and no configuration of the user's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def hypervisor() -> NullHypervisor:
    return NullHypervisor()


@pytest.fixture
def site(tmp_path: Path, hypervisor: NullHypervisor) -> Iterator[Site]:
    with install(Site(BlockStore(tmp_path / "blocks"), hypervisor)) as site, mock_aws():
        yield site


@pytest.fixture
def bare_cloud(site: Site) -> Cloud:
    """An account in which nothing has been prepared."""
    return connect()


@pytest.fixture
def cloud(bare_cloud: Cloud) -> Cloud:
    """An account with the role that VM Import needs."""
    role.create(bare_cloud, storage.own_bucket_name(bare_cloud))
    return connect()


def connect(*, dry_run: bool = False) -> Cloud:
    return Cloud.connect(region=REGION, dry_run=dry_run, sleep=blink)


@pytest.fixture
def disk(tmp_path: Path) -> DiskImage:
    """Sparse, not a whole number of blocks, more than one part of an upload."""
    return make_disk(tmp_path / "bench.raw", seed=1)


def make_disk(path: Path, *, seed: int, name: str = "bench") -> DiskImage:
    data = random.Random(seed).randbytes(700_000)
    with path.open("wb") as file:
        file.write(data)
        file.seek(9_000_000)
        file.write(data[:300_001])
    content = path.read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return DiskImage(
        path,
        digest,
        len(content),
        name,
        boot_mode="uefi-preferred",
        minimum_memory_mib=128,
        tags={"team": "kernel"},
    )
