"""Instance profiles of instances, as associations: one for an instance at a time.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/attach-iam-role.html
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError

from nitro.local.aws import launch, states
from nitro.local.aws.needs import GetParam
from nitro.local.hypervisor import Profile


@dataclass
class Association:
    """What ties a profile to an instance."""

    profile: Profile
    id: str = field(default_factory=lambda: f"iip-assoc-{secrets.token_hex(9)[:17]}")
    began: datetime = field(default_factory=utcnow)


def associate(instance: Any, profile: Profile | None) -> None:
    """Give the instance a profile, or none. What its guest reads follows."""
    instance.local_profile = profile
    instance.local_association = profile and Association(profile)
    instance.iam_instance_profile = profile and {"Arn": profile.arn, "Id": profile.id}


class ProfilesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    def associate_iam_instance_profile(self, **_: Any) -> None:
        """For moto's launch, which means the first instance and cannot do it again.

        Every instance of a launch has its profile already.
        """


class ProfileActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    _get_param: GetParam

    def associate_iam_instance_profile(self) -> ActionResult:
        profile = self._wanted()
        (instance,) = self.ec2_backend.get_multi_instances_by_id([self._get_param("InstanceId")])
        states.require(instance, "pending", "running", "stopping", "stopped")
        if instance.local_association:
            raise EC2ClientError(
                "IncorrectState",
                f"There is an existing association for instance {instance.id}",
            )
        associate(instance, profile)
        return self._told(instance, "associating")

    def replace_iam_instance_profile_association(self) -> ActionResult:
        profile, instance = self._wanted(), self._instance()
        associate(instance, profile)
        return self._told(instance, "associating")

    def disassociate_iam_instance_profile(self) -> ActionResult:
        instance = self._instance()
        answer = self._told(instance, "disassociating")
        associate(instance, None)
        return answer

    def describe_iam_instance_profile_associations(self) -> ActionResult:
        named = self._get_param("AssociationIds", [])
        found = {each.local_association.id: each for each in self._associated()}
        for id_ in named:
            if id_ not in found:
                raise _unknown(id_)
        records = [_described(found[id_], "associated") for id_ in named or found]
        return ActionResult({"IamInstanceProfileAssociations": records})

    def _associated(self) -> Iterator[Any]:
        for instance in self.ec2_backend.all_instances():
            if instance.local_association and instance.state != "terminated":
                yield instance

    def _instance(self) -> Any:
        """The one whose association the request names."""
        wanted = self._get_param("AssociationId")
        for instance in self._associated():
            if instance.local_association.id == wanted:
                return instance
        raise _unknown(wanted)

    def _wanted(self) -> Profile:
        asked: Mapping[str, str] = self._get_param("IamInstanceProfile", {})
        launch.check_names(self.ec2_backend, None, asked)
        profile = launch.profile_of(self.ec2_backend, asked)
        if profile is None:
            raise EC2ClientError("MissingParameter", "IamInstanceProfile lacks a name and an ARN.")
        return profile

    def _told(self, instance: Any, state: str) -> ActionResult:
        return ActionResult({"IamInstanceProfileAssociation": _described(instance, state)})


def _described(instance: Any, state: str) -> dict[str, Any]:
    association = instance.local_association
    return {
        "AssociationId": association.id,
        "InstanceId": instance.id,
        "IamInstanceProfile": {"Arn": association.profile.arn, "Id": association.profile.id},
        "State": state,
        "Timestamp": association.began,
    }


def _unknown(association_id: str) -> EC2ClientError:
    return EC2ClientError(
        "InvalidAssociationID.NotFound",
        f"An invalid association-id of '{association_id}' was given",
    )
