"""What publishing a disk hands from one part to the next, by either way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nitro import conditions
from nitro.cloud import (
    ApiError,
    ApiRefused,
    Cloud,
    DiskImage,
    Instance,
    Keep,
    Via,
    Written,
    importer,
    publish,
    tags,
    verify,
    via_s3,
)
from nitro.cloud.storage import Bucket
from nitro.cloud.teardown import Entry, Lifetime
from tests.cloud.answers import ACCOUNT, Answering, console
from tests.cloud.conftest import RUN
from tests.cloud.handed import Handed, shown

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="nothing is called"),
]
IMAGE: Any = {
    "ImageId": "ami-1",
    "Name": "bench",
    "RootDeviceName": "/dev/xvda",
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-1"}}],
}
OTHER: Any = IMAGE | {
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": "snap-9"}}]
}
GONE = ApiError("gone", hint=None, code="InvalidSnapshot.NotFound")
BROKEN = ApiError("broken", hint=None, code="Strange")
DENIED = ApiRefused("denied", hint="ask", code="AccessDeniedException")
TASK = importer.Task("import-1", "active", "", None, "", {tags.RUN: "9"})


def test_a_disk_is_published(aws: Answering, handed: Handed, disk: DiskImage) -> None:
    def run(cloud: Cloud, found: dict[str, Any], options: dict[str, Any]) -> object:
        for place, outcome in {
            "nitro.cloud.ami.find": None,
            "nitro.cloud.snapshot.find": None,
            "nitro.cloud.importer.find_task": None,
            "nitro.cloud.ami.wait_available": None,
            "nitro.cloud.ami.register": "ami-1",
            "nitro.cloud.ami.describe": IMAGE,
            "nitro.cloud.publish.prove": "snap-1",
            "nitro.cloud.publish.remove_upload": None,
            "nitro.cloud.publish.import_disk": imported,
            "nitro.cloud.direct.write_snapshot": written,
            **found,
        }.items():
            handed.stand_in(place, outcome)
        keep = options.pop("keep", Keep.IMAGE)
        with aws.undo(cloud, keep=keep) as undo:
            undo.push("before", Lifetime.IMAGE, remove=aws.note, id="b")
            done = publish(cloud, disk, undo, **options)
            return done, [(each.what, each.proven, each.done) for each in undo.entries]

    def imported(cloud: Cloud, _: object, __: object, undo: Any, *___: Any) -> Any:
        return undo.push("import", Lifetime.IMAGE, remove=aws.note, id="import-1"), 7

    def written(cloud: Cloud, _: object, __: object, undo: Any, *___: Any, **____: Any) -> Any:
        undo.push("first", Lifetime.IMAGE, remove=aws.note, id="snap-0").done = True
        undo.push("snapshot", Lifetime.IMAGE, remove=aws.note, id="snap-1")
        return Written("snap-1", 3, "snap-p")

    def refused(*given: Any, **named: Any) -> Any:
        written(*given, **named)
        raise DENIED

    def broken(*_: Any, **__: Any) -> Any:
        raise BROKEN

    place = "nitro.cloud."
    for title, found, options in (
        ("by S3", {}, {}),
        ("with a bucket", {}, {"bucket": "mine", "report": aws.report}),
        ("for a while", {}, {"keep": Keep.NOTHING, "report": aws.report}),
        ("by S3, another was quicker", {f"{place}ami.describe": OTHER}, {}),
        ("directly", {}, {"via": Via.EBS}),
        ("directly, another was quicker", {f"{place}ami.describe": OTHER}, {"via": Via.EBS}),
        ("directly, denied", {f"{place}direct.write_snapshot": refused}, {"via": Via.EBS}),
        ("either way", {}, {"via": Via.AUTO}),
        (
            "either way, denied",
            {f"{place}direct.write_snapshot": refused},
            {"via": Via.AUTO, "report": aws.report},
        ),
        ("either way, broken", {f"{place}direct.write_snapshot": broken}, {"via": Via.AUTO}),
        ("an image", {f"{place}ami.find": IMAGE}, {"report": aws.report}),
        ("a snapshot", {f"{place}snapshot.find": "snap-1"}, {"report": aws.report}),
        ("an import", {f"{place}importer.find_task": TASK}, {"bucket": "mine"}),
        (
            "an import that ends",
            {f"{place}importer.find_task": TASK, f"{place}publish.prove": importer.Ended("over")},
            {"report": aws.report},
        ),
        ("an image that goes", {f"{place}ami.find": IMAGE, f"{place}ami.wait_available": GONE}, {}),
        ("a failed look", {f"{place}ami.find": BROKEN}, {}),
    ):
        aws.case(title, run, {}, found, options)
    aws.case("a bad description", run, {}, {}, {"via": Via.EBS}, region="us-east-1")
    bad = replace(disk, description="é")
    aws.case("not published", lambda c: publish(c, bad, aws.undo(c)))
    aws.compare("handed-publish")


def test_a_disk_goes_through_s3(aws: Answering, handed: Handed, disk: DiskImage) -> None:
    entry = Entry("import", Lifetime.IMAGE, tuple, aws.note, "import-1")
    lost = ApiError("lost", hint=None, code="NoSuchBucket")

    def standing(**changes: Any) -> None:
        for place, outcome in {
            "nitro.cloud.storage.ensure_bucket": Bucket("mine", ACCOUNT),
            "nitro.cloud.storage.remove_image": None,
            "nitro.cloud.via_s3.upload_disk": 7,
            "nitro.cloud.importer.start": entry,
            "nitro.cloud.importer.wait_for_import": "snap-1",
            "nitro.cloud.snapshot.tag_snapshot": None,
            "nitro.cloud.snapshot.remove": None,
            "nitro.cloud.verify.compare": 3,
        }.items():
            handed.stand_in(place, changes.get(place.rpartition(".")[2], outcome))

    def send(cloud: Cloud, bucket: str | None, key: str | None, fails: int = 0) -> object:
        left = [lost] * fails

        def upload(*_: Any) -> int:
            if left:
                raise left.pop()
            return 7

        standing(upload_disk=upload)
        with aws.undo(cloud) as undo:
            found, sent = via_s3.import_disk(cloud, disk, RUN, undo, bucket, aws.report, key)
            return found.id, sent, [(e.what, e.id, e.lifetime.value, e.done) for e in undo.entries]

    for bucket, key, fails in (
        *((None, None, 0), ("mine", "arn:key", 0), (None, None, 1), (None, None, 2)),
        ("mine", None, 1),
    ):
        aws.case(f"bucket {bucket}, key {key}, lost {fails}", send, {}, bucket, key, fails)

    def prove(cloud: Cloud, extra: Any, outcome: Any) -> object:
        standing(compare=outcome)
        return via_s3.prove(cloud, disk, "import-1", aws.report, extra)

    aws.case("proven", prove, {}, None, 3)
    aws.case("proven with tags", prove, {}, {"a": "b"}, 3)
    aws.case("not proven", prove, {}, None, verify.Mismatch("differs"))
    aws.case("not compared", prove, {}, None, BROKEN)
    aws.compare("handed-s3")


def test_conditions(aws: Answering, handed: Handed, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Instance("i-1", "c5.large", "running", "", "", "subnet-1")
    local = replace(server, tags={"aws:local:accelerator": "kvm"})
    guest = conditions.GuestReport("6.1", "ena", "nitro", "1.2")
    monkeypatch.setattr(conditions, "revision", lambda: "abc")
    monkeypatch.setattr(conditions, "host", lambda: {"system": "x"})
    monkeypatch.setattr(conditions, "__version__", "1")

    def tell(cloud: Cloud, one: Instance) -> object:
        return conditions.conditions(cloud, one, guest, "host")

    aws.case("on AWS", tell, {}, server)
    aws.case("here", tell, {}, local, endpoint_url="http://127.0.0.1:1")

    def read(cloud: Cloud) -> object:
        return conditions.read_guest(cloud, "i-1", aws.report)

    said = '{"nitro": "kernel", "uptime": 1, "release": "6.1"}\n'
    aws.case("a guest", read, {"GetConsoleOutput": console(said)})
    handed.stand_in("nitro.conditions.console_output", DENIED)
    aws.case("a guest that may not be read", read)
    assert shown(guest)
    aws.compare("handed-conditions")
