"""What functions of the local EC2 answer at and beside each of their bounds."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nitro.local.aws import (
    attributes,
    image_life,
    images,
    launch,
    launch_templates,
    private_addresses,
    quotas,
    regions,
    rules,
    states,
    tagging,
    volume_changes,
    volume_types,
)
from nitro.local.aws.site import PublicAddresses
from tests.cloud.local.table import Table
from tests.transcripts import compare

pytestmark = pytest.mark.extended

HERE = Path(__file__).parent / "transcripts"
KINDS: tuple[str, ...] = ("standard", "gp2", "gp3", "io1", "io2", "sc1", "st1")


def test_volumes() -> None:
    table = Table()
    table.head("sizes")
    for kind in KINDS:
        for size in (0, 1, 3, 4, 124, 125, 1024, 1025, 16384, 16385, 65536, 65537):
            table(volume_types.check_size, kind, size)
    table.head("speeds")
    speeds = (None, 0, 99, 100, 124, 125, 126, 2000, 2001, 2999, 3000, 64000, 64001)
    for kind in (*KINDS, ""):
        for size in (4, 1334, 5333, 5334, 5335):
            for iops in speeds:
                table(volume_types.check, kind, size, iops, None)
            if kind not in ("io1", "io2"):
                table(volume_types.check, kind, size, None, 126)
            table(volume_types.speed, kind, size, None, None)
    for size, iops in ((4, 200), (4, 201), (4, 4000), (4, 4001), (256, 256000), (257, 256001)):
        for kind in ("io1", "io2"):
            table(volume_types.check, kind, size, iops, None)
    for kind, size in (("gp3", 5), ("gp3", 6), ("gp3", 7), ("gp3", 160), ("gp3", 161)):
        for iops in (500 * size - 1, 500 * size, 500 * size + 1):
            for throughput in (None, 124, 125, iops // 4, iops // 4 + 1, 2000, 2001):
                table(volume_types.check, kind, size, iops, throughput)
    for size in (1, 33, 34, 5333, 5334):
        table(volume_types.speed, "gp2", size, None, None)
        table(volume_types.speed, "gp2", size, 0, 0)
        table(volume_types.speed, "gp3", size, 0, None)
        table(volume_types.speed, "gp3", size, None, 0)
    table.head("what is asked for")
    for kind in KINDS:
        table(volume_types.asked_speed, kind, 1, 2)
    fast = {"VolumeType": "gp3", "Iops": 1, "Throughput": 2, "VolumeSize": 3}
    for before in (fast, {"Iops": 1}, {"VolumeType": "gp2", "Throughput": 2}):
        for asked in ({}, {"VolumeType": "gp2"}, {"VolumeType": "gp3"}, {"Iops": 5}):
            table(volume_types.merged, before, asked)
    compare(HERE / "table-volumes.txt", table.text)


def test_changes_of_volumes() -> None:
    table = Table()
    target = {"Size": 2, "VolumeType": "gp3", "Iops": 3000, "Throughput": None}
    was = SimpleNamespace(id="vol-1", size=1, volume_type="gp2", iops=100, throughput=None)
    for lasts in (0, 4.0):
        change = volume_changes.Change(was, target, 10.0, lasts)
        change.started = datetime(2026, 1, 1, tzinfo=UTC)
        for now in (10.0, 10.01, 11.99, 12.0, 13.99, 14.0, 20.0):
            table(change.describe, now)
    compare(HERE / "table-volume-changes.txt", table.text)


def test_rules() -> None:
    table = Table()
    named = ("tcp", "TCP", "6", "udp", "17", "icmp", "1", "icmpv6", "58", "-1", "all", None, "")
    others = ("0", "2", "50", "254", "255", "256", "sctp", "-2", "٣", "1.0")
    for protocol in (*named, *others):
        for first, last in ((None, None), (0, None), (None, 0), (5, 9)):
            table(rules.ports, protocol, first, last)
    for protocol in ("tcp", "udp"):
        for first, last in ((-1, 0), (0, 0), (0, 65535), (0, 65536), (65535, 65535), (2, 1)):
            table(rules.ports, protocol, first, last)
    for protocol in ("icmp", "icmpv6"):
        pairs = [(-2, 0), (-1, -1), (0, -2), (0, 0), (255, 255), (256, 0), (0, 256), (9, 8)]
        for first, last in pairs:
            table(rules.ports, protocol, first, last)
    marks = "abcXYZ019 ._:/()#,@[]+=&;{}!$*-"
    for text in (None, "", marks, "x" * 255, "x" * 256, *'"%<>?\\^`|~ä\n\t'):
        table(rules.check_description, text)
    compare(HERE / "table-rules.txt", table.text)


def test_private_addresses() -> None:
    table = Table()
    for cidr in ("10.0.1.0/28", "10.0.0.0/16"):
        taken = {"10.0.1.9": None}
        subnet = SimpleNamespace(id="subnet-1", cidr_block=cidr, _subnet_ips=taken)
        table.head(cidr)
        for address in (
            *("10.0.0.255", "10.0.1.0", "10.0.1.3", "10.0.1.4", "10.0.1.8", "10.0.1.9"),
            *("10.0.1.14", "10.0.1.15", "10.0.1.16", "10.0.0.0", "10.0.0.3", "10.0.0.4"),
            *("10.0.255.254", "10.0.255.255", "10.1.0.0", "x", "", "10.0.1", "::1"),
        ):
            table(private_addresses.check, subnet, address)
    for free, count in ((0, 1), (1, 1), (1, 2), (2, 2), (2, 3)):
        subnet = SimpleNamespace(id="subnet-1", available_ip_address_count=free)
        table(private_addresses.check_room, subnet, count, shown=f"{count} of {free}")
    compare(HERE / "table-private-addresses.txt", table.text)


def test_launches() -> None:
    table = Table()
    table.head("processors")
    for kind in ("c5.large", "c5.4xlarge", "t3.micro", "c6g.large", "m1.small"):
        for asked in (
            *({}, {"CoreCount": 1}, {"ThreadsPerCore": 1}),
            *({"CoreCount": c, "ThreadsPerCore": t} for c in (0, 1, 2, 8, 9) for t in (0, 1, 2, 3)),
        ):
            table(launch.processors, kind, asked)
    table(launch.processors, "c99.large", {"CoreCount": 1, "ThreadsPerCore": 1})
    table.head("boot modes, and what fits")
    for architecture, mode, ena, virtual in itertools.product(
        ("x86_64", "arm64", "i386"),
        (None, "legacy-bios", "uefi", "uefi-preferred"),
        (True, False),
        ("hvm", "paravirtual"),
    ):
        image = SimpleNamespace(
            architecture=architecture,
            boot_mode=mode,
            ena_support=ena,
            virtualization_type=virtual,
        )
        for kind in ("c5.large", "c4.large", "t4g.micro", "m1.small", "c99.large"):
            shown = f"{architecture} {mode} {'ENA' if ena else 'no ENA'} {virtual} on {kind}"
            table(launch.check_fit, image, kind, shown=shown)
            if ena and virtual == "hvm":
                table(launch.boot_mode, image, kind, shown=f"boot mode of {shown}")
    table.head("user data")
    for data in (None, "", "eA==", "x", "QUFB" * 5461, "QUFB" * 5461 + "QQ==", "QUFB" * 5462):
        table(launch.check_user_data, data, shown=f"{len(data or '')} characters")
    table.head("sizes of devices")
    for ebs in ({}, {"VolumeSize": 0}, {"VolumeSize": 1}, {"VolumeSize": 2}, {"SnapshotId": "s"}):
        for least in (None, 0, 1, 2, 3):
            given: dict[str, Any] = dict(ebs)
            table(launch.check_size, "/dev/x", given, least)
            table.text += f"  {given}\n"
    compare(HERE / "table-launches.txt", table.text)


DEVICES: tuple[dict[str, Any], ...] = (
    {"NoDevice": ""},
    {"VirtualName": "ephemeral1"},
    {"Ebs": {}},
    {"Ebs": {"VolumeSize": 1}},
    {"Ebs": {"VolumeSize": 3}},
    {"Ebs": {"VolumeType": "gp2"}},
    {"Ebs": {"VolumeType": "io1", "Iops": 150, "VolumeSize": 4}},
    {"Ebs": {"Throughput": 126}},
    {"Ebs": {"SnapshotId": "s-9"}},
    {"Ebs": {"DeleteOnTermination": False}},
    {"NoDevice": "", "Ebs": {"VolumeSize": 8}},
)


def test_devices_of_a_launch() -> None:
    table = Table()
    disks = {"s-2": SimpleNamespace(volume_size=2), "s-9": SimpleNamespace(volume_size=9)}
    image = SimpleNamespace(
        root_device_name="/dev/a",
        ec2_backend=SimpleNamespace(get_snapshot=disks.__getitem__),
        block_device_mappings=[
            {"DeviceName": "/dev/a", "Ebs": {"SnapshotId": "s-2", "VolumeType": "gp3", "Iops": 1}},
            {"DeviceName": "/dev/b", "Ebs": {"VolumeSize": 4, "DeleteOnTermination": False}},
            {"DeviceName": "/dev/c", "VirtualName": "ephemeral0"},
        ],
    )
    image.block_device_mappings[0]["Ebs"]["Iops"] = 3000
    for device, given in itertools.product(
        ("/dev/a", "/dev/b", "/dev/c", "/dev/d"),
        DEVICES,
    ):
        table(
            launch.mappings_of, image, [{"DeviceName": device, **given}], shown=f"{device} {given}"
        )
    table(launch.mappings_of, image, [], shown="nothing")
    compare(HERE / "table-devices.txt", table.text)


def instance(kind: str, state: str = "running", lifecycle: str | None = None) -> Any:
    return SimpleNamespace(instance_type=kind, state=state, lifecycle=lifecycle)


def test_quotas() -> None:
    table = Table()
    for kind in (
        *("a1.large", "c5.large", "d2.xlarge", "dl2q.24xlarge", "f2.12xlarge", "g4dn.xlarge"),
        *("hpc7a.12xlarge", "inf1.xlarge", "m1.small", "p4d.24xlarge", "r5.large", "t3.micro"),
        *("trn1.2xlarge", "u-6tb1.56xlarge", "vt1.3xlarge", "x1.16xlarge", "z1d.large"),
    ):
        asked = {"MinCount": 1, "MaxCount": 10_000, "InstanceType": kind}
        spot = {**asked, "InstanceMarketOptions": {"MarketType": "spot"}}
        standard = [instance("c5.24xlarge") for _ in range(11)]
        for name, how in (("on demand", asked), ("spot", spot)):
            for present in ([], standard, [*standard, instance("c5.large", lifecycle="spot")]):
                shown = f"{kind} {name} beside {len(present)}"
                table(quotas.instances_to_launch, present, how, shown=shown)
    table.head("how many")
    for least, most in ((0, 1), (1, 1), (1, 0), (2, 1), (-1, 5), (576, 576), (577, 577), (9, 900)):
        for kind in ("c5.large", ""):
            asked = {"MinCount": least, "MaxCount": most, "InstanceType": kind}
            for present in ([], [instance("c5.large")], [instance("c5.24xlarge")] * 12):
                shown = f"{least} to {most} of {kind} beside {len(present)}"
                table(quotas.instances_to_launch, present, asked, shown=shown)
    table.head("which count")
    for state in (*states.CODES,):
        for lifecycle in (None, "spot"):
            held = [instance("c5.24xlarge", state, lifecycle)] * 12
            for starting in (
                instance("c5.large", "stopped"),
                instance("t3.micro", "stopped", "spot"),
            ):
                shown = f"{starting.lifecycle} beside {lifecycle} {state}"
                table(quotas.check_start, held, starting, shown=shown)
    for count, fits in ((1150, "c5.large"), (1151, "c5.large"), (1152, "m1.small")):
        held = [instance("m1.small")] * count
        table(quotas.check_start, held, instance(fits), shown=f"{fits} beside {count} vCPUs")
    quota = quotas.Quota("things", 5, "TooMany")
    for there, added in ((4, 1), (5, 1), (5, 0), (3, 2), (4, 2), (0, 6)):
        table(quota.check, there, added)
    table(quota.check, 4)
    table(quota.check, 5)
    for each in quotas.QUOTAS:
        table.text += f"{each}\n"
    compare(HERE / "table-quotas.txt", table.text)


def test_regions_and_addresses() -> None:
    table = Table()
    known = [n for each in ("aws", "aws-cn", "aws-us-gov", "none") for n in regions.names(each)]
    networks = {regions.default_network(name) for name in known}
    table.text += f"{len(networks) == len(known)} {min(networks)}\n"
    for name in ("us-east-1", "aa-first-1"):
        table(regions.default_network, name)
    table(regions.backend_of, "1", "moon-1", "us-east-1")
    table(regions.backend_of, "1", "us-east-1", "cn-north-1")
    addresses = PublicAddresses()
    taken = [addresses.take() for _ in range(3)]
    for each in (taken[1], taken[1], taken[0], "127.42.0.9"):
        addresses.give_back(each)
    table.text += f"{taken} {[addresses.take() for _ in range(3)]}\n"
    other = PublicAddresses(7)
    table.text += f"{[other.take() for _ in range(256)][::51]}\n"
    compare(HERE / "table-regions.txt", table.text)


def test_protection_of_images() -> None:
    table = Table()
    for cooldown in (False, True):
        image = image_life.Protection()
        table.head(f"{cooldown=}")
        table(image.state, 0.0)
        image.disable(5.0)
        table(image.state, 5.0)
        image.enable(with_cooldown=cooldown)
        table(image.state, 10.0)
        image.disable(100.0)
        for now in (100.0, 100.0 + 86399, 100.0 + 86400, 100.0 + 86401):
            table(image.state, now)
        image.disable(200.0)
        table(image.state, 100.0 + 86400)
        image.enable(with_cooldown=not cooldown)
        table(image.state, 100.0)
        image.disable(300.0)
        for now in (300.0 + 86399, 300.0 + 86400):
            table(image.state, now)
    compare(HERE / "table-protection.txt", table.text)


def test_names() -> None:
    table = Table()
    table.head("images")
    marks = "AZaz09()[] ./-'@_"
    for name in (
        "",
        "ab",
        "abc",
        "x" * 128,
        "x" * 129,
        marks,
        "abc\n",
        *(f"a{c}b" for c in "*+:,ä"),
    ):
        table(images.check_name, name)
    table.head("who may use an image")
    organization = "arn:aws:organizations::123456789012:organization/o-"
    unit = "arn:aws-cn:organizations::123456789012:ou/o-abcdefghij/ou-"
    for kind, values in {
        "UserId": ("", "1" * 11, "1" * 12, "1" * 13, "x" * 12),
        "Group": ("all", "al", "all ", ""),
        "OrganizationArn": (
            *(organization + "a" * n for n in (9, 10, 32, 33)),
            organization.replace("123456789012", "1") + "a" * 10,
            organization + "A" * 10,
        ),
        "OrganizationalUnitArn": (
            *(f"{unit}{'a' * n}-{'b' * 8}" for n in (3, 4, 32, 33)),
            *(f"{unit}{'a' * 4}-{'b' * n}" for n in (7, 8, 32, 33)),
        ),
    }.items():
        for value in values:
            fits = bool(attributes._TARGETS[kind].fullmatch(value))
            table.text += f"{kind} {value!r}: {fits}\n"
    table.head("versions of templates")
    for text in ("", "0", "1", "12", "-1", "x", "²", "٣", "$Latest"):
        table(launch_templates._number, text)
    table.head("kinds of ids")
    for id_ in (
        "",
        "x",
        "vol",
        "vol-",
        "vol-1",
        "vol-g",
        "vol-1 ",
        "ami-1",
        "import-ami-1",
        "a-b-1",
    ):
        table(lambda one: getattr(tagging.kind_of(one), "name", None), id_)
    compare(HERE / "table-names.txt", table.text)


def test_deprecation(monkeypatch: pytest.MonkeyPatch) -> None:
    """At and beside the bounds of its time, by a clock that stands still."""
    table, now = Table(), datetime(2026, 3, 4, 5, 6, 29, 999999)
    monkeypatch.setattr(image_life, "utcnow", lambda: now)
    created = now - timedelta(days=1)
    for public in (False, True):
        image = SimpleNamespace(public=public, creation_date=created, deprecated_at=None)
        actions = image_life.ImageLifeActions()
        actions.ec2_backend = SimpleNamespace(image=lambda _, held=image: held)
        last = created + timedelta(days=731) if public else now + timedelta(days=3653)
        for when in (
            *(now - timedelta(microseconds=1), now, now + timedelta(microseconds=1)),
            *(last - timedelta(seconds=1), last, last + timedelta(microseconds=1)),
            *(datetime(2027, 1, 1, 0, 0, 29), datetime(2027, 1, 1, 0, 0, 30)),
        ):
            monkeypatch.setattr(actions, "_get_param", lambda _, at=when: at, raising=False)
            table(actions.enable_image_deprecation, shown=f"{public=} {when}")
            table.text = table.text.replace(" object at 0x", " object <")
            table.text += f"  {image.deprecated_at}\n"
    lines = (line.partition("<moto")[0] for line in table.text.splitlines())
    compare(HERE / "table-deprecation.txt", "".join(f"{line}\n" for line in lines))
