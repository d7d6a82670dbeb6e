"""What nitro makes of answers of the EBS direct API, and how many requests it makes at a time."""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro import progress
from nitro.cloud import Cloud, DiskImage, blocks, in_flight, parent, tags, verify
from nitro.cloud.direct import write_snapshot
from nitro.cloud.disk import BLOCK_SIZE
from nitro.cloud.in_flight import Abandoned, Window
from tests.cloud.answers import DENIED, FAILED, NOW, UNCLEAR, Answering, Refused, at, tagged
from tests.cloud.conftest import RUN
from tests.transcripts import compare

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
UNKNOWN = Refused("ResourceNotFoundException")
GONE = Refused("InvalidSnapshot.NotFound")


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "Window", lambda: Window(1, 1))


class Stage(progress.Stage):
    """What is told while blocks are sent, beside them, is noted at the end."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def progress(self, done: float, total: float | None = None, unit: str = "B") -> None:
        self.told.append(f"{done} of {total} {unit}")

    def status(self, text: str) -> None:
        self.told.append(text)


def started(status: str = "pending", **more: Any) -> dict[str, Any]:
    return {"SnapshotId": "snap-1", "Status": status, "StartTime": NOW, **more}


def snapshots(*states: str) -> list[Any]:
    return [{"Snapshots": [{"SnapshotId": "snap-1", "State": state}]} for state in states]


def marks_of(disk: DiskImage) -> list[bytes]:
    data = disk.path.read_bytes()
    parts = [data[start : start + BLOCK_SIZE] for start in range(0, len(data), BLOCK_SIZE)]
    return [hashlib.sha256(part.ljust(BLOCK_SIZE, b"\0")).digest()[:16] for part in parts]


def recorded(marks: list[bytes]) -> list[dict[str, str]]:
    text = base64.b64encode(zlib.compress(b"".join(marks), 9)).decode()
    values = [text[start : start + 256] for start in range(0, len(text), 256)]
    return [{"Key": f"{tags.BLOCKS}{n}", "Value": value} for n, value in enumerate(values)]


def proven(number: int, *more: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "SnapshotId": f"snap-{number}",
        "State": "completed",
        "VolumeSize": 1,
        "StartTime": at(100 - number),
        "Tags": [*tagged(nitro_digest="sha256:0"), *more],
    } | fields


def test_snapshots_are_written(aws: Answering, disk: DiskImage) -> None:
    def write(cloud: Cloud, options: Any = None, run: tags.Run = RUN, of: Any = None) -> object:
        stage = Stage()
        with aws.undo(cloud) as undo:
            try:
                done = write_snapshot(cloud, of or disk, run, undo, stage, **(options or {}))
            finally:
                aws.note(" | ".join(stage.told))
                aws.note(str([(each.id, each.lifetime.value, each.done) for each in undo.entries]))
            return done, done.bytes_sent

    parents: Any = {"Snapshots": []}
    base: Any = {
        "DescribeSnapshots": [parents, *snapshots("pending", "completed")],
        "StartSnapshot": started(),
        "PutSnapshotBlock": {},
        "CompleteSnapshot": {"Status": "pending"},
        "CreateTags": {},
        "DeleteSnapshot": {},
    }
    alone = base | {"DescribeSnapshots": snapshots("pending", "completed")}
    aws.case("plain", write, base)
    aws.case("not on a parent", write, alone, {"incremental": False})
    aws.case(
        "with a key", write, base | {"StartSnapshot": started(KmsKeyArn="k")}, {"kms_key_arn": "k"}
    )
    aws.case("ephemeral", write, base, {}, replace(RUN, ephemeral=True))
    aws.case(
        "of many tags", write, base, {}, RUN, replace(disk, tags={f"{n}": "" for n in range(44)})
    )
    aws.case("planned", write, {"DescribeSnapshots": parents}, {}, dry_run=True)
    soon = {"HTTPHeaders": {"date": "Sat, 31 Jan 2026 12:00:30 GMT"}}
    for title, more in {
        "by an earlier run": {"StartSnapshot": started("completed")},
        "failed": {"StartSnapshot": [started("error"), started()]},
        "always failed": {"StartSnapshot": started("error")},
        "refused": {"StartSnapshot": DENIED},
        "unclear": {
            "StartSnapshot": UNCLEAR,
            "DescribeSnapshots": [parents, *snapshots("pending")],
        },
        "no parent to blame": {"StartSnapshot": Refused("ValidationException")},
        "not visible yet": {"PutSnapshotBlock": [UNKNOWN, UNKNOWN, {}]},
        "never visible": {
            "PutSnapshotBlock": UNKNOWN,
            "StartSnapshot": [started(), started("completed")],
        },
        "no more visible": {
            "PutSnapshotBlock": UNKNOWN,
            "StartSnapshot": [
                started(StartTime=NOW - timedelta(seconds=119)),
                started("completed"),
            ],
        },
        "old": {
            "PutSnapshotBlock": UNKNOWN,
            "StartSnapshot": [
                started(StartTime=NOW - timedelta(seconds=120)),
                started("completed"),
            ],
        },
        "by the service's clock": {
            "PutSnapshotBlock": UNKNOWN,
            "StartSnapshot": [
                started(ResponseMetadata=soon, StartTime=NOW - timedelta(seconds=85)),
                started("completed"),
            ],
        },
        "block refused, completed": {
            "PutSnapshotBlock": FAILED,
            "DescribeSnapshots": [parents, *snapshots("completed")],
        },
        "block refused": {
            "PutSnapshotBlock": FAILED,
            "DescribeSnapshots": [parents, *snapshots("pending")],
        },
        "block refused, failed": {
            "PutSnapshotBlock": FAILED,
            "DescribeSnapshots": [parents, *snapshots("error", "completed")],
            "StartSnapshot": [started(), started("completed")],
        },
        "completed by another": {
            "CompleteSnapshot": FAILED,
            "DescribeSnapshots": [parents, *snapshots("completed")],
        },
        "not completed": {
            "CompleteSnapshot": FAILED,
            "DescribeSnapshots": [parents, *snapshots("pending")],
        },
        "completed, perhaps": {"CompleteSnapshot": UNCLEAR},
        "gone at the end": {
            "CompleteSnapshot": UNKNOWN,
            "StartSnapshot": [started(), started("completed")],
            "DescribeSnapshots": [parents, *snapshots("completed")],
        },
        "fails at last": {"DescribeSnapshots": [parents, *snapshots("error")]},
        "not tagged": {"CreateTags": DENIED},
    }.items():
        aws.case(title, write, base | more)
    aws.compare("direct")


def test_snapshots_on_parents(aws: Answering, disk: DiskImage) -> None:
    contents = [b"\1" * 9, b""]

    def write(cloud: Cloud, options: Any = None) -> object:
        stage = Stage()
        with aws.undo(cloud) as undo:
            try:
                return write_snapshot(cloud, disk, RUN, undo, stage, **(options or {}))
            finally:
                aws.note(" | ".join(stage.told))

    def block(params: dict[str, Any]) -> object:
        return {"BlockData": io.BytesIO(contents[params["BlockIndex"] % 2])}

    marks = marks_of(disk)
    other = [*marks[:1], b"\0" * 16, *marks[2:], b"\1" * 16]
    base: Any = {
        "StartSnapshot": started(),
        "PutSnapshotBlock": {},
        "CompleteSnapshot": {"Status": "pending"},
        "CreateTags": {},
        "DeleteSnapshot": {},
        "GetSnapshotBlock": block,
        "ListSnapshotBlocks": [
            {
                "Blocks": [{"BlockIndex": 9, "BlockToken": "t"}],
                "BlockSize": BLOCK_SIZE,
                "NextToken": "2",
            },
            {"Blocks": [{"BlockIndex": 2, "BlockToken": "u"}], "BlockSize": BLOCK_SIZE},
        ],
    }
    many = [
        proven(1, *recorded(marks)),
        proven(3, *recorded(marks), VolumeSize=2),
        proven(4, *recorded(marks), KmsKeyId="k"),
        proven(5, *recorded(marks), State="pending"),
        proven(6, *recorded(marks), {"Key": tags.EPHEMERAL, "Value": "true"}),
        proven(7, Tags=recorded(marks)),
        proven(2, *recorded(marks)),
    ]
    junk = recorded(marks)
    junk[0]["Value"] = "?" + junk[0]["Value"]
    damaged = recorded(marks)
    damaged[0]["Value"] = "x" + damaged[0]["Value"][1:]
    for title, found in {
        "the newest": many,
        "as old as another": [proven(n, *recorded(marks), StartTime=NOW) for n in (2, 1)],
        "without a time": [proven(1, *recorded(marks), StartTime=NOW - timedelta(days=30000))],
        "another": [proven(2, *recorded(other))],
        "not recorded": [proven(2)],
        "damaged": [proven(2, *damaged)],
        "more than base64": [proven(2, *junk)],
        "no base64": [proven(2, {"Key": f"{tags.BLOCKS}0", "Value": "?"})],
        "not whole": [proven(2, *recorded([b"x" * 15]))],
        "empty": [proven(2, *recorded([]))],
    }.items():
        for options in ({}, {"kms_key_arn": "k"}):
            pages = [{"Snapshots": found[:1], "NextToken": "2"}, {"Snapshots": found[1:]}]
            answers = base | {"DescribeSnapshots": [*pages, *snapshots("completed")]}
            aws.case(f"{title}, {options}", write, answers, options)
            if title == "the newest":
                encrypted = {"StartSnapshot": started(KmsKeyArn="k")}
                aws.case(f"{title}, encrypted, {options}", write, answers | encrypted, options)
    for code in ("ValidationException", "ResourceNotFoundException", "AccessDeniedException"):
        answers = base | {
            "DescribeSnapshots": [{"Snapshots": many}, *snapshots("completed")],
            "StartSnapshot": [Refused(code), started()],
        }
        aws.case(f"parent refused: {code}", write, answers)
    aws.compare("direct-parents")


def test_records_of_blocks(
    aws: Answering, disk: DiskImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(_: Cloud, of: DiskImage, room: int) -> object:
        found = parent.record(of, room)
        return list(found), max(map(len, found.values()), default=0) == 256

    def varied(count: int) -> DiskImage:
        path = tmp_path / f"{count}.raw"
        with path.open("wb") as file:
            for index in range(count):
                file.seek(index * BLOCK_SIZE)
                file.write(f"{index}".encode())
        return replace(disk, path=path, size_bytes=count * BLOCK_SIZE)

    for room in (-1, 0, 1, 2):
        aws.case(f"room {room}", record, {}, disk, room)
    for count in (239, 240):
        aws.case(f"{count} blocks", record, {}, varied(count), 50)
    monkeypatch.setattr(parent, "RECORDED", 3)
    for count in (3, 4):
        aws.case(f"{count} blocks, at most 3", record, {}, varied(count), 50)
    for size in (0, 1, BLOCK_SIZE, BLOCK_SIZE + 1, 1024**3, 1024**3 + 1):
        one = replace(disk, size_bytes=size)
        aws.case(f"{size} bytes", lambda _, one: (one.blocks, one.size_gib), {}, one)
    aws.compare("records")


def test_snapshots_are_compared(aws: Answering, disk: DiskImage) -> None:
    data = disk.path.read_bytes()

    def block(params: dict[str, Any]) -> object:
        start = params["BlockIndex"] * BLOCK_SIZE
        return {"BlockData": io.BytesIO(data[start : start + BLOCK_SIZE])}

    def other(params: dict[str, Any]) -> object:
        return {"BlockData": io.BytesIO(b"x")} if params["BlockIndex"] == 5 else block(params)

    def check(cloud: Cloud) -> object:
        return verify.compare(cloud, "snap-1", disk, aws.stage)

    def listed(*indices: int) -> dict[str, Any]:
        found = [{"BlockIndex": index, "BlockToken": f"t{index}"} for index in indices]
        return {"Blocks": found, "BlockSize": BLOCK_SIZE}

    pages = [listed(0, 1) | {"NextToken": "2"}, listed(5)]
    base: Any = {"ListSnapshotBlocks": pages, "GetSnapshotBlock": block}
    for title, more in {
        "equal": {},
        "with zeros": {"ListSnapshotBlocks": listed(0, 1, 2, 5, 7)},
        "another": {"GetSnapshotBlock": other},
        "lacking the first": {"ListSnapshotBlocks": listed(1, 5)},
        "lacking the last": {"ListSnapshotBlocks": listed(0, 1)},
        "lacking all": {"ListSnapshotBlocks": listed()},
        "denied": {"ListSnapshotBlocks": DENIED},
    }.items():
        aws.case(title, check, base | more)
    planned = {"ListSnapshotBlocks": listed(0, 1), "GetSnapshotBlock": block}
    aws.case("planned", check, planned, dry_run=True)
    none = {"ListSnapshotBlocks": {"BlockSize": 1}}
    aws.case("no blocks", blocks.list_blocks, none, "snap-1")
    aws.compare("compared")


def test_windows(request: pytest.FixtureRequest) -> None:
    """The limit after each answer: `.` takes a tenth of a second, `-` a second, `_` ten."""
    text = ""

    def follow(title: str, answers: str, first: int = 4, most: int = 100, dt: float = 0.0) -> None:
        nonlocal text
        now = [0.0]
        window = Window(first, most, lambda: now[0])
        shown = [f"{window.limit}"]
        for answer in answers:
            now[0] += {".": 0.1, "-": 1.0, "_": 10.0, "~": dt}.get(answer, 0.0)
            try:
                if answer == "s":
                    window.succeeded()
                elif answer == "c":
                    window.congested()
                elif answer == "x":
                    window.close()
            except Abandoned:
                shown.append("abandoned")
            shown.append(f"{window.limit}" if answer in "sc" else answer)
        text += f"== {title}\n  {' '.join(shown)}\n"

    follow("always quicker", ("s" * 64 + ".") * 5)
    follow("quicker, up to ten", ("s" * 16 + ".") * 6, most=10)
    follow("no quicker", ".ssss.s.s.s.s.s.s.s.s.ssss_ssss_sssss")
    for seconds in (6.1, 8 / 1.3, 6.2):
        follow(f"a second round of {seconds:g} s", "----ssss~ssssssss-" + "s" * 16, dt=seconds)
    follow("a complaint at once", "c.c" + "." * 9 + "c.c", first=64)
    follow("a complaint within a second", "c" + "." * 8 + "cc" + "-" + "c-c", first=64)
    follow("complaints each second", "c-c-c-c-c-c", first=10)
    follow("growth", "c" + ("_" + "s" * 9) * 4 + "c" + "." * 5 + "s" * 9 + "_" + "s" * 9)
    follow("growth up to the most", "cc" + ("_" + "s" * 9) * 6, first=4, most=4)
    follow("as many as may be", "s" * 40, first=4, most=8)
    follow("more than may be", "s" * 9, first=4, most=2)
    follow("one", "c_s_s_ss_sss", first=1)
    follow("closed", "sxscss")
    text += f"== by itself\n  {Window().limit}\n"
    compare(request.path.parent / "transcripts" / "windows.txt", text)
