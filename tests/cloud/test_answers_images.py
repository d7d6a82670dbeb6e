"""What nitro makes of AWS's answers about images, snapshots and imports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro.cloud import Cloud, DiskImage, Keep, Via, ami, importer, publish, snapshot, tags, via_s3
from nitro.cloud.disk import Volume
from nitro.cloud.storage import Bucket
from nitro.ports import Port
from tests.cloud.answers import ACCOUNT, DENIED, FAILED, UNCLEAR, Answering, Refused, tagged
from tests.cloud.conftest import RUN

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
GONE = Refused("InvalidAMIID.NotFound")
TAKEN = Refused("InvalidAMIName.Duplicate")
NO_SNAPSHOT = Refused("InvalidSnapshot.NotFound")
EPHEMERAL = replace(RUN, ephemeral=True)
VOLUMES = [Volume("/dev/xvda", "snap-1"), Volume("/dev/xvdb", "snap-2")]


def of(disk: DiskImage, **more: str) -> list[dict[str, str]]:
    return tagged(nitro_digest=disk.digest, **more)


def image(state: str = "available", **more: Any) -> dict[str, Any]:
    one: Any = {"ImageId": "ami-1", "Name": "bench-1", "State": state, "Architecture": "x86_64"}
    mappings = [
        {"DeviceName": "/dev/xvdb", "Ebs": {"SnapshotId": "snap-2"}},
        {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1"}},
    ]
    one |= {"RootDeviceName": "/dev/xvda", "BlockDeviceMappings": mappings}
    return {"Images": [one | more]}


def test_images_that_are_there(aws: Answering, disk: DiskImage) -> None:
    strange = tagged(nitro_digest="sha256:0")
    answer: Any
    for title, answer in {
        "none": {"Images": []},
        "ours": image(Tags=of(disk)),
        "another's": image(Tags=[{"Key": tags.DIGEST, "Value": disk.digest}]),
        "another disk": image(Tags=strange),
        "no tags": image(),
        "another architecture": image(Tags=of(disk), Architecture="arm64"),
    }.items():
        aws.case(title, ami.find, {"DescribeImages": answer}, disk)
    for title, answer in {
        "one": image(),
        "none": {"Images": []},
        "gone": GONE,
        "failed": FAILED,
    }.items():
        for text in ("ami-01234567", "ami-0123456789abcdef0", "ami-0123456789abcdef", "ami-X"):
            aws.case(f"{title}: {text}", ami.resolve, {"DescribeImages": answer}, text)
    for title, parameter in {
        "String": {"Parameter": {"Type": "String", "Value": "ami-01234567"}},
        "SecureString": {"Parameter": {"Type": "SecureString", "Value": "ami-01234567"}},
        "another value": {"Parameter": {"Type": "String", "Value": "x" * 61}},
        "gone": Refused("ParameterNotFound"),
        "failed": FAILED,
    }.items():
        answers = {"DescribeImages": image(), "GetParameter": parameter}
        for text in ("resolve:ssm:/images/web:2", "resolve:ssm:"):
            aws.case(f"{title}: {text}", ami.resolve, answers, text)

    def root(_: Cloud, raw: Any) -> object:
        return ami.snapshot_of(raw)

    first = image()["Images"][0]
    for title, raw in {
        "root": first,
        "root of another name": first | {"RootDeviceName": "/dev/sda1"},
        "no snapshot": first | {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda"}]},
        "nothing": {},
    }.items():
        aws.case(title, root, {}, raw)
    aws.compare("images")


def test_images_are_registered(aws: Answering, disk: DiskImage) -> None:
    def register(cloud: Cloud, disk: DiskImage, run: tags.Run = RUN) -> object:
        with aws.undo(cloud) as undo:
            id_ = ami.register(cloud, disk, VOLUMES, run, undo)
            return id_, [(each.id, each.lifetime, each.done) for each in undo.entries]

    made: Any = {"RegisterImage": {"ImageId": "ami-2"}, "DeregisterImage": {}}
    answers: Any
    every = replace(
        disk, description="ours", processors=2, ports=(Port("tcp", 80), Port("udp", 53))
    )
    for one in (disk, every, replace(disk, name="a b/c" + "x" * 90, minimum_memory_mib=0)):
        aws.case(one.name[:9], register, made, one)
    aws.case("ephemeral", register, made, disk, EPHEMERAL)
    mine = image(Tags=of(disk, nitro_run=RUN.id))
    other = image(Tags=of(disk, nitro_run="other"))
    for title, answers in {
        "by a lost answer": {"RegisterImage": TAKEN, "DescribeImages": mine},
        "by another run": {"RegisterImage": TAKEN, "DescribeImages": other},
        "by another run, soon": {"RegisterImage": TAKEN, "DescribeImages": [{"Images": []}, other]},
        "never seen": {"RegisterImage": TAKEN, "DescribeImages": {"Images": []}},
        "taken": {"RegisterImage": TAKEN, "DescribeImages": image()},
        "refused": {"RegisterImage": DENIED},
        "unclear, made": {"RegisterImage": UNCLEAR, "DescribeImages": mine},
        "unclear, of another": {"RegisterImage": UNCLEAR, "DescribeImages": other},
        "unclear, not removed": {
            "RegisterImage": UNCLEAR,
            "DescribeImages": mine,
            "DeregisterImage": GONE,
        },
    }.items():
        aws.case(title, register, made | answers, disk)
    reason = {"StateReason": {"Message": "why"}}
    for title, answer in {
        "available": [GONE, image("pending"), image("available")],
        "failed": image("failed", **reason),
        "invalid": image("invalid"),
        "error": image("error", StateReason={}),
        "deregistered": image("deregistered"),
        "pending": image("pending"),
        "gone": GONE,
    }.items():
        for new in (True, False):
            aws.case(
                f"{title}, {'new' if new else 'old'}",
                lambda c, new: ami.wait_available(c, "ami-1", aws.stage, 200.0, new=new),
                {"DescribeImages": answer},
                new,
            )
    aws.case(
        "for long",
        lambda c: ami.wait_available(c, "ami-1", aws.stage),
        {"DescribeImages": image("pending")},
    )
    for answer in ({}, GONE, FAILED):
        aws.case(f"deregister: {answer}"[:17], ami.deregister, {"DeregisterImage": answer}, "ami-1")
    aws.compare("registered")


def snapshots(*states: str, **more: Any) -> dict[str, Any]:
    return {
        "Snapshots": [
            {"SnapshotId": f"snap-{number}", "State": state, **more}
            for number, state in enumerate(states, start=1)
        ]
    }


def test_snapshots(aws: Answering) -> None:
    short = tagged(nitro_ephemeral="true")
    pages = [snapshots("completed", Tags=short) | {"NextToken": "2"}]
    for title, last in {
        "the first": snapshots("pending", "completed", "completed"),
        "none": snapshots("error", "pending"),
        "tagged": snapshots("completed", Tags=tagged()),
    }.items():
        aws.case(title, snapshot.find, {"DescribeSnapshots": [*pages, last]}, "sha256:0")
    for title, answer in {
        "there": snapshots("pending"),
        "none": {"Snapshots": []},
        "gone": NO_SNAPSHOT,
        "failed": FAILED,
        "broken": snapshots("error"),
        "broken, why": snapshots("error", StateMessage="why"),
        "done": [NO_SNAPSHOT, snapshots("pending"), snapshots("completed")],
    }.items():
        answers = {"DescribeSnapshots": answer}
        aws.case(f"exists: {title}", snapshot.exists, answers, "snap-1")
        aws.case(f"state: {title}", snapshot.state, answers, "snap-1")
        aws.case(f"completed: {title}", snapshot.wait_completed, answers, "snap-1", aws.stage, 60.0)
    two = {"DescribeSnapshots": [*pages, snapshots("error", "pending")]}
    aws.case("started by", snapshot.started_by, two, "nitro-0")
    aws.case("tags", snapshot.tag_snapshot, {"CreateTags": {}}, "snap-1", {"a": "b"})
    for code in ("InvalidSnapshot.NotFound", "InvalidSnapshot.InUse", "Strange"):
        aws.case(f"remove: {code}", snapshot.remove, {"DeleteSnapshot": Refused(code)}, "snap-1")
    aws.compare("snapshots")


def task(status: str = "completed", snapshot_id: str = "", number: int = 1, **more: Any) -> Any:
    detail = {"Status": status} | ({"SnapshotId": snapshot_id} if snapshot_id else {})
    tag_list = more.pop("Tags", tagged())
    id_ = f"import-snap-{number}"
    return {"ImportTaskId": id_, "SnapshotTaskDetail": detail | more, "Tags": tag_list}


def imports(*found: Any) -> dict[str, Any]:
    return {"ImportSnapshotTasks": list(found)}


def test_imports(aws: Answering, disk: DiskImage) -> None:
    mine, brief = of(disk), of(disk, nitro_ephemeral="true")
    listed = [
        task("active", Tags=[]),
        task("active", number=2, Tags=brief),
        task("completed", "snap-9", 3, Tags=brief),
        task("deleted", number=4, Tags=mine, StatusMessage="why"),
        task("completed", "snap-1", 5, Tags=mine),
        task("completed", "snap-2", 6, Tags=mine),
        task("active", number=7, Tags=tagged(nitro_digest="sha256:0"), Progress="19%"),
        {"ImportTaskId": "import-snap-8"},
    ]
    running = task("completed", number=9, Tags=mine, Progress=" 3.5")
    for title, more in {"none under way": [], "one under way": [running]}.items():
        pages = [imports(*listed) | {"NextToken": "2"}, imports(*more)]
        answers: Any = {
            "DescribeImportSnapshotTasks": pages,
            "DescribeSnapshots": [{"Snapshots": []}, snapshots("completed")],
        }
        aws.case(f"all, {title}", importer.tasks, answers)
        aws.case(f"of a disk, {title}", importer.tasks, answers, disk.digest)
        aws.case(f"to go on with, {title}", importer.find_task, answers, disk.digest)
    answers = {
        "DescribeImportSnapshotTasks": imports(*listed[:3]),
        "DescribeSnapshots": snapshots("completed"),
    }
    aws.case("nothing to go on with", importer.find_task, answers, disk.digest)
    aws.case(
        "listed no more",
        importer.get,
        {"DescribeImportSnapshotTasks": {"ImportSnapshotTasks": []}},
        "x",
    )
    aws.compare("imports")


def test_imports_begin_and_end(aws: Answering, disk: DiskImage) -> None:
    bucket = Bucket("mine", ACCOUNT)

    def start(cloud: Cloud, disk: DiskImage, run: tags.Run, key: str | None = None) -> object:
        with aws.undo(cloud) as undo:
            entry = importer.start(cloud, bucket, disk, run, undo, key)
            return entry.id, entry.what, entry.lifetime

    made: Any = {
        "ImportSnapshot": {"ImportTaskId": "import-snap-1"},
        "CancelImportTask": {},
        "DeleteSnapshot": {},
    }
    aws.case("plain", start, made, disk, RUN)
    aws.case("with a key", start, made, disk, EPHEMERAL, "arn:aws:kms:key")
    of_run = task("active", Tags=of(disk, nitro_run=RUN.id))
    of_other = task("active", number=2, Tags=of(disk, nitro_run="other"))
    ended = imports(task("deleted", Tags=of(disk, nitro_run=RUN.id)))
    for title, answer in {"unclear": UNCLEAR, "refused": DENIED}.items():
        answers = [imports(of_run, of_other), imports(of_run), ended]
        aws.case(
            title,
            start,
            made | {"ImportSnapshot": answer, "DescribeImportSnapshotTasks": answers},
            disk,
            RUN,
        )
    for title, answers in {
        "ends": [task("active", Progress="9"), task("completed"), task("completed", "snap-1")],
        "without progress": [task("pending", Progress="?"), task("completed", "snap-1")],
        "is deleted": [task("deleting", StatusMessage="no role")],
        "says nothing": [task("deleted")],
        "lasts": [task("active")],
    }.items():
        aws.case(
            title,
            lambda c: importer.wait_for_import(c, "import-snap-1", aws.stage, 30.0),
            {
                "DescribeImportSnapshotTasks": [imports(), *map(imports, answers)],
                "DescribeSnapshots": [snapshots("pending"), snapshots("completed")],
            },
        )
    unknown = Refused("InvalidConversionTaskId.Malformed")
    for title, answers in {
        "running": [task("active"), task("cancelling"), task("deleting"), task("deleted")],
        "unnamed": [task("completed"), task("completed", "snap-1")],
        "over": [task("completed", "snap-1")],
        "failed": [task("deleted")],
        "lasting": [task("active")],
        "missing for a while": [task("active"), unknown, task("deleted")],
    }.items():
        for code in ("", "IncorrectState", "InvalidConversionTaskId.NotFound", "Strange"):
            aws.case(
                f"{title}: {code}",
                lambda c: importer.remove_task(c, "import-snap-1"),
                made
                | {
                    "DescribeImportSnapshotTasks": [
                        one if isinstance(one, Refused) else imports(one) for one in answers
                    ],
                    "CancelImportTask": Refused(code) if code else {},
                },
            )
    aws.compare("imported")


def test_what_other_runs_have_made(aws: Answering, disk: DiskImage) -> None:
    """Of each kind one, none, or one that goes away."""

    def make(cloud: Cloud, keep: Keep) -> object:
        with aws.undo(cloud, keep=keep) as undo:
            done = publish(cloud, disk, undo, via=Via.AUTO, report=aws.report)
            return done, [(each.what, each.proven) for each in undo.entries]

    answers: Any = {
        "DescribeImages": [{"Images": []}, image(Tags=of(disk))],
        "DescribeSnapshots": snapshots("completed"),
        "DescribeImportSnapshotTasks": imports(),
        "RegisterImage": {"ImageId": "ami-1"},
        "DeregisterImage": {},
        "HeadBucket": Refused("403", status=403),
        "ListObjectsV2": FAILED,
        "StartSnapshot": FAILED,
    }
    there = image(Tags=of(disk))
    for title, more in {
        "image": {"DescribeImages": there},
        "image under way": {"DescribeImages": [image("pending", Tags=of(disk)), there]},
        "image that goes": {"DescribeImages": [there, GONE]},
        "image that fails": {"DescribeImages": [there, image("failed")]},
        "image, refused": {"DescribeImages": DENIED},
        "snapshot": {},
        "snapshot that goes": {"RegisterImage": NO_SNAPSHOT},
        "import that ends": {
            "DescribeSnapshots": {"Snapshots": []},
            "DescribeImportSnapshotTasks": [
                imports(task("active", Tags=of(disk))),
                imports(task("deleted", Tags=of(disk))),
            ],
        },
    }.items():
        for keep in (Keep.IMAGE, Keep.NOTHING):
            aws.case(f"{title}, kept: {keep.value}", make, answers | more, keep)
    aws.compare("reused")


def test_uploads_of_others_are_removed(aws: Answering, disk: DiskImage) -> None:
    listed = [
        {"Key": f"images/{disk.digest.partition(':')[2]}-{end}.raw", "UploadId": end}
        for end in ("1", "2")
    ]
    answers: Any = {
        "HeadBucket": {},
        "ListMultipartUploads": {"Uploads": listed},
        "AbortMultipartUpload": {},
        "DeleteObject": {},
    }
    for title, tag_list, more in (
        ("of a run", tagged(nitro_run="1"), {}),
        ("of nobody", tagged(), {}),
        ("without a bucket", tagged(nitro_run="1"), {"HeadBucket": Refused("404", status=404)}),
    ):
        begun = importer.Task("import-snap-1", "active", "", None, "", tags.from_list(tag_list))
        aws.case(title, via_s3.remove_upload, answers | more, disk, begun, "mine")
    aws.compare("uploads-of-others")
