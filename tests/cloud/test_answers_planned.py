"""What a dry run answers, how things are taken back, and what policies and tags say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from nitro.cloud import ApiError, Call, CleanUpError, Cloud, Keep, Undo, policies, tags
from nitro.cloud.dryrun import changes_something, without_bodies
from nitro.cloud.policies import POLICIES, Scope, document
from nitro.cloud.teardown import Lifetime
from nitro.errors import Interrupted, NitroError
from nitro.ports import Port
from tests.cloud.answers import NOW, Answering, at
from tests.transcripts import compare

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]
LIST = [{"Key": "a", "Value": "b"}]
MADE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("s3", "create_bucket", {"Bucket": "mine"}),
    ("s3", "head_bucket", {"Bucket": "mine"}),
    ("s3", "put_bucket_tagging", {"Bucket": "mine", "Tagging": {"TagSet": LIST}}),
    ("s3", "create_multipart_upload", {"Bucket": "mine", "Key": "k"}),
    (
        "s3",
        "upload_part",
        {"Bucket": "mine", "Key": "k", "UploadId": "u", "PartNumber": 1, "Body": b"x"},
    ),
    ("s3", "complete_multipart_upload", {"Bucket": "mine", "Key": "k", "UploadId": "u"}),
    ("s3", "list_multipart_uploads", {"Bucket": "mine"}),
    ("s3", "list_objects_v2", {"Bucket": "mine"}),
    ("s3", "get_object", {"Bucket": "mine", "Key": "k"}),
    ("ebs", "start_snapshot", {"VolumeSize": 1}),
    ("ebs", "list_snapshot_blocks", {"SnapshotId": "snap-planned-3"}),
    (
        "ebs",
        "get_snapshot_block",
        {"SnapshotId": "snap-planned-3", "BlockIndex": 0, "BlockToken": "t"},
    ),
    (
        "ec2",
        "import_snapshot",
        {"TagSpecifications": [{"ResourceType": "import-snapshot-task", "Tags": LIST}]},
    ),
    ("ec2", "describe_import_snapshot_tasks", {"ImportTaskIds": ["import-snap-planned-4"]}),
    ("ec2", "describe_snapshots", {"SnapshotIds": ["snap-planned-4"]}),
    (
        "ec2",
        "register_image",
        {
            "Name": "web",
            "Architecture": "x86_64",
            "BootMode": "uefi",
            "EnaSupport": True,
            "RootDeviceName": "/dev/xvda",
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda"}],
            "Description": "d",
            "TagSpecifications": [{"ResourceType": "image", "Tags": LIST}],
        },
    ),
    ("ec2", "describe_images", {"ImageIds": ["ami-planned-5"]}),
    ("ec2", "register_image", {"Name": "bare"}),
    ("ec2", "describe_images", {"ImageIds": ["ami-planned-6"]}),
    ("ec2", "create_security_group", {"GroupName": "g", "Description": "d"}),
    ("ec2", "authorize_security_group_ingress", {"GroupId": "sg-planned-7"}),
    ("ec2", "create_placement_group", {"GroupName": "close"}),
    ("ec2", "describe_placement_groups", {"GroupNames": ["close"]}),
    (
        "ec2",
        "run_instances",
        {
            "ImageId": "ami-planned-5",
            "InstanceType": "c5.large",
            "SubnetId": "subnet-1",
            "MinCount": 1,
            "MaxCount": 1,
            "TagSpecifications": [{"ResourceType": "instance", "Tags": LIST}],
        },
    ),
    ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1}),
    ("ec2", "describe_instances", {"InstanceIds": ["i-planned-8", "i-planned-9"]}),
    ("ec2", "get_console_output", {"InstanceId": "i-planned-8"}),
    ("ec2", "terminate_instances", {"InstanceIds": ["i-planned-9"]}),
    ("ec2", "describe_instances", {"InstanceIds": ["i-planned-8", "i-planned-9"]}),
    ("ec2", "delete_volume", {"VolumeId": "vol-1", "DryRun": False}),
    ("ec2", "delete_volume", {"VolumeId": "vol-1", "DryRun": True}),
    ("ec2", "describe_volumes", {"VolumeIds": ["vol-1"]}),
    ("ec2", "describe_volumes", {"VolumeIds": ["ami-planned-5"]}),
    ("ec2", "create_vpc", {"CidrBlock": "10.0.0.0/16"}),
)


def test_a_dry_run(aws: Answering) -> None:
    def run(cloud: Cloud) -> object:
        clients: dict[str, Any] = {"s3": cloud.s3, "ebs": cloud.ebs, "ec2": cloud.ec2}
        for service, method, params in MADE:
            try:
                answer = getattr(clients[service], method)(**params)
                if "BlockData" in answer:
                    answer["BlockData"] = len(answer["BlockData"].read())
                aws.note(f"{method} → {answer}")
            except NitroError as error:
                aws.note(f"{method}: {error}")
        assert cloud.plan
        changes = [str(call) for call in cloud.plan.changes]
        return [*map(str, cloud.plan.calls), len(changes)]

    real: Any = {"DescribeVolumes": {"Volumes": []}, "DeleteVolume": {}}
    aws.case("planned", run, real, dry_run=True)

    aws.case(
        "lengths", lambda _: [len(str(Call("s", "o", {"p": "x" * n}, False))) for n in (198, 199)]
    )
    names = ("DescribeX", "GetX", "ListX", "HeadX", "SimulateX", "XGet", "CreateX")
    for params in ({}, {"DryRun": True}, {"DryRun": False}):
        aws.case(
            f"{params}", lambda _, p: [(n, changes_something(n, p)) for n in names], {}, params
        )
    aws.case("bodies", lambda _: without_bodies({"a": b"xyz", "b": "xyz", "c": None}))
    aws.compare("planned")


def test_what_is_taken_back(aws: Answering) -> None:
    def run(
        cloud: Cloud, keep: Keep, error: BaseException | None, options: dict[str, Any]
    ) -> object:
        asked: list[str] = []

        def remover(name: str, *errors: Exception) -> Any:
            left = list(errors)

            def remove(id_: str) -> None:
                aws.note(f"remove {name} {id_}")
                if left:
                    raise left.pop(0)

            return remove

        def finder(*answers: list[str]) -> Any:
            left = list(answers)

            def find() -> list[str]:
                asked.append("find")
                aws.note("find")
                return left.pop(0) if left else []

            return find

        expired = ApiError("expired", hint=None, code="ExpiredToken")
        other = NitroError("in use", hint="wait")
        outer = (
            Undo(keep=Keep.NOTHING, report=aws.report, sleep=cloud.sleep)
            if options.get("outer")
            else None
        )
        undo = Undo(keep=keep, report=aws.report, sleep=cloud.sleep, outer=outer)
        try:
            with undo:
                undo.push(
                    "image", Lifetime.IMAGE, remove=remover("image"), id="ami-1"
                ).proven = True
                undo.push("snapshot", Lifetime.IMAGE, remove=remover("snapshot"), id="snap-1")
                undo.push(
                    "object", Lifetime.SCRATCH, remove=remover("object"), id="o"
                ).proven = True
                undo.push(
                    "sought",
                    Lifetime.INSTANCE,
                    find=finder([], ["a", "b"]),
                    remove=remover("sought"),
                )
                undo.push("unknown", Lifetime.INSTANCE, find=finder(), remove=remover("unknown"))
                undo.push("done", Lifetime.SCRATCH, remove=remover("done"), id="d").done = True
                times = options.get("expired", 0)
                undo.push(
                    "tired", Lifetime.SCRATCH, remove=remover("tired", *[expired] * times), id="t"
                )
                if options.get("fails"):
                    undo.push("stuck", Lifetime.SCRATCH, remove=remover("stuck", other), id="s")
                    broken = ValueError("defect")
                    undo.push("broken", Lifetime.SCRATCH, remove=remover("broken", broken), id="b")
                if options.get("stopped"):
                    stop = Interrupted("stop")
                    undo.push("slow", Lifetime.SCRATCH, remove=remover("slow", stop), id="w")
                with undo.making(
                    "made", Lifetime.INSTANCE, find=finder(["m"]), remove=remover("made")
                ) as entry:
                    if options.get("unclear") is not None:
                        unclear = options["unclear"]
                        raise ApiError("lost", hint=None, code="X", may_have_happened=unclear)
                    entry.id = "m-1"
                if error:
                    raise error
        except BaseException as raised:
            text = f"{raised}, {getattr(raised, 'hint', None)}, {getattr(raised, 'left', None)}"
            aws.note(f"raised {type(raised).__name__}: {text}")
        kept = [(each.what, each.id, each.lifetime.value) for each in undo.kept]
        return [*kept, *[("outer", each.what) for each in (outer.entries if outer else ())]]

    plain: dict[str, Any] = {}
    for keep in Keep:
        for error in (None, ValueError("failed"), KeyboardInterrupt(), Interrupted("ended")):
            aws.case(f"{keep.value}, {error!r}", run, {}, keep, error, plain)
    for options in (
        {"expired": 3},
        {"expired": 4},
        {"fails": True},
        {"fails": True, "outer": True},
        {"stopped": True},
        {"stopped": True, "outer": True},
        {"unclear": True},
        {"unclear": False},
    ):
        for error in (None, KeyboardInterrupt()):
            aws.case(f"{options}, {error!r}", run, {}, Keep.IMAGE, error, options)

    def early(cloud: Cloud) -> object:
        with Undo(title="end it", report=aws.report, sleep=cloud.sleep, keep=Keep.NOTHING) as undo:
            entry = undo.push("a", Lifetime.IMAGE, remove=lambda id_: aws.note(id_), id="1")
            undo.push("b", Lifetime.IMAGE, remove=lambda id_: aws.note(id_), id="2")
            undo.remove(entry)
            return [each.what for each in undo.kept]

    aws.case("removed early", early)
    aws.case("an error", lambda _: (CleanUpError(["a", "b"]).left, str(CleanUpError(["a"]))))
    aws.compare("taken-back")


def test_policies(request: pytest.FixtureRequest) -> None:
    scopes = {
        "any": Scope(),
        "one": Scope("123456789012", "mine-*", "aws-cn", ("/images/web", "plain")),
    }
    text = ""
    for name in POLICIES:
        for title, scope in scopes.items():
            statements = document(name, scope)["Statement"]
            text += f"== {name}, {title}: {document(name, scope)['Version']}\n"
            text += "".join(f"  {json.dumps(each)}\n" for each in statements)
    with pytest.raises(NitroError, match="no policy 'x'"):
        policies.document("x", Scope())
    compare(request.path.parent / "transcripts" / "policies.txt", text)


def test_tags(aws: Answering) -> None:
    def call(_: Cloud, ask: Any, *given: Any) -> object:
        return ask(*given)

    own = {"Name": "no", tags.OWNER: "me", tags.DIGEST: "x", "a": "b"}
    run, brief = tags.Run("1"), tags.Run("2", ephemeral=True)
    east = datetime(2026, 1, 31, 13, 0, 0, 999999, tzinfo=timezone(timedelta(hours=1)))
    filters = {"digest": "d", "deployment": "p", "role": "r", "name": "n", "release": "l"}
    for title, ask, given in (
        ("of an image", tags.image_tags, ("web", "sha256:0", own)),
        ("of a bare image", tags.image_tags, ("web", "sha256:0")),
        ("of a deployment", tags.deployment_tags, ("web", "d-1", "server", None, own)),
        ("of one that ends", tags.deployment_tags, ("web", "d-1", "server", east, {})),
        ("of a run", lambda: run.tags, ()),
        ("of a brief run", lambda: brief.tags, ()),
        ("of any run", lambda: tags.Run().tags, ()),
        ("a deployment", tags.new_deployment, ()),
        ("an end", tags.expiry, (timedelta(hours=1),)),
        ("a time", tags.timestamp, (east,)),
        ("ports", tags.ports_tag, ([Port("tcp", 80), Port("udp", 53)],)),
        ("no ports", tags.ports_tag, ([],)),
        ("ports read", tags.ports_from, ({tags.PORTS: "80 udp:53"},)),
        ("no ports read", tags.ports_from, ({},)),
        ("bad ports", tags.ports_from, ({tags.PORTS: "80 x"},)),
        *(
            (f"processors {text!r}", tags.processors_from, ({tags.PROCESSORS: text},))
            for text in ("1", "9999", "10000", "0", "01", "", "x")
        ),
        ("no processors", tags.processors_from, ({},)),
        ("a set", tags.as_tag_set, (own,)),
        ("a specification", tags.as_specification, (["image", "snapshot"], {"a": "b"})),
        ("a query", tags.as_query, ({"a b": "c&d"},)),
        ("a list read", tags.from_list, ([{"Key": 1, "Value": 2}],)),
        ("none read", tags.from_list, (None,)),
        *(
            (f"ours {found}", tags.ours, (found,))
            for found in ({}, {tags.OWNER: "nitro"}, {tags.OWNER: "x"})
        ),
        ("by nothing", tags.by, ()),
        ("by all", lambda: tags.by(**filters), ()),
        ("short", tags.short, ("sha256:0123456789abcdef",)),
        ("a name", tags.ami_name, ("a_b.c-D 9/" + "x" * 90, "sha256:0123456789abcdef", "uefi")),
    ):
        aws.case(title, call, {}, ask, *given)
    assert at() == NOW.astimezone(UTC)
    aws.compare("tags")
