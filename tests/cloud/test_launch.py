"""Instances: how they are started, and what happens when they do not come up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nitro.cloud import (
    Cloud,
    DiskImage,
    Instance,
    InstanceType,
    Keep,
    NeverReady,
    Undo,
    create_placement,
    expired,
    find_instance_type,
    instance,
    inventory,
    launch,
    network,
    publish,
    tags,
    wait_console,
)
from nitro.cloud.launch import check_image, client_token, placement_of
from nitro.errors import InputError, RefusedError
from nitro.local.aws import Site
from nitro.local.hypervisor import NullHypervisor
from nitro.local.weather import Conditions, Forecast
from nitro.ports import Port
from tests.cloud.conftest import NOTHING, connect, everything, kind, recorded, refuse, unproven
from tests.cloud.joint import deploy, running


def start(cloud: Cloud, disk: DiskImage, undo: Undo, type_name: str = "c5.large", **more):
    published = publish(cloud, disk, undo)
    placement = create_placement(
        cloud,
        undo,
        deployment=more.pop("deployment", "d-1"),
        ports=[Port("tcp", 80)],
        ttl=more.pop("ttl", None),
        extra_tags={"a": "b"},
        spot=more.pop("spot", False),
    )
    return launch(
        cloud,
        published.ami_id,
        find_instance_type(cloud, type_name),
        placement,
        undo,
        name="web",
        **more,
    )


@pytest.mark.extended
def test_an_instance_is_what_was_asked_for(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    with Undo(Keep.INSTANCE) as undo:
        web = start(cloud, disk, undo, environment={"PORT": "80"}, payload="hello")
    guest = hypervisor.guests[web.id].guest
    assert (web.type, web.state, web.private_ip) == ("c5.large", "running", guest.private_ip)
    assert web.public_ip == guest.public_ip
    assert guest.user_data == b"NITRO=1\nPORT=80\n\nhello"
    assert guest.metadata_tokens_required
    raw = cloud.ec2.describe_instances(InstanceIds=[web.id])["Reservations"][0]["Instances"][0]
    assert raw["MetadataOptions"]["HttpTokens"] == "required"
    assert raw["MetadataOptions"]["HttpEndpoint"] == "enabled"
    assert raw["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    behaviour = cloud.ec2.describe_instance_attribute(
        InstanceId=web.id, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"


@pytest.mark.extended
@pytest.mark.policies("deploy", "bench")
def test_a_spot_instance_says_when_the_market_takes_it(
    site: Site, cloud: Cloud, disk: DiskImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: dict[str, bool] = {}
    monkeypatch.setattr(
        site.hypervisor, "stop", lambda id_, *, force=False: stops.update({id_: force})
    )
    cloud, site.forecast = cloud, Forecast(Conditions(spot_taken=1))
    calls = recorded(cloud)
    with Undo(Keep.INSTANCE) as undo:
        kept = start(cloud, disk, undo)
        taken = start(cloud, disk, undo, spot=True, deployment="d-2")
    assert not instance.get(cloud, kept.id).taken
    found = instance.get(cloud, taken.id)
    assert (found.taken, found.state) == (True, "terminated")
    assert stops == {taken.id: True}, "the market does not wait for the guest"
    assert found.because == " (Server.SpotInstanceTermination: Spot instance termination)"
    asked = [
        call.params.get("InstanceMarketOptions")
        for call in calls
        if call.operation == "RunInstances"
    ]
    assert [one and one["SpotOptions"]["SpotInstanceType"] for one in asked] == [None, "one-time"]


@pytest.mark.extended
def test_instance_volume_and_interface_carry_our_tags(cloud: Cloud, disk: DiskImage) -> None:
    calls = recorded(cloud)
    with Undo(Keep.INSTANCE) as undo:
        web = start(cloud, disk, undo)
    wanted = {
        "Name": "web",
        "a": "b",
        tags.OWNER: "nitro",
        tags.DEPLOYMENT: "d-1",
        tags.ROLE: "server",
    }
    raw = cloud.ec2.describe_instances(InstanceIds=[web.id])["Reservations"][0]["Instances"][0]
    (volume,) = cloud.ec2.describe_volumes()["Volumes"]
    for listed in (raw["Tags"], volume["Tags"]):
        assert wanted.items() <= tags.from_list(listed).items()
    (run,) = (call for call in calls if call.operation == "RunInstances")
    asked = {spec["ResourceType"]: spec["Tags"] for spec in run.params["TagSpecifications"]}
    assert tags.from_list(asked["network-interface"]) == wanted  # moto drops these


@pytest.mark.extended
def test_its_time_to_live_is_told_to_the_guest_and_to_the_sweep(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    with Undo(Keep.INSTANCE) as undo:
        web = start(cloud, disk, undo, ttl=timedelta(minutes=30))
    resources = inventory(cloud)
    [expires] = [r.expires for r in resources if r.kind == "instance"]
    assert expires
    told = hypervisor.guests[web.id].guest.user_data or b""
    assert f"NITRO_EXPIRES={int(expires.timestamp())}\n".encode() in told
    assert expired(resources) == []
    later = expired(resources, datetime.now(UTC) + timedelta(minutes=31))
    assert [resource.kind for resource in later] == ["instance", "security-group"]


@pytest.mark.extended
def test_the_same_start_twice_is_one_instance(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        published = publish(cloud, disk, undo)
        placement = create_placement(cloud, undo, deployment="d-1", ports=[Port("tcp", 80)])
        ids = {
            launch(cloud, published.ami_id, kind(cloud), placement, undo, name="web").id
            for _ in range(2)
        }
        assert len(ids) == 1
    assert everything(cloud)["instances"] == []


@pytest.mark.extended
def test_too_small_a_type_is_refused_by_what_the_image_says(cloud: Cloud, disk: DiskImage) -> None:
    with pytest.raises(RefusedError, match="the image needs 700 MiB"), Undo() as undo:
        start(cloud, replace(disk, minimum_memory_mib=700), undo, "t3.nano")
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
def test_an_instance_that_ends_instead_of_running_says_why(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    hypervisor.fails = "no more memory on this host"
    with pytest.raises(NeverReady, match=r"terminated instead of running .*no more memory"):
        deploy(cloud, disk)
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("VcpuLimitExceeded", "quota"),
        ("Unsupported", "another instance type"),
        ("UnauthorizedOperation", "docs/aws.md"),
    ],
)
def test_a_refused_start_leaves_nothing(
    cloud: Cloud, disk: DiskImage, code: str, hint: str
) -> None:
    failures = refuse(cloud, "ec2.RunInstances", code)
    with pytest.raises(RefusedError) as caught:
        deploy(cloud, disk)
    assert hint in str(caught.value.hint)
    assert len(failures) == 1
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
def test_one_that_never_boots_shows_the_end_of_its_console(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    lines = [f"line {number}" for number in range(40)]
    with pytest.raises(NeverReady, match="ready took longer") as caught, Undo() as undo:  # noqa: PT012
        web = start(cloud, disk, undo)
        hypervisor.write_console(web.id, "\n".join(lines).encode())
        wait_console(cloud, web.id, lambda text: "ready" in text, what="ready", deadline=0.2)
    assert caught.value.console.splitlines() == lines[-20:]
    assert unproven(connect()) == NOTHING


@pytest.mark.extended
def test_one_that_powers_off_is_not_waited_for(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    with pytest.raises(NeverReady, match="terminated before ready") as caught, Undo() as undo:  # noqa: PT012
        web = start(cloud, disk, undo)
        hypervisor.write_console(web.id, b"Kernel panic\n")
        hypervisor.stop(web.id)
        wait_console(cloud, web.id, lambda text: "ready" in text, what="ready", deadline=60)
    assert caught.value.console == "Kernel panic"


@pytest.mark.extended
def test_what_is_waited_for_is_returned(
    cloud: Cloud, disk: DiskImage, hypervisor: NullHypervisor
) -> None:
    with Undo() as undo:
        web = start(cloud, disk, undo)
        hypervisor.write_console(web.id, b'{"nitro":"ready"}\n')
        text = wait_console(cloud, web.id, lambda seen: "ready" in seen, what="ready", deadline=5)
    assert text == '{"nitro":"ready"}\n'


@pytest.mark.extended
def test_another_instance_can_be_put_beside_one_that_is_there(
    cloud: Cloud, disk: DiskImage
) -> None:
    done = running(cloud, disk)
    published, server = done.published, instance.get(cloud, done.instance.id)
    placement = placement_of(cloud, server)
    assert placement.deployment == done.id
    with Undo() as undo:
        second = launch(
            cloud, published.ami_id, kind(cloud), placement, undo, name="again", role="second"
        )
        assert second.subnet_id == server.subnet_id
    assert everything(cloud)["instances"] == [server.id]


def test_nothing_is_put_beside_an_instance_of_others(cloud: Cloud) -> None:
    foreign = Instance("i-1", "c5.large", "running", "", "", "subnet-1")
    with pytest.raises(InputError, match="nitro did not launch i-1"):
        placement_of(cloud, foreign)


@pytest.mark.extended
def test_where_one_zone_has_no_capacity_another_is_tried(cloud: Cloud, disk: DiskImage) -> None:
    first, second, *_ = network.find_subnets(cloud)
    user = connect()
    calls = recorded(user)
    failures = refuse(user, "ec2.RunInstances", "InsufficientInstanceCapacity", status=500, times=1)
    with Undo(Keep.INSTANCE) as undo:
        web = start(user, disk, undo)
    assert len(failures) == 1  # a clear answer: not repeated where it was given
    (made,) = (call for call in calls if call.operation == "RunInstances")
    assert made.params["SubnetId"] == web.subnet_id == second.id != first.id


@pytest.mark.extended
def test_where_no_zone_has_capacity_all_are_named_and_nothing_is_left(
    cloud: Cloud, disk: DiskImage
) -> None:
    user = connect()
    failures = refuse(user, "ec2.RunInstances", "InsufficientInstanceCapacity", status=500)
    zones = ", ".join(subnet.zone for subnet in network.find_subnets(cloud))
    with (
        pytest.raises(RefusedError, match=f"no capacity for c5.large in {zones} at"),
        Undo() as undo,
    ):
        start(user, disk, undo)
    assert len(failures) == len(network.find_subnets(cloud)) > 1
    assert unproven(connect()) == NOTHING


def test_each_zones_start_has_a_token_of_its_own(cloud: Cloud, disk: DiskImage) -> None:
    """The same token with another subnet would be refused."""
    tokens = {client_token("d-1", "server", "ami-1", subnet) for subnet in ("a", "b")}
    assert len(tokens) == 2
    assert max(map(len, tokens)) <= 64


@pytest.mark.extended
def test_the_second_instance_goes_beside_the_first(cloud: Cloud, disk: DiskImage) -> None:
    with Undo() as undo:
        placement = create_placement(cloud, undo, deployment="d-1", ports=[])
    second = placement.others[0]
    with Undo(Keep.NOTHING) as undo:
        server = replace(start(cloud, disk, undo), subnet_id=second.id)
    beside = placement.beside(server)
    assert (beside.subnet, beside.others) == (second, ())
    assert beside.group_id == placement.group_id


@pytest.mark.extended
def test_a_given_subnet_has_no_others(cloud: Cloud) -> None:
    given = network.find_subnets(cloud)[1]
    with Undo(Keep.NOTHING) as undo:
        placement = create_placement(cloud, undo, deployment="d-1", ports=[], subnet_id=given.id)
    assert (placement.subnet, placement.others) == (given, ())


IMAGE: Any = {"ImageId": "ami-1", "Architecture": "x86_64", "EnaSupport": True, "BootMode": "uefi"}
TYPE = InstanceType("c5.large", 2, 4096, ("x86_64",), ("uefi",), "required", "nitro", False, "")
LEGACY, ARM = replace(TYPE, boot_modes=("legacy-bios",)), replace(TYPE, architectures=("arm64",))


def without(*keys: str, **more: Any) -> Any:
    return {key: value for key, value in IMAGE.items() if key not in keys} | more


@pytest.mark.parametrize(
    ("image", "machine", "refusal"),
    [
        (IMAGE, TYPE, None),
        (IMAGE, LEGACY, "boots by legacy-bios, the image by uefi"),
        # An image that names no mode boots as its architecture always did.
        (without("BootMode"), LEGACY, None),
        (without("BootMode"), TYPE, "the image by legacy-bios"),
        (without("BootMode", Architecture="arm64"), ARM, None),
        (without(BootMode="uefi-preferred"), TYPE, None),
        (without(BootMode="uefi-preferred"), LEGACY, None),
        (IMAGE, ARM, "c5.large is arm64, the image is x86_64"),
        (without("EnaSupport"), TYPE, "not registered for ENA"),
        (without("EnaSupport"), replace(TYPE, ena="supported"), None),
        (IMAGE, replace(TYPE, ena="unsupported"), "no ENA network card"),
        (IMAGE, replace(TYPE, bare_metal=True, hypervisor=""), "is bare metal"),
        (IMAGE, replace(TYPE, hypervisor="xen"), "runs on Xen"),
        (without(RootDeviceType="ebs"), TYPE, None),
        (without(RootDeviceType="instance-store"), TYPE, "boots from an instance store"),
        (without(Tags=[{"Key": tags.MEMORY, "Value": "4096"}]), TYPE, None),
        (without(Tags=[{"Key": tags.MEMORY, "Value": "4097"}]), TYPE, "the image needs 4097 MiB"),
        (without(Tags=[{"Key": tags.MEMORY, "Value": "lots"}]), TYPE, None),
    ],
)
def test_an_image_is_held_against_what_the_type_is(
    image: Any, machine: InstanceType, refusal: str | None
) -> None:
    if refusal is None:
        check_image(image, machine)
        return
    with pytest.raises(RefusedError, match=refusal):
        check_image(image, machine)
