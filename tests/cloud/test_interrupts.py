"""Ctrl-C at each stage: after whichever call it comes, nothing of ours is left."""

from __future__ import annotations

import signal
from itertools import count

import pytest

from nitro.cloud import Cloud, DiskImage, Keep, inventory
from nitro.cloud.dryrun import changes_something
from nitro.errors import Interrupted
from tests.cloud.conftest import NOTHING, connect, everything
from tests.cloud.joint import deploy


def interrupt_after(cloud: Cloud, nth: int) -> list[str]:
    """Send SIGINT when the `nth` call that changes something has had effect.

    Its answer does not reach the caller. Returns the list of such calls.
    """
    made: list[str] = []

    def handle(model, **_) -> None:
        if changes_something(model.name, {}):
            made.append(model.name)
            if len(made) - 1 == nth:
                signal.raise_signal(signal.SIGINT)

    cloud.session.events.register("after-call", handle)
    return made


def outcome(cloud: Cloud, disk: DiskImage) -> Interrupted | None:
    try:
        deploy(cloud, disk, keep=Keep.NOTHING)
    except Interrupted as stop:
        return stop
    return None


@pytest.mark.slow
def test_after_each_change_of_a_deployment(cloud: Cloud, disk: DiskImage) -> None:
    interrupted_after = []
    observer = connect()
    for nth in count():
        victim = connect()
        made = interrupt_after(victim, nth)
        stopped = outcome(victim, disk)
        assert everything(observer) == NOTHING, f"after {made[nth]}"
        assert inventory(observer) == []
        if stopped is None:
            break  # it came during the clean-up after success, and was told to wait
        assert stopped.what == "interrupted"
        interrupted_after.append(made[nth])
    assert interrupted_after == [
        "CreateBucket",
        "PutBucketTagging",
        "PutPublicAccessBlock",
        "PutBucketEncryption",
        "PutBucketLifecycleConfiguration",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPart",
        "UploadPart",
        "CompleteMultipartUpload",
        "ImportSnapshot",
        "DeleteObject",
        "CreateTags",
        "CreateTags",
        "RegisterImage",
        # the client's image, of one part
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "ImportSnapshot",
        "DeleteObject",
        "CreateTags",
        "CreateTags",
        "RegisterImage",
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "RunInstances",
        "RunInstances",
    ]


@pytest.mark.extended
@pytest.mark.parametrize("stage", ["TerminateInstances", "DeleteSecurityGroup", "DeleteSnapshot"])
def test_during_the_clean_up_the_first_one_is_told_to_wait(
    cloud: Cloud, disk: DiskImage, stage: str
) -> None:
    victim = connect()
    sent: list[str] = []

    def handle(**_) -> None:
        if not sent:
            sent.append(stage)
            signal.raise_signal(signal.SIGINT)

    victim.session.events.register(f"after-call.ec2.{stage}", handle)
    deploy(victim, disk, keep=Keep.NOTHING)
    assert sent
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_sigterm_counts_as_an_interrupt(cloud: Cloud, disk: DiskImage) -> None:
    victim = connect()
    before = signal.getsignal(signal.SIGTERM)
    victim.session.events.register(
        "after-call.ec2.RunInstances", lambda **_: signal.raise_signal(signal.SIGTERM)
    )
    with pytest.raises(Interrupted):
        deploy(victim, disk)
    assert signal.getsignal(signal.SIGTERM) is before
    assert everything(connect()) == NOTHING


@pytest.mark.extended
def test_an_interrupt_spares_what_an_earlier_deployment_keeps(
    cloud: Cloud, disk: DiskImage
) -> None:
    deploy(connect(), disk)
    kept = everything(connect())
    victim = connect()
    interrupt_after(victim, 2)
    with pytest.raises(Interrupted):
        deploy(victim, disk)
    left = everything(connect())
    assert left["images"] == kept["images"]
    assert left["snapshots"] == kept["snapshots"]
    assert (left["instances"], left["groups"]) == ([], [])
