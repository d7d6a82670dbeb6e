"""What comes back of records that lack something, or have something wrong in its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from nitro.local.aws import install
from tests.cloud.local.conftest import REGION, Account
from tests.cloud.local.tour import Notes, Tour, tagged
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
PLACE = "123456789012-us-east-1.json"
_WRONG: tuple[Any, ...] = (None, 5, "x", [], {})


@pytest.fixture(autouse=True)
def _once(account: Account) -> None:
    """Clients that ask once: what cannot be told stays so."""
    connect: Any = boto3.client
    for service in ("ec2", "kms", "s3", "ssm"):
        config = Config(retries={"total_max_attempts": 1})
        account.clients[service] = connect(service, region_name=REGION, config=config)


def damaged(
    record: dict[str, Any], *, but: tuple[str, ...] = ("id",), wrong: tuple[Any, ...] = _WRONG
) -> Iterator[tuple[str, Any]]:
    """By a name: the record without one of its parts, or with a wrong one."""
    yield "whole", record
    for name in record:
        if name in but:
            continue
        yield f"no {name}", {other: value for other, value in record.items() if other != name}
        for one in wrong:
            yield f"{name}={one}", {**record, name: one}


def told(call: Callable[..., Any], *args: Any) -> Any:
    """What is answered, or the code of the refusal."""
    try:
        return call(*args)
    except Exception as error:  # what a client cannot read is told, too
        answer = getattr(error, "response", {}).get("Error", {}).get("Code")
        return answer or f"{type(error).__name__}"


def without(answer: Any, *names: str) -> Any:
    left = {"ResponseMetadata", "StartTime", "CreationDate", "CreateTime", "LastModified", *names}
    return {key: value for key, value in answer.items() if key not in left}


class Records:
    """Answers of many records, like ones together; only what differs from the whole one's."""

    def __init__(self) -> None:
        self.notes = Notes()

    def note(self, kind: str, answers: dict[str, Any]) -> None:
        whole = answers.pop("whole")
        self.notes.note(f"{kind}: whole", whole)
        groups: dict[str, tuple[Any, list[str]]] = {}
        for name, answer in answers.items():
            shown: Any = answer
            if isinstance(answer, dict) and isinstance(whole, dict):
                keys = {*answer, *whole}
                differing = {k: answer.get(k, "-") for k in keys if answer.get(k) != whole.get(k)}
                shown = differing or "as the whole one"
            groups.setdefault(repr(shown), (shown, []))[1].append(name)
        for shown, names in groups.values():
            self.notes.note(f"{kind}: {', '.join(names)}", shown)


def test_snapshots_images_and_templates(tour: Tour) -> None:
    account, records = tour.account, Records()
    disk = account.snapshot(b"a" * 100)
    account.ec2.create_tags(Resources=[disk], Tags=[{"Key": "a", "Value": "b"}])
    account.ec2.modify_snapshot_attribute(
        SnapshotId=disk, CreateVolumePermission={"Add": [{"UserId": "210987654321"}]}
    )
    image = account.image(
        disk, Description="d", BootMode="uefi", TagSpecifications=tagged("image", Name="i")
    )
    account.ec2.modify_image_attribute(
        ImageId=image, LaunchPermission={"Add": [{"UserId": "210987654321"}]}
    )
    account.ec2.enable_image_deregistration_protection(ImageId=image, WithCooldown=True)
    account.ec2.create_launch_template(
        LaunchTemplateName="one",
        LaunchTemplateData={"InstanceType": "t3.micro", "UserData": "eA=="},
        VersionDescription="first",
    )
    assert account.site.index
    path = account.site.index / PLACE
    kept = json.loads(path.read_text())
    for kind, prefix in (("snapshots", "snap"), ("images", "ami"), ("launch_templates", "lt")):
        [record] = kept[kind]
        named = {}
        for number, (name, one) in enumerate(damaged(record)):
            id_ = f"{prefix}-{number:017x}"
            named[name] = id_
            if kind == "snapshots":
                account.site.store.link(disk, id_)
            one = {**one, "id": id_}
            if kind == "launch_templates" and one.get("name") == "one":
                one["name"] = f"n{number}"
            (kept[kind] if number else kept[kind].clear() or kept[kind]).append(one)
        if kind != "snapshots":
            kept["snapshots"] = [{**json.loads(path.read_text())["snapshots"][0]}]
        whole = json.loads(path.read_text())
        path.write_text(json.dumps({**whole, kind: kept[kind]}))
        with install(account.restarted()), mock_aws():
            records.note(kind, {name: _seen(account, kind, id_) for name, id_ in named.items()})
        path.write_text(json.dumps(whole))
    compare(HERE / "damaged-images.txt", records.notes.text)


def _seen(account: Account, kind: str, id_: str) -> Any:
    ec2 = account.ec2

    def snapshot() -> Any:
        asked = {"SnapshotId": id_, "Attribute": "createVolumePermission"}
        shared = ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"]
        found = without(ec2.describe_snapshots(SnapshotIds=[id_])["Snapshots"][0], "SnapshotId")
        return {**found, "Shared": shared}

    def image() -> Any:
        [found] = ec2.describe_images(ImageIds=[id_], IncludeDisabled=True)["Images"]
        asked = {"ImageId": id_, "Attribute": "launchPermission"}
        shared = ec2.describe_image_attribute(**asked)["LaunchPermissions"]
        return {**without(found, "ImageId", "ImageLocation"), "Shared": shared}

    def template() -> Any:
        [found] = ec2.describe_launch_templates(LaunchTemplateIds=[id_])["LaunchTemplates"]
        versions = ec2.describe_launch_template_versions(LaunchTemplateId=id_)
        told_ = [
            without(each, "LaunchTemplateId", "LaunchTemplateName")
            for each in versions["LaunchTemplateVersions"]
        ]
        return {**without(found, "LaunchTemplateId", "LaunchTemplateName"), "Versions": told_}

    return told({"snapshots": snapshot, "images": image, "launch_templates": template}[kind])


def test_settings(tour: Tour) -> None:
    account, records = tour.account, Records()
    account.ec2.enable_ebs_encryption_by_default()
    account.ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    account.ec2.disable_image_block_public_access()
    assert account.site.index
    path = account.site.index / PLACE
    kept = json.loads(path.read_text())
    ec2, answers = account.ec2, {}
    for name, one in damaged(kept["settings"], but=()):
        path.write_text(json.dumps({**kept, "settings": one}))
        with install(account.restarted()), mock_aws():
            answers[name] = {
                "encrypted": told(
                    lambda: ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
                ),
                "key": told(lambda: ec2.get_ebs_default_kms_key_id()["KmsKeyId"]),
                "images": told(
                    lambda: ec2.get_image_block_public_access_state()["ImageBlockPublicAccessState"]
                ),
                "snapshots": told(lambda: ec2.get_snapshot_block_public_access_state()["State"]),
            }
    records.note("settings", answers)
    compare(HERE / "damaged-settings.txt", records.notes.text)


def test_keys_and_parameters(tour: Tour) -> None:
    account, records = tour.account, Records()
    key = account.kms.create_key(
        Description="disks", Tags=[{"TagKey": "a", "TagValue": "b"}], MultiRegion=True
    )["KeyMetadata"]["KeyId"]
    account.kms.create_alias(AliasName="alias/disks", TargetKeyId=key)
    account.kms.schedule_key_deletion(KeyId=key)
    assert account.site.index
    path = account.site.index / "keys" / PLACE
    whole = json.loads(path.read_text())
    named = {f"{number:08x}-0000-4000-8000-000000000000": each for number, each in
             enumerate(damaged(whole[key], but=("regions",)))}  # fmt: skip
    path.write_text(json.dumps({id_: one for id_, (_, one) in named.items()}))
    with install(account.restarted()), mock_aws():

        def seen(id_: str) -> Any:
            found = without(account.kms.describe_key(KeyId=id_)["KeyMetadata"], "KeyId", "Arn")
            tags = account.kms.list_resource_tags(KeyId=id_)["Tags"]
            policy = account.kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"]
            aliases = account.kms.list_aliases(KeyId=id_)["Aliases"]
            names = [each["AliasName"] for each in aliases]
            return {**found, "Tags": tags, "Policy": policy[:30], "Aliases": names}

        records.note("keys", {name: told(seen, id_) for id_, (name, _) in named.items()})
    account.ssm.put_parameter(
        Name="/a", Value="a", Type="String", Tags=[{"Key": "a", "Value": "b"}], Description="d"
    )
    path = account.site.index / "parameters" / PLACE
    [kept] = json.loads(path.read_text()).values()
    [version] = kept["versions"]
    some = {**dict(damaged(kept, but=())), **{
        f"version {name}": {**kept, "versions": [one]} for name, one in damaged(version, but=())
    }}  # fmt: skip
    path.write_text(json.dumps({f"/n{number}": one for number, one in enumerate(some.values())}))
    with install(account.restarted()), mock_aws():

        def parameter(name: str) -> Any:
            found = without(account.ssm.get_parameter(Name=name)["Parameter"], "LastModifiedDate")
            asked = {"ResourceType": "Parameter", "ResourceId": name}
            tags = account.ssm.list_tags_for_resource(**asked)["TagList"]
            held = account.ssm.get_parameter_history(Name=name)["Parameters"]
            more = [without(one, "LastModifiedDate", "Name", "LastModifiedUser") for one in held]
            return {**found, "Name": "", "ARN": "", "Tags": tags, "History": more}

        records.note(
            "parameters",
            {what: told(parameter, f"/n{number}") for number, what in enumerate(some)},
        )
    compare(HERE / "damaged-keys.txt", records.notes.text)


def test_buckets(tour: Tour) -> None:
    account, records = tour.account, Records()
    s3: Any = account.s3
    s3.create_bucket(Bucket="kept")
    s3.put_object(
        Bucket="kept",
        Key="key",
        Body=b"body",
        Tagging="a=b",
        Metadata={"m": "1"},
        ChecksumAlgorithm="SHA256",
    )
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert account.site.index
    folder = account.site.index / "buckets" / "123456789012-aws"
    [path] = (each for each in (folder / "kept").glob("*.json") if each.name != "bucket.json")
    kept = json.loads(path.read_text())
    [version] = kept["versions"]
    objects = {f"v {name}": {"key": "key", "versions": [one]} for name, one in
               damaged(version, but=(), wrong=(None, 5))}  # fmt: skip
    objects |= dict(damaged(kept, but=(), wrong=(None, 5)))
    objects["v two"] = {"key": "key", "versions": [version, {**version, "_version_id": "2"}]}
    objects["v marker"] = {
        "key": "key", "versions": [version, {"marker": "m", "modified": version["modified"]}]
    }  # fmt: skip
    bucket = json.loads((folder / "kept/bucket.json").read_text())
    named: dict[str, str] = {}
    for number, (name, record) in enumerate(objects.items()):
        named[name] = f"o{number}x"
        shutil.copytree(folder / "kept", folder / named[name])
        (folder / named[name] / path.name).write_text(json.dumps(record))
    others: dict[str, str] = {}
    for number, (name, record) in enumerate(damaged(bucket, but=(), wrong=(None, "x"))):
        others[name] = f"b{number}x"
        shutil.copytree(folder / "kept", folder / others[name])
        (folder / others[name] / "bucket.json").write_text(json.dumps(record))
    with install(account.restarted()), mock_aws():

        def held(bucket: str) -> Any:
            asked = {"Bucket": bucket, "Key": "key"}
            found = told(lambda: without(s3.get_object(**asked, ChecksumMode="ENABLED")))
            if isinstance(found, dict):
                found["Body"] = told(lambda: found["Body"].read())
                found["Tags"] = told(lambda: s3.get_object_tagging(**asked)["TagSet"])
            return found

        def configured(bucket: str) -> Any:
            found: dict[str, Any] = {
                "there": told(lambda: s3.get_object(Bucket=bucket, Key="key")["ETag"])
            }
            for what in ("acl", "location", "ownership_controls", "policy", "tagging"):
                ask = getattr(s3, f"get_bucket_{what}")
                found[what] = told(lambda a: without(a(Bucket=bucket)), ask)
            block = "PublicAccessBlockConfiguration"
            found["block"] = told(lambda: s3.get_public_access_block(Bucket=bucket)[block])
            return found

        objects_seen = {name: held(place) for name, place in named.items()}
        objects_seen.pop("v whole")
        records.note("objects", objects_seen)
        records.note("buckets", {name: configured(place) for name, place in others.items()})
        tour.note(
            "left", sorted(each["Name"] for each in s3.list_buckets()["Buckets"]).count("kept")
        )
    compare(HERE / "damaged-buckets.txt", records.notes.text)


def test_files_of_objects_and_buckets(account: Account) -> None:
    """What is there after each request, by the number of records and of files with bytes."""
    notes, s3 = Notes(), account.s3
    assert account.site.index
    folder = account.site.index / "buckets" / "123456789012-aws"

    def after(what: str) -> None:
        names = [path.name for path in folder.rglob("*") if path.is_file()]
        records = sum(name.endswith(".json") for name in names)
        buckets = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        notes.note(what, [buckets, records, len(names) - records])

    named: dict[str, Any] = {"Bucket": "kept"}
    s3.create_bucket(**named)
    after("a bucket")
    for key in ("a", "b", "c"):
        s3.put_object(**named, Key=key, Body=b"x")
    after("three objects")
    s3.put_object(**named, Key="a", Body=b"y")
    s3.put_object(**named, Key="b", Body=b"")
    after("written again")
    s3.delete_object(**named, Key="c")
    after("one deleted")
    s3.put_bucket_versioning(**named, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(**named, Key="a", Body=b"z")["VersionId"]
    after("a version more")
    marker = s3.delete_object(**named, Key="a")["VersionId"]
    after("a marker")
    s3.delete_object(**named, Key="a", VersionId=version)
    after("a version less")
    s3.delete_object(**named, Key="a", VersionId=marker)
    after("no marker")
    gone = [{"Key": "a", "VersionId": "null"}, {"Key": "b", "VersionId": "null"}]
    s3.delete_objects(**named, Delete={"Objects": gone})
    after("all deleted")
    upload = {
        **named,
        "Key": "d",
        "UploadId": s3.create_multipart_upload(**named, Key="d")["UploadId"],
    }
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    after("an upload")
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    after("completed")
    s3.delete_object(**named, Key="d", VersionId=done["VersionId"])
    s3.delete_bucket(**named)
    after("no bucket")
    compare(HERE / "files-of-buckets.txt", notes.text)


def test_a_record_that_cannot_be_written_leaves_the_one_before(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its bytes: they go once the new record is there."""
    named: dict[str, Any] = {"Bucket": "kept", "Key": "key"}
    account.s3.create_bucket(Bucket="kept")
    account.s3.put_object(**named, Body=b"before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("nitro.local.aws.s3_archive.replacing", full)
        account.s3.put_object(**named, Body=b"after")
    with install(account.restarted()), mock_aws():
        assert account.s3.get_object(**named)["Body"].read() == b"before"
