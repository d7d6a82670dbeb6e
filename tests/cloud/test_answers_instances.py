"""What nitro makes of AWS's answers about instances and their types."""

from __future__ import annotations

from typing import Any

import pytest

from nitro.cloud import (
    Cloud,
    InstanceType,
    find_instance_type,
    instance,
    instance_types,
)
from nitro.cloud.launch import check_image
from tests.cloud.answers import (
    FAILED,
    Answering,
    Refused,
    console,
    instances,
    tagged,
)

GONE = Refused("InvalidInstanceID.NotFound", "no such instance")

pytestmark = [
    pytest.mark.extended,
    pytest.mark.policies(exempt="no policy allows answers that a test has made up"),
]


def states(*names: str) -> list[Any]:
    return [instances(name) for name in names]


def test_instances(aws: Answering) -> None:
    full = {
        "InstanceType": "c5.large",
        "PublicIpAddress": "203.0.113.7",
        "PrivateIpAddress": "10.0.0.7",
        "SubnetId": "subnet-1",
        "StateTransitionReason": "(User initiated)",
    }
    spot = "Server.SpotInstance"
    more: Any
    for title, more in {
        "all": full | {"Tags": tagged(Name="web")},
        "nothing else": {},
        "a reason": full | {"StateReason": {"Message": "no capacity", "Code": "Server.Other"}},
        "shut down": {"StateReason": {"Code": f"{spot}Shutdown"}},
        "terminated": {"StateReason": {"Code": f"{spot}Termination", "Message": ""}},
    }.items():
        aws.case(
            title, lambda c: instance.get(c, "i-1"), {"DescribeInstances": instances("x", **more)}
        )
    aws.case("gone", lambda c: instance.get(c, "i-1"), {"DescribeInstances": {"Reservations": []}})
    taken = {"StateReason": {"Code": f"{spot}Shutdown"}}
    aws.case(
        "taken",
        lambda c: sorted(instance.taken(c, "d-1")),
        {
            "DescribeInstances": [
                instances("terminated", "terminated", **taken) | {"NextToken": "2"},
                instances("running"),
            ]
        },
    )
    for code in ("UnsupportedOperation", "InvalidParameterCombination", "Strange"):
        aws.case(
            f"console: {code}",
            lambda c: instance.console_output(c, "i-1"),
            {"GetConsoleOutput": [Refused(code, "m"), console("old")]},
        )
    aws.case("no console", lambda c: instance.console_output(c, "i-1"), {"GetConsoleOutput": {}})
    for code in ("InvalidInstanceID.NotFound", "IncorrectInstanceState", "Strange"):
        for ask in (instance.console_so_far, instance.console_tail):
            answers = {"GetConsoleOutput": Refused(code)}
            aws.case(f"{ask.__name__}: {code}", ask, answers, "i-1")
    text = "".join(f"{n}\n" for n in range(25)) + "\n"
    aws.case("tail", lambda c: instance.console_tail(c, "i-1"), {"GetConsoleOutput": console(text)})
    aws.compare("instances")


def test_ends_of_instances(aws: Answering) -> None:
    for title, (end, answers) in {
        "both": ({}, [instances("shutting-down"), instances("terminated")]),
        "forgotten": ({}, [instances("stopping"), GONE]),
        "listed no more": ({}, [{"Reservations": []}]),
        "gone already": (GONE, [GONE]),
        "refused": (FAILED, [GONE]),
        "asked in vain": ({}, [FAILED]),
        "never": ({}, [instances("shutting-down")]),
    }.items():
        aws.case(
            title,
            lambda c: instance.terminate(c, ("i-1", "i-2"), aws.stage),
            {"TerminateInstances": end, "DescribeInstances": answers},
        )
    ended = {"TerminateInstances": {}, "DescribeInstances": states("stopping", "terminated")}
    aws.case("without a stage", lambda c: instance.terminate(c, ["i-1"]), ended)
    aws.case("none", lambda c: instance.terminate(c, []), ended)
    aws.compare("ends")


def test_waits_for_a_console(aws: Answering) -> None:
    def wait(cloud: Cloud, deadline: float = 20.0) -> object:
        return instance.wait_console(
            cloud,
            "i-1",
            lambda text: "ok" in text,
            what="it is up",
            deadline=deadline,
            stage=aws.stage,
        )

    written = [console(each) for each in ("", "boot", "", "boot\nok")]
    for title, (state, shown) in {
        "up": (states("pending", "running"), written),
        "up and ended": (states("running", "terminated"), [console(""), console("ok")]),
        "ended": (
            [instances("running"), instances("stopped", StateReason={"Message": "why"})],
            [console("a\nb"), console("")],
        ),
        "new": ([GONE, GONE, instances("running")], [console("ok")]),
        "never there": ([GONE], [console("ok")]),
        "never up": (states("running"), [console("not yet")]),
        "no console": (states("running"), [FAILED]),
    }.items():
        answers = {"DescribeInstances": state, "GetConsoleOutput": shown}
        aws.case(title, wait, answers, 130.0 if title == "never there" else 20.0)
    aws.compare("consoles")


def type_answer(name: str = "c5.large", **more: Any) -> dict[str, Any]:
    return {
        "InstanceType": name,
        "VCpuInfo": {"DefaultVCpus": 4},
        "MemoryInfo": {"SizeInMiB": 4096},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "NetworkInfo": {"EnaSupport": "required"},
        **more,
    }


FULL_TYPE = type_answer(
    SupportedBootModes=["legacy-bios", "uefi"],
    Hypervisor="nitro",
    BareMetal=True,
    VCpuInfo={"DefaultVCpus": 4, "ValidCores": [1, 2], "ValidThreadsPerCore": [1, 2]},
    NetworkInfo={
        "EnaSupport": "supported",
        "NetworkPerformance": "Up to 10 Gigabit",
        "NetworkCards": [
            {"BaselineBandwidthInGbps": 0.75, "PeakBandwidthInGbps": 10.0},
            {"BaselineBandwidthInGbps": 1.0},
        ],
    },
    PlacementGroupInfo={"SupportedStrategies": ["cluster", "spread"]},
)


def test_instance_types(aws: Answering) -> None:
    offers: Any = [
        {"InstanceTypeOfferings": [{"InstanceType": "c5.large"}], "NextToken": "2"},
        {"InstanceTypeOfferings": [{"InstanceType": "c5.xlarge"}, {"InstanceType": "t3.nano"}]},
    ]
    for title, name, answer in (
        ("bare", "c5.large", {"InstanceTypes": [type_answer()]}),
        ("full", " C5.Large ", {"InstanceTypes": [FULL_TYPE]}),
        ("unknown", "c5.larg", Refused("InvalidInstanceType", "no")),
        ("not in the region", "qqq", {"InstanceTypes": []}),
        ("failed", "c5.large", FAILED),
    ):
        answers = {"DescribeInstanceTypes": answer, "DescribeInstanceTypeOfferings": offers}
        aws.case(title, find_instance_type, answers, name)
    aws.case("names", instance_types.names, {"DescribeInstanceTypeOfferings": offers})
    small = InstanceType("c5.large", 2, 4096, ("x86_64",), (), "", "", False, "")
    for title, sizes in {
        "just enough": [("c5.2xlarge", 8192), ("c5.xlarge", 4097), ("c5.metal", 4096)],
        "none": [("c5.large", 4096)],
    }.items():
        pages: Any = [{"InstanceTypes": [], "NextToken": "2"}]
        pages += [
            {
                "InstanceTypes": [
                    type_answer(name, MemoryInfo={"SizeInMiB": mib}, BareMetal="metal" in name)
                    for name, mib in sizes
                ]
            }
        ]
        aws.case(
            f"larger: {title}",
            lambda c: instance_types.larger(c, small, 1),
            {"DescribeInstanceTypes": pages},
        )
    aws.compare("types")


def test_processors(aws: Answering) -> None:
    some = instance_types._parse(FULL_TYPE)  # type: ignore[arg-type]
    none = instance_types._parse(type_answer())  # type: ignore[arg-type]

    def asked_for(_: Cloud, *given: Any) -> object:
        return instance_types.processors(*given)

    for name, one in (("1, 2 or 4", some), ("4", none)):
        for asked in (None, 0, 1, 3, 4, 5):
            for limit in (None, 0, 1, 3, 4, 5):
                aws.case(
                    f"{name}: asked {asked}, at most {limit}",
                    asked_for,
                    None,
                    one,
                    asked,
                    limit,
                    aws.report,
                )
    aws.compare("processors")


def test_what_runs_on_a_type(aws: Answering) -> None:
    base = InstanceType(
        "c5.large",
        2,
        4096,
        ("i386", "x86_64"),
        ("legacy-bios", "uefi"),
        "required",
        "nitro",
        False,
        "",
    )
    kinds: Any = {
        "plain": {},
        "other": {"architectures": ("arm64",)},
        "uefi": {"boot_modes": ("uefi",)},
        "bios": {"boot_modes": ("legacy-bios",)},
        "no mode": {"boot_modes": ()},
        "no ENA": {"ena": "unsupported"},
        "ENA": {"ena": "supported"},
        "metal": {"bare_metal": True, "hypervisor": ""},
        "Xen": {"hypervisor": "xen"},
        "no hypervisor": {"hypervisor": ""},
        "less": {"memory_mib": 4095},
    }
    image: dict[str, Any] = {"ImageId": "ami-1", "Architecture": "x86_64", "EnaSupport": True}
    images: dict[str, dict[str, Any]] = {
        "plain": {"Tags": tagged(nitro_memory_mib="4096")},
        "no number": {"Tags": tagged(nitro_memory_mib="x")},
        "uefi": {"BootMode": "uefi"},
        "preferred": {"BootMode": "uefi-preferred"},
        "arm64": {"Architecture": "arm64"},
        "no ENA": {"EnaSupport": False},
        "store": {"RootDeviceType": "instance-store"},
        "ebs": {"RootDeviceType": "ebs"},
    }

    def checked(_: Cloud, *given: Any) -> None:
        check_image(*given)

    for kind, more in kinds.items():
        one = InstanceType(**(vars(base) | more))
        for title, raw in images.items():
            aws.case(
                f"{kind}, {title}", lambda _, *given: check_image(*given), None, image | raw, one
            )
    aws.compare("fitting")
