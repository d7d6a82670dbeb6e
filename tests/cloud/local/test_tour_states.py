"""What can be done with an instance in each of its states, and what its hypervisor is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.ec2.models import ec2_backends

from nitro.local.aws import launch, states
from nitro.local.hypervisor import Disk, Guest, NullHypervisor, State
from nitro.local.weather import Forecast
from nitro.local.weather.conditions import Conditions
from tests.cloud.local.conftest import REGION, Account
from tests.cloud.local.table import told
from tests.cloud.local.tour import Notes, Tour
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
# State of an instance → that of its guest, which keeps it so.
GUESTS = {
    "pending": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.RUNNING,
    "stopped": State.OFF,
    "shutting-down": State.RUNNING,
    "terminated": State.OFF,
}


class Heard(NullHypervisor):
    """Notes what it is told, in the order of it."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.keeps_running = False

    def start(self, guest: Guest) -> None:
        self.told.append(f"start {guest.instance_id} at {guest.public_ip}")
        super().start(guest)

    def stop(self, instance_id: str, *, force: bool = False) -> None:
        self.told.append(f"stop {instance_id} {force=}")
        if not self.keeps_running:
            super().stop(instance_id, force=force)

    def reboot(self, instance_id: str, meanwhile: Callable[[], None] | None = None) -> None:
        self.told.append(f"reboot {instance_id}" + (" {" if meanwhile else ""))
        super().reboot(instance_id, meanwhile)
        self.told += ["}"] if meanwhile else []

    def release(self, instance_id: str) -> None:
        self.told.append(f"release {instance_id}")
        super().release(instance_id)

    @contextmanager
    def paused(self, instance_id: str) -> Iterator[None]:
        self.told.append(f"pause {instance_id}")
        yield
        self.told.append(f"go on {instance_id}")

    def attach(self, instance_id: str, disk: Disk) -> None:
        self.told.append(f"attach {disk} to {instance_id}")
        super().attach(instance_id, disk)

    def detach(self, instance_id: str, volume_id: str) -> None:
        self.told.append(f"detach {volume_id} of {instance_id}")


@pytest.fixture
def heard(account: Account) -> Heard:
    hypervisor = Heard()
    account.hypervisor = account.site.hypervisor = hypervisor
    return hypervisor


def instance_of(instance_id: str) -> Any:
    backend: Any = ec2_backends["123456789012"][REGION]
    [found] = backend.get_multi_instances_by_id([instance_id])
    return found


def forget_all() -> None:
    """Of instances and what was made for them, so that each call looks at one only."""
    backend: Any = ec2_backends["123456789012"][REGION]
    for held in (backend.reservations, backend.enis):
        held.clear()
    for id_ in [id_ for id_, volume in backend.volumes.items() if volume.snapshot_id]:
        del backend.volumes[id_]
    for address in backend.addresses:
        address.instance = address.eni = address.association_id = None
    for volume in backend.volumes.values():
        volume.attachment = None


def operations(account: Account) -> dict[str, Callable[[dict[str, Any]], Any]]:
    """Each by a name, with what names an instance."""
    ec2 = account.ec2
    address = ec2.allocate_address()["AllocationId"]
    volume = ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
    account.iam.create_instance_profile(InstanceProfileName="host")
    counter = iter(range(1000))

    def one(which: dict[str, Any]) -> dict[str, Any]:
        return {"InstanceId": which["InstanceIds"][0]}

    def modify(**change: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda i: ec2.modify_instance_attribute(**one(i), **change)

    return {
        "start": lambda i: ec2.start_instances(**i),
        "stop": lambda i: ec2.stop_instances(**i),
        "stop by force": lambda i: ec2.stop_instances(**i, Force=True),
        "reboot": lambda i: ec2.reboot_instances(**i),
        "terminate": lambda i: ec2.terminate_instances(**i),
        "monitor": lambda i: ec2.monitor_instances(**i),
        "console": lambda i: ec2.get_console_output(**one(i)),
        "address": lambda i: ec2.associate_address(AllocationId=address, **one(i)),
        "profile": lambda i: ec2.associate_iam_instance_profile(
            IamInstanceProfile={"Name": "host"}, **one(i)
        ),
        "metadata": lambda i: ec2.modify_instance_metadata_options(HttpTokens="required", **one(i)),
        "type": modify(InstanceType={"Value": "c5.xlarge"}),
        "user data": modify(UserData={"Value": b"x"}),
        "ENA": modify(EnaSupport={"Value": False}),
        "EBS": modify(EbsOptimized={"Value": True}),
        "termination": modify(DisableApiTermination={"Value": False}),
        "check": modify(SourceDestCheck={"Value": False}),
        "image": lambda i: ec2.create_image(Name=f"image {next(counter)}", **one(i)),
        "image without a reboot": lambda i: ec2.create_image(
            Name=f"image {next(counter)}", NoReboot=True, **one(i)
        ),
        "snapshots": lambda i: ec2.create_snapshots(InstanceSpecification=one(i)),
        "attach": lambda i: ec2.attach_volume(VolumeId=volume, Device="/dev/sdf", **one(i)),
        "detach": lambda i: ec2.detach_volume(VolumeId=volume, **one(i)),
        "detach the root": lambda i: ec2.detach_volume(
            VolumeId=next(
                iter(instance_of(i["InstanceIds"][0]).block_device_mapping.values())
            ).volume_id
        ),
        "passwords": lambda i: ec2.get_password_data(**one(i)),
        "credits": lambda i: ec2.describe_instance_credit_specifications(**i),
        "status": lambda i: len(ec2.describe_instance_status(**i)["InstanceStatuses"]),
    }


def test_what_each_state_allows(tour: Tour, heard: Heard) -> None:
    account, notes = tour.account, Notes()
    image = account.image(account.snapshot())
    here = {"Placement": {"AvailabilityZone": f"{REGION}a"}}
    known = operations(account)
    begun = ""
    for state, guest in GUESTS.items():
        for name, operate in known.items():
            if not begun:
                forget_all()
                begun = account.run(image, **here)["InstanceId"]
                account.instance(begun)
                if state == "terminated":
                    account.ec2.terminate_instances(InstanceIds=[begun])
                    account.ec2.describe_instances()
            instance = instance_of(begun)
            if state != "terminated":
                states.set_state(instance, state)
                heard.guests[begun].state = guest
            heard.told.clear()
            heard.keeps_running = True
            try:
                operate({"InstanceIds": [begun]})
                answer = "done"
            except account.ec2.exceptions.ClientError as error:
                answer = error.response["Error"]["Code"]
            except StopIteration:
                answer = "no root"
            heard.keeps_running = False
            said = [each.replace(begun, "it") for each in heard.told]
            notes.note(f"{name} while {state}", [answer, instance.state, *said])
            if answer == "done":
                begun = ""
        begun = ""
    compare(HERE / "states-allow.txt", notes.text)


def test_what_follows_from_a_guest(tour: Tour, heard: Heard) -> None:
    """Each state of an instance, with each state of its guest, and each way to end."""
    account, notes = tour.account, Notes()
    image = account.image(account.snapshot())
    for state in GUESTS:
        for guest in State:
            for behavior in ("stop", "terminate") if guest is State.OFF else ("stop",):
                begun = account.run(image, InstanceInitiatedShutdownBehavior=behavior)["InstanceId"]
                instance = instance_of(begun)
                account.ec2.describe_instances()
                states.set_state(instance, state)
                heard.guests[begun].state = guest
                heard.fails = "no memory" if guest is State.FAILED else None
                heard.told.clear()
                account.ec2.describe_instances()
                heard.fails = None
                reason = instance.state_reason
                notes.note(
                    f"{state}, its guest {guest.value}, {behavior}",
                    [
                        *(instance.state, instance.state_code, instance._reason),
                        *((reason.message, reason.code) if reason else ()),
                        *(each.replace(begun, "it") for each in heard.told),
                    ],
                )
                forget_all()
    compare(HERE / "states-follow.txt", notes.text)


def test_the_spot_market(tour: Tour, heard: Heard) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    for taken in (0.0, 1.0):
        account.site.forecast = Forecast(Conditions(spot_taken=taken))
        ids = {
            "InstanceIds": [
                account.run(image, **spot)["InstanceId"],
                account.run(image)["InstanceId"],
            ]
        }
        for _ in range(2):
            found = account.ec2.describe_instances(**ids)["Reservations"]
            tour.note(
                f"{taken=}",
                [
                    [each["State"]["Name"], each.get("InstanceLifecycle"), each.get("StateReason")]
                    for held in found
                    for each in held["Instances"]
                ],
            )
            tour.note("the hypervisor", heard.told)
    compare(HERE / "states-spot.txt", tour.text)


def test_several_at_once(tour: Tour, heard: Heard) -> None:
    account = tour.account
    image = account.image(account.snapshot())
    begun = account.ec2.run_instances(
        ImageId=image, InstanceType="c5.large", MinCount=2, MaxCount=3, SubnetId=_subnet(account)
    )["Instances"]
    ids = [each["InstanceId"] for each in begun]
    tour.note("launched", heard.told)
    both = {"InstanceIds": ids[:2]}
    for operation in ("reboot", "stop", "start", "stop"):
        heard.told.clear()
        tour(f"ec2.{operation}_instances", **both)
        account.ec2.describe_instances()
        tour.note("the hypervisor", heard.told)
    heard.told.clear()
    tour("ec2.start_instances", InstanceIds=ids)
    tour("ec2.stop_instances", InstanceIds=[*ids, "i-0123456789abcdef0"])
    tour("ec2.reboot_instances", InstanceIds=[ids[2], ids[0]])
    account.ec2.modify_instance_attribute(InstanceId=ids[1], DisableApiStop={"Value": True})
    account.ec2.modify_instance_attribute(InstanceId=ids[1], DisableApiTermination={"Value": True})
    tour("ec2.stop_instances", InstanceIds=ids)
    tour("ec2.terminate_instances", InstanceIds=ids)
    tour.note("the hypervisor", heard.told)
    disk = account.ec2.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
    tour("ec2.attach_volume", InstanceId=ids[0], VolumeId=disk, Device="/dev/sdf")
    tour("ec2.create_snapshot", VolumeId=disk)
    tour("ec2.create_snapshots", InstanceSpecification={"InstanceId": ids[0]})
    tour("ec2.detach_volume", VolumeId=disk)
    tour("ec2.describe_volumes", VolumeIds=[disk])
    heard.guests[ids[0]].plugged.clear()
    tour("ec2.describe_volumes", VolumeIds=[disk])
    tour("ec2.create_snapshot", VolumeId=disk)
    tour.note("the hypervisor", heard.told)
    compare(HERE / "states-several.txt", tour.text)


def _subnet(account: Account) -> str:
    zone = [{"Name": "availability-zone", "Values": [f"{REGION}a"]}]
    return str(account.ec2.describe_subnets(Filters=zone)["Subnets"][0]["SubnetId"])


def test_a_launch_that_fails_leaves_nothing(
    tour: Tour, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tour.account
    image = account.image(account.snapshot())

    def fails(*_: Any) -> None:
        raise RuntimeError("no guest")

    free = account.ec2.describe_subnets(SubnetIds=[_subnet(account)])["Subnets"][0]
    devices = [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1, "DeleteOnTermination": False}}]
    with monkeypatch.context() as patch:
        patch.setattr(launch, "guest_of", fails)
        asked = {"ImageId": image, "InstanceType": "c5.large", "MinCount": 2, "MaxCount": 2}
        nic = {"DeviceIndex": 0, "SubnetId": free["SubnetId"], "DeleteOnTermination": False}
        tour("ec2.run_instances", NetworkInterfaces=[nic], BlockDeviceMappings=devices, **asked)
    for name in ("instances", "volumes", "network_interfaces"):
        tour(f"ec2.describe_{name}")
    left = account.ec2.describe_subnets(SubnetIds=[free["SubnetId"]])["Subnets"][0]
    tour.note("free addresses", [free["AvailableIpAddressCount"], left["AvailableIpAddressCount"]])
    tour.note("public address", account.site.addresses.take())
    tour.note("told", told(lambda: heard.told))
    compare(HERE / "states-failed-launch.txt", tour.text)


def test_volumes_of_a_running_instance(tour: Tour, heard: Heard) -> None:
    """Kept at its end, or gone while an image is made of it."""
    account = tour.account
    image = account.image(account.snapshot())
    sdb = {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}}
    begun = account.run(image, BlockDeviceMappings=[sdb])["InstanceId"]
    tour("ec2.describe_volumes")
    for device, delete in (("/dev/sdb", False), ("/dev/xvda", False), ("/dev/xvda", True)):
        kept = [{"DeviceName": device, "Ebs": {"DeleteOnTermination": delete}}]
        tour("ec2.modify_instance_attribute", InstanceId=begun, BlockDeviceMappings=kept)
        tour("ec2.describe_volumes")
        tour("ec2.describe_instances")
    backend: Any = ec2_backends["123456789012"][REGION]
    reboot = heard.reboot
    [of_sdb] = (v for v in backend.volumes.values() if v.attachment.device == "/dev/sdb")

    def without(instance_id: str, meanwhile: Callable[[], None] | None = None) -> None:
        del backend.volumes[of_sdb.id]
        reboot(instance_id, meanwhile)
        backend.volumes[of_sdb.id] = of_sdb

    heard.reboot = without  # type: ignore[method-assign]
    made = tour("ec2.create_image", InstanceId=begun, Name="made")["ImageId"]
    tour.after(3)
    tour("ec2.describe_images", ImageIds=[made])
    tour("ec2.describe_snapshots", OwnerIds=["self"])
    tour("ec2.terminate_instances", InstanceIds=[begun])
    tour("ec2.describe_volumes")
    parameter = {"Name": "/web", "Type": "String", "DataType": "aws:ec2:image", "Value": image}
    account.ssm.put_parameter(**parameter)
    asked = {
        "ImageId": "resolve:ssm:/web",
        "InstanceType": "c5.large",
        "MinCount": 1,
        "MaxCount": 1,
    }
    tour("ec2.run_instances", DryRun=True, **asked)
    tour.after(account.site.pace.validate_parameter)
    tour("ec2.run_instances", DryRun=True, **asked)
    compare(HERE / "states-volumes.txt", tour.text)
