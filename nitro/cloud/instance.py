"""Instances: asked after, listened to, ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nitro.cloud import tags, wait
from nitro.cloud.errors import ApiError, ignoring, missing
from nitro.cloud.session import Cloud
from nitro.console import tail
from nitro.errors import NitroError
from nitro.progress import Stage

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef

ENDING_DEADLINE = 600.0  # seconds

# Why an instance of the spot market ended before its time, as StateReason has it.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html
_TAKEN = {"Server.SpotInstanceShutdown", "Server.SpotInstanceTermination"}


@dataclass(frozen=True)
class Instance:
    """An instance as it was when last asked. Addresses are "" where it has none (yet)."""

    id: str
    type: str
    state: str
    public_ip: str
    private_ip: str
    subnet_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""  # why it is not running
    taken: bool = False  # back, by the spot market

    @property
    def because(self) -> str:
        """The reason, if there is one, in parentheses."""
        return f" ({self.reason})" if self.reason else ""


class NeverReady(NitroError):
    """The instance did not do what was waited for. `console` is the end of what it wrote."""

    def __init__(self, what: str, console: str) -> None:
        super().__init__(what, hint="the end of its console says how far it came")
        self.console = console


def get(cloud: Cloud, instance_id: str) -> Instance:
    """Raises ApiError when there is no such instance."""
    answer = cloud.ec2.describe_instances(InstanceIds=[instance_id])
    found = [raw for held in answer["Reservations"] for raw in held["Instances"]]
    if not found:
        raise missing(f"instance {instance_id}")
    return parse(found[0])


def parse(raw: InstanceTypeDef) -> Instance:
    """From EC2's words to ours."""
    return Instance(
        id=raw["InstanceId"],
        type=raw.get("InstanceType", ""),
        state=raw["State"]["Name"],
        public_ip=raw.get("PublicIpAddress", ""),
        private_ip=raw.get("PrivateIpAddress", ""),
        subnet_id=raw.get("SubnetId", ""),
        tags=tags.from_list(raw.get("Tags")),
        reason=raw.get("StateReason", {}).get("Message", "")
        or raw.get("StateTransitionReason", ""),
        taken=raw.get("StateReason", {}).get("Code") in _TAKEN,
    )


def taken(cloud: Cloud, deployment: str) -> set[str]:
    """The ids of a deployment's instances that the spot market took back.

    EC2 shows an instance for about an hour after its end.
    """
    pages = cloud.ec2.get_paginator("describe_instances").paginate(
        Filters=tags.by(deployment=deployment)
    )
    raws = (raw for page in pages for held in page["Reservations"] for raw in held["Instances"])
    return {one.id for one in map(parse, raws) if one.taken}


def console_output(cloud: Cloud, instance_id: str) -> str:
    """The serial console: the latest 64 KiB, or where the type cannot, what EC2 kept of it."""
    try:
        answer = cloud.ec2.get_console_output(InstanceId=instance_id, Latest=True)
    except ApiError as error:
        if error.code not in {"UnsupportedOperation", "InvalidParameterCombination"}:
            raise
        answer = cloud.ec2.get_console_output(InstanceId=instance_id)
    return str(answer.get("Output", ""))


def wait_console(
    cloud: Cloud,
    instance_id: str,
    seen: Callable[[str], bool],
    *,
    what: str,
    deadline: float,
    stage: Stage | None = None,
) -> str:
    """Wait until `seen` is content with the console's text; return the text.

    `deadline` in seconds. Raises NeverReady, with the end of the console, when the deadline
    passes or the instance ends before. `seen` may raise to give up at once.
    """
    text = ""

    def look() -> str | None:
        nonlocal text
        state = get(cloud, instance_id)
        # Asked after the state, so that a guest's last words are not missed.
        text = console_output(cloud, instance_id) or text
        if seen(text):
            return text
        if state.state not in {"pending", "running"}:
            raise NeverReady(
                f"{instance_id} is {state.state} before {what}{state.because}", tail(text)
            )
        return None

    try:
        return wait.until(
            cloud, look, what=what, deadline=deadline, stage=stage, new=True, longest_pause=3.0
        )
    except wait.DeadlinePassed as error:
        raise NeverReady(f"{instance_id}: {error.what}", tail(text)) from None


def terminate(cloud: Cloud, instance_ids: Sequence[str], stage: Stage | None = None) -> None:
    """End instances and wait until they are gone; those that are gone already count as ended."""
    with ignoring("absent"):
        cloud.ec2.terminate_instances(InstanceIds=list(instance_ids))
    for instance_id in instance_ids:
        wait_ended(cloud, instance_id, stage)


def wait_ended(cloud: Cloud, instance_id: str, stage: Stage | None = None) -> None:
    """Wait until an instance is terminated; one that EC2 has forgotten is."""

    def look() -> bool | None:
        try:
            return get(cloud, instance_id).state == "terminated" or None
        except ApiError as error:
            if error.absent:
                return True
            raise

    wait.until(
        cloud,
        look,
        what=f"the end of {instance_id}",
        deadline=ENDING_DEADLINE,
        stage=stage,
        longest_pause=5.0,
    )


def console_so_far(cloud: Cloud, instance_id: str) -> str:
    """The console, or "" where there is none."""
    with ignoring("absent", "IncorrectInstanceState"):
        return console_output(cloud, instance_id)
    return ""


def console_tail(cloud: Cloud, instance_id: str) -> str:
    """The end of the console, or "" where there is none."""
    return tail(console_so_far(cloud, instance_id))
