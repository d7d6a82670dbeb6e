"""`nitro launch` of an AMI that is there already: by its id or by a parameter, in its region."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nitro.cloud import Cloud, Undo, ami, publish
from nitro.errors import InputError, NitroError, ProbeError, RefusedError
from nitro.launch_ami import Launched, LaunchRequest, launch_ami
from nitro.local.aws import Pace, Site
from nitro.local.hypervisor import NullHypervisor
from nitro.ports import Port
from nitro.progress import Reporter
from nitro.publish.source import Provenance
from tests.cloud.conftest import NOTHING, connect, everything, make_disk
from tests.cloud.joint import FakeProber
from tests.cloud.policed import granted
from tests.cloud.publish.conftest import make_release, make_source, publish_it

pytestmark = pytest.mark.policies("deploy", parameters=["*"])

MISSING = "ami-0123456789abcdef0"


class Notes(Reporter):
    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def launched(cloud: Cloud, name: str, **options: Any) -> Launched:
    prober = options.pop("prober", None) or FakeProber()
    report = options.pop("report", None) or Reporter()
    type_name = options.pop("type_name", "c5.large")
    return launch_ami(
        cloud, LaunchRequest(name, type_name, **options), prober=prober, report=report
    )


def published(cloud: Cloud, folder: Path, *, seed: int = 1, **changes: Any) -> str:
    disk = make_disk(folder / f"{seed}.raw", seed=seed)
    disk = replace(disk, **{"ports": (Port("tcp", 80),), **changes})
    with Undo() as undo:
        return publish(cloud, disk, undo).ami_id


@pytest.mark.extended
def test_an_image_of_ours_is_watched_and_its_tag_opens_the_ports(
    cloud: Cloud, tmp_path: Path, hypervisor: NullHypervisor
) -> None:
    id_ = published(cloud, tmp_path)
    prober = FakeProber()
    done = launched(cloud, id_, prober=prober, allow=("198.51.100.0/24",), environment={"A": "b"})
    assert done.published.ami_id == id_
    assert done.ports == (Port("tcp", 80),)
    assert [result.name for result in done.probes] == ["boot"]
    assert prober.watched[0].address == (done.instance.public_ip, 80)
    assert hypervisor.guests[done.instance.id].guest.user_data == b"NITRO=1\nA=b\n\n"
    (group_id,) = everything(connect())["groups"]
    (group,) = cloud.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    assert 80 in [rule.get("FromPort") for rule in group["IpPermissions"]]


@pytest.mark.extended
def test_the_images_tag_and_the_command_say_with_how_many_vcpus(
    cloud: Cloud, tmp_path: Path, hypervisor: NullHypervisor
) -> None:
    id_ = published(cloud, tmp_path, processors=1)
    one, two = launched(cloud, id_), launched(cloud, id_, processors=2)
    guests = [hypervisor.guests[each.instance.id].guest for each in (one, two)]
    assert [guest.vcpus for guest in guests] == [1, 2]


@pytest.mark.extended
def test_ports_given_replace_those_of_the_tag(cloud: Cloud, tmp_path: Path) -> None:
    id_ = published(cloud, tmp_path)
    assert launched(cloud, id_, ports=[Port("udp", 53)]).ports == [Port("udp", 53)]


@pytest.mark.extended
def test_a_release_is_launched_in_each_of_its_regions(bare_cloud: Cloud, tmp_path: Path) -> None:
    release = make_release(make_source(tmp_path), via="ebs", parameter="/images/bench")
    with granted("publish"):
        released = publish_it(release)
    for made in released.outcomes:
        assert made.ami
        cloud = bare_cloud.in_region(made.region)
        for name in (made.ami.id, "resolve:ssm:/images/bench", "resolve:ssm:/images/bench:1"):
            done = launched(cloud, name)
            assert (done.published.ami_id, done.published.region) == (made.ami.id, made.region)
            raw = cloud.ec2.describe_instances(InstanceIds=[done.instance.id])
            assert raw["Reservations"][0]["Instances"][0]["ImageId"] == made.ami.id


@pytest.mark.extended
@pytest.mark.policies("deploy", "bench")
def test_a_disk_of_anybodys_is_not_waited_for(bare_cloud: Cloud, tmp_path: Path) -> None:
    raw = replace(make_source(tmp_path), provenance=Provenance())
    with granted("publish"):
        (made,) = publish_it(make_release(raw, regions=["eu-central-1"], via="ebs")).outcomes
    assert made.ami
    prober = FakeProber()
    report = Notes()
    done = launched(bare_cloud, made.ami.id, prober=prober, report=report, ttl=timedelta(hours=1))
    assert (prober.watched, done.probes, done.ports) == ([], [], ())
    (told,) = report.notes
    assert "whether it boots is not waited for, and its guest may not heed --ttl" in told
    assert done.leftovers == [f"instance {done.instance.id}, which ends with `nitro destroy`"]


@pytest.mark.extended
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ami-0123", "ami-0123 is no AMI's id"),
        (MISSING, f"there is no AMI {MISSING} in eu-central-1 that this account may use"),
        ("resolve:ssm:", "names no parameter"),
        ("resolve:ssm:/none", "there is no SSM parameter /none in eu-central-1"),
        ("resolve:ssm:/secret", "is a SecureString"),
        ("resolve:ssm:/list", "is a StringList"),
        ("resolve:ssm:/word", "holds 'latest', which is no AMI's id"),
        ("resolve:ssm:/word:9", "there is no SSM parameter /word:9"),
        ("resolve:ssm:/gone", f"there is no AMI {MISSING}"),
    ],
)
def test_what_names_no_ami_is_bad_input(bare_cloud: Cloud, name: str, says: str) -> None:
    for parameter, value, kind in (
        ("/secret", MISSING, "SecureString"),
        ("/list", MISSING, "StringList"),
        ("/word", "latest", "String"),
        ("/gone", MISSING, "String"),
    ):
        bare_cloud.ssm.put_parameter(Name=parameter, Value=value, Type=kind)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        launched(connect(), name)
    assert says in str(caught.value)
    assert everything(connect()) == NOTHING


@pytest.mark.extended
@pytest.mark.parametrize(
    ("changes", "type_name", "says"),
    [
        ({}, "m6g.large", "m6g.large is arm64, the image is x86_64"),
        ({"architecture": "arm64", "boot_mode": "uefi"}, "c5.large", "the image is arm64"),
        ({"minimum_memory_mib": 9000}, "c5.large", "the image needs 9000 MiB"),
        ({}, "t2.nano", "t2.nano has no ENA|t2.nano runs on Xen|t2.nano boots by"),
    ],
)
def test_a_type_that_cannot_run_the_image_is_refused_before_anything_is_made(
    cloud: Cloud, tmp_path: Path, changes: dict[str, Any], type_name: str, says: str
) -> None:
    id_ = published(cloud, tmp_path, **changes)
    with pytest.raises(RefusedError, match=says):
        launched(cloud, id_, type_name=type_name)
    assert everything(connect())["groups"] == []


@pytest.mark.extended
def test_an_image_that_is_not_registered_for_ena_is_refused(
    cloud: Cloud, bare_cloud: Cloud, tmp_path: Path
) -> None:
    image = ami.describe(cloud, published(cloud, tmp_path))
    id_ = bare_cloud.ec2.register_image(
        Name="old",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": ami.snapshot_of(image)}}
        ],
    )["ImageId"]
    with pytest.raises(RefusedError, match=f"{id_} is not registered for ENA"):
        launched(cloud, id_)


@pytest.mark.extended
@pytest.mark.policies("deploy", "bench")
def test_an_image_that_is_not_available_yet_is_waited_for(
    cloud: Cloud, bare_cloud: Cloud, tmp_path: Path, site: Site
) -> None:
    image = ami.describe(cloud, published(cloud, tmp_path))
    site.pace = Pace(copy_snapshot=0.05)
    id_ = bare_cloud.ec2.copy_image(
        Name="copy", SourceRegion=cloud.region, SourceImageId=image["ImageId"]
    )["ImageId"]
    assert ami.describe(cloud, id_)["State"] == "pending"
    # The copy has no tags of ours, so whoever launches it needs more than the policy.
    assert launched(bare_cloud, id_).published.ami_id == id_


@pytest.mark.extended
def test_what_does_not_boot_leaves_nothing(cloud: Cloud, tmp_path: Path) -> None:
    id_ = published(cloud, tmp_path)
    prober = FakeProber(fails={"wait_boot": ProbeError("boot: the kernel panicked")})
    with pytest.raises(NitroError, match="panicked"):
        launched(cloud, id_, prober=prober)
    left = everything(connect())
    assert (left["instances"], left["groups"], left["images"]) == ([], [], [id_])


@pytest.mark.extended
def test_the_quota_is_asked_for_one_instance(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = published(cloud, tmp_path)
    monkeypatch.setattr("nitro.cloud.preflight.vcpu_quota", lambda *_: 2)
    assert launched(cloud, id_).published.ami_id == id_
    monkeypatch.setattr("nitro.cloud.preflight.vcpu_quota", lambda *_: 1)
    with pytest.raises(RefusedError, match=r"1 × c5.large have 2 vCPUs, .* is 1"):
        launched(cloud, id_)
