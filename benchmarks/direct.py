"""Direct snapshots: throughput and CPU time beside a plain boto3 loop, against a bare endpoint.

    python -m benchmarks.direct [--json] [MB…]

The endpoint (`benchmarks.bare_ebs`) accepts blocks and keeps none, so the client is the limit as
far as one machine allows. Every measurement is a process of its own, the two ways take turns, and
the best of three rounds counts. Without sizes, 64 MB to 4 GB are written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

import boto3
from botocore.config import Config

from nitro.cloud import Cloud, DiskImage
from nitro.cloud.block_writer import send_blocks
from nitro.cloud.disk import BLOCK_SIZE
from nitro.progress import Stage

SIZES = (64, 256, 1024, 4096)  # MB
ROUNDS = 3
THREADS = 64  # of the plain loop
SNAPSHOT, REGION = "snap-0123456789abcdef0", "eu-central-1"


class Figure(TypedDict):
    """One way of writing one disk."""

    way: str
    megabytes: int
    mb_per_s: float
    cpu_s_per_gb: float
    peak_mb: float


def nitro(url: str, path: Path) -> None:
    """As `nitro deploy --via ebs` writes."""
    cloud = Cloud.connect(region=REGION, endpoint_url=url)
    disk = DiskImage(path, "sha256:", path.stat().st_size, "bench")
    send_blocks(cloud, disk, SNAPSHOT, Stage())


def boto3_loop(url: str, path: Path) -> None:
    """As one writes it in ten lines."""
    client = boto3.client(
        "ebs",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="x",
        aws_secret_access_key="x",  # noqa: S106
        config=Config(max_pool_connections=THREADS),
    )
    with path.open("rb") as file, ThreadPoolExecutor(THREADS) as pool:

        def put(index: int) -> None:
            block = os.pread(file.fileno(), BLOCK_SIZE, index * BLOCK_SIZE)
            client.put_snapshot_block(
                SnapshotId=SNAPSHOT,
                BlockIndex=index,
                BlockData=block,
                DataLength=len(block),
                Checksum=base64.b64encode(hashlib.sha256(block).digest()).decode(),
                ChecksumAlgorithm="SHA256",
            )

        list(pool.map(put, range(path.stat().st_size // BLOCK_SIZE)))


WAYS: dict[str, Callable[[str, Path], None]] = {"nitro": nitro, "boto3": boto3_loop}


def measure_here(way: str, url: str, path: Path) -> Figure:
    """In this process: CPU time and memory are its own."""
    size = path.stat().st_size
    began, busy = time.perf_counter(), time.process_time()
    WAYS[way](url, path)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "way": way,
        "megabytes": round(size / 1e6),
        "mb_per_s": size / 1e6 / seconds,
        "cpu_s_per_gb": busy / (size / 1e9),
        "peak_mb": used.ru_maxrss / 1024,
    }


def measure(way: str, url: str, path: Path) -> Figure:
    """In a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.direct", "--one", way, url, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    figure: Figure = json.loads(done.stdout)
    return figure


def compare(sizes: tuple[int, ...], folder: Path) -> list[Figure]:
    """The best of each way at each size."""
    argv = [sys.executable, "-m", "benchmarks.bare_ebs"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as endpoint:
        assert endpoint.stdout
        url = endpoint.stdout.readline().strip()
        try:
            found = []
            for megabytes in sizes:
                path = folder / "disk.raw"
                _fill(path, megabytes)
                rounds = [[measure(way, url, path) for way in WAYS] for _ in range(ROUNDS)]
                found += [max(of_way, key=_rate) for of_way in zip(*rounds, strict=True)]
            return found
        finally:
            endpoint.terminate()


def _rate(figure: Figure) -> float:
    return figure["mb_per_s"]


def _fill(path: Path, megabytes: int) -> None:
    """A disk without zeros, and without two blocks that are alike."""
    blocks = megabytes * 10**6 // BLOCK_SIZE
    noise = os.urandom(BLOCK_SIZE - 8)
    with path.open("wb") as file:
        for index in range(blocks):
            file.write(index.to_bytes(8, "big") + noise)


def main(words: list[str]) -> None:
    if words[:1] == ["--one"]:
        print(json.dumps(measure_here(words[1], words[2], Path(words[3]))))
        return
    sizes = tuple(int(word) for word in words if word.isdecimal()) or SIZES
    with tempfile.TemporaryDirectory() as folder:
        found = compare(sizes, Path(folder))
    if "--json" in words:
        print(json.dumps(found))
        return
    for each in found:
        print(
            f"{each['megabytes']:>5} MB  {each['way']:<6} {each['mb_per_s']:>5.0f} MB/s  "
            f"{each['cpu_s_per_gb']:.2f} CPU s/GB  peak {each['peak_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
