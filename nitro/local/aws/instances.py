"""Instances that run on the hypervisor, and whose states are what it says they are.

A state changes when a request looks: `settle_instances` compares each instance with its guest.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    OperationNotPermitted4,
)
from moto.ec2.models.instances import StateReason

from nitro.local.aws import described, interfaces, launch, profiles, quotas, states
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.api.tags import RESERVED
from nitro.local.aws.launch_templates import with_template
from nitro.local.aws.needs import (
    AllInstances,
    Check,
    CreateTags,
    DefaultSubnets,
    FindInstances,
    FindSubnet,
    GetParam,
)
from nitro.local.aws.site import Site
from nitro.local.aws.volumes import set_speed
from nitro.local.hypervisor import GuestStatus, State

NO_CAPACITY = "InsufficientInstanceCapacity"
CONSOLE_BYTES = 64 * 1024  # what GetConsoleOutput returns at most


class InstancesBackend:
    """Part of the EC2 backend; see `nitro.local.aws.ec2`."""

    site: Site
    amis: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    key_pairs: dict[str, Any]
    volumes: dict[str, Any]
    reservations: dict[str, Any]
    enis: dict[str, Any]
    create_tags: CreateTags
    all_instances: AllInstances
    get_multi_instances_by_id: FindInstances
    get_default_subnets: DefaultSubnets
    get_subnet: FindSubnet
    give_public_address: Callable[[Any], None]
    give_back_address: Callable[[Any], None]
    free_addresses: Callable[[Any], None]

    def __init__(self) -> None:
        self._launch_tokens: dict[str, tuple[str, Any]] = {}
        self.group_of_launch = ""
        self.processors_of_launch: int | None = None

    def run_instances(
        self, image_id: str, count: int, user_data: Any, groups: list[str], **options: Any
    ) -> Any:
        token = options.get("client_token")
        asked = _digest([image_id, count, str(user_data), groups, options])
        if token in self._launch_tokens:
            return self._launched_before(token, asked)
        image = launch.usable_image(self, image_id)
        launch.check_fit(image, options["instance_type"])
        self._choose_subnet(options)
        launch.check_network(self, options, count)
        self._check_capacity(options)
        asked_mappings = options.get("block_device_mappings") or []
        options["block_device_mappings"] = launch.mappings_of(image, asked_mappings)
        present = set(self.reservations)
        try:
            reservation = super().run_instances(  # type: ignore[misc]
                image_id, count, user_data, groups, **options
            )
            self._set_up(reservation, image, options)
            guests = [launch.guest_of(self, instance, image) for instance in reservation.instances]
        except BaseException:
            for begun in self.reservations.keys() - present:
                self._forget(self.reservations[begun].instances)
                del self.reservations[begun]
            raise
        for instance, guest in zip(reservation.instances, guests, strict=True):
            states.set_state(instance, "pending")
            self.site.hypervisor.start(guest)
        if token:
            self._launch_tokens[token] = (asked, reservation)
        return reservation

    def _set_up(self, reservation: Any, image: Any, options: dict[str, Any]) -> None:
        """What moto does not do for the instances of a launch."""
        profile = {
            name: options[f"iam_instance_profile_{name.lower()}"]
            for name in ("Name", "Arn")
            if options.get(f"iam_instance_profile_{name.lower()}")
        }
        key = self.key_pairs.get(options.get("key_name") or "")
        for instance in reservation.instances:
            instance.local_processors = self.processors_of_launch
            instance.local_market_takes = None
            profiles.associate(instance, launch.profile_of(self, profile))
            instance.local_public_key = key.public_key.strip() if key else ""
            instance.placement.group_name = self.group_of_launch
            for mapping in options["block_device_mappings"]:
                block = instance.block_device_mapping[mapping["DeviceName"]]
                set_speed(self.volumes[block.volume_id], mapping["Ebs"])
            self._prepare(instance, image, reservation.id, options.get("nics") or [])

    def _forget(self, instances: list[Any]) -> None:
        """Remove instances of a launch that failed, with all that is theirs."""
        for instance in instances:
            for each in (*instance.block_device_mapping.values(), *instance.nics.values()):
                each.delete_on_termination = True
            self.give_back_address(instance)
            instance.terminate()

    def start_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            states.require(instance, "stopped", "running", "pending")
            root = instance.local_image.root_device_name
            if root not in instance.block_device_mapping:
                raise invalid_value(
                    f"Invalid value '{instance.id}' for instanceId. Instance does not have a "
                    f"volume attached at root ({root})"
                )
        changes = []
        for instance in instances:
            before = copy.copy(instance._state)
            if before.name == "stopped":
                quotas.check_start(self.all_instances(), instance)
                instance.start()
                self.give_public_address(instance)
                self._power_on(instance)
            changes.append((instance, before))
        return changes

    def stop_instances(
        self, instance_ids: list[str], *, force: bool = False
    ) -> list[tuple[Any, Any]]:
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            states.require(instance, "running", "pending", "stopping", "stopped")
            if instance.disable_api_stop:
                raise EC2ClientError(
                    "OperationNotPermitted",
                    f"The instance '{instance.id}' may not be stopped. Modify its "
                    "'disableApiStop' instance attribute and try again.",
                )
        return [(each, self._end(each, "stopping", force=force)) for each in instances]

    def terminate_instances(self, instance_ids: list[str]) -> list[tuple[Any, Any]]:
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.disable_api_termination:
                raise OperationNotPermitted4(instance.id)
        return [(instance, self._end(instance, "shutting-down")) for instance in instances]

    def reboot_instances(self, instance_ids: list[str]) -> list[Any]:
        instances: list[Any] = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            states.require(instance, "running")
        for instance in instances:
            self.site.hypervisor.reboot(instance.id)
        return instances

    def settle_instances(self) -> None:
        """Move every instance to the state that its guest has reached."""
        for instance in self.all_instances():
            if instance.state not in ("stopped", "terminated"):
                self._settle(instance, self.site.hypervisor.status(instance.id))

    def console_output(self, instance_id: str) -> bytes:
        (instance,) = self.get_multi_instances_by_id([instance_id])
        console: bytes = self.site.hypervisor.console(instance.id)
        return self.site.forecast.console(instance.id, console[-CONSOLE_BYTES:])

    def refresh_guests(self) -> None:
        """Tell the hypervisor what has changed: ports that are open, tags, metadata options."""
        for instance in self.all_instances():
            if instance.state in ("pending", "running"):
                self.site.hypervisor.update(launch.guest_of(self, instance, instance.local_image))

    def _delete_security_group(self, vpc_id: str | None, group_id: str) -> None:
        if any(group.id == group_id for eni in self.enis.values() for group in eni.group_set):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        super()._delete_security_group(vpc_id, group_id)  # type: ignore[misc]

    def _launched_before(self, token: str, asked: str) -> Any:
        before, reservation = self._launch_tokens[token]
        if before != asked:
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                f"The client token {token} was used with other parameters.",
            )
        if all(instance.state == "terminated" for instance in reservation.instances):
            raise EC2ClientError(
                "IdempotentInstanceTerminated",
                f"The instances launched with the client token {token} are terminated.",
            )
        return reservation

    def _choose_subnet(self, options: dict[str, Any]) -> None:
        """Without a subnet moto would launch into EC2-Classic."""
        nics = options.get("nics") or []
        if options.get("subnet_id") or any("SubnetId" in nic for nic in nics):
            return
        subnets = self.get_default_subnets()
        if not subnets:
            raise EC2ClientError("MissingInput", "No subnets found for the default VPC.")
        free = (zone for zone in sorted(subnets) if self.site.forecast.has_capacity(zone))
        zone = options.get("placement") or next(free, min(subnets))
        options["subnet_id"] = subnets[zone].id

    def _check_capacity(self, options: dict[str, Any]) -> None:
        named = [options.get("subnet_id"), *(n.get("SubnetId") for n in options.get("nics") or [])]
        for zone in {self.get_subnet(each).availability_zone for each in named if each}:
            if not self.site.forecast.has_capacity(zone):
                raise EC2ClientError(
                    NO_CAPACITY,
                    f"We currently do not have sufficient {options['instance_type']} capacity in "
                    f"the Availability Zone you requested ({zone}). Our system will be working on "
                    "provisioning additional capacity.",
                )

    def _prepare(self, instance: Any, image: Any, reservation_id: str, nics: list[Any]) -> None:
        instance.reservation_id = reservation_id
        instance.local_image = image  # which may be deregistered while the instance lives
        instance.ena_support = image.ena_support
        instance.boot_mode = image.boot_mode
        instance.current_instance_boot_mode = launch.boot_mode(image, instance.instance_type)
        interfaces.set_up(instance, nics)
        instance.security_groups = list(instance.nics[0].group_set)
        self.give_public_address(instance)

    def _power_on(self, instance: Any) -> None:
        states.set_state(instance, "pending")
        self.site.hypervisor.start(launch.guest_of(self, instance, instance.local_image))

    def _end(self, instance: Any, state: str, *, force: bool = False) -> Any:
        """Begin to stop or terminate; returns the state before."""
        before = copy.copy(instance._state)
        if before.name == "terminated" or (state, before.name) == ("stopping", "stopped"):
            return before
        self.site.hypervisor.stop(instance.id, force=force)
        states.set_state(instance, state, states.BY_USER)
        if before.name == "stopped":
            self._finish(instance, "terminated", states.BY_USER)
        return before

    def _settle(self, instance: Any, status: GuestStatus) -> None:
        state, guest = instance.state, status.state
        if state == "running" and instance.lifecycle == "spot" and self._is_taken(instance):
            self.site.hypervisor.stop(instance.id, force=True)
            self._finish(instance, "terminated", states.BY_MARKET)
        elif guest is State.FAILED:
            reason = f"Server.InternalError: {status.reason}"
            self._finish(instance, "terminated", StateReason(reason, "Server.InternalError"))
        elif guest is State.OFF and state in ("shutting-down", "stopping"):
            final = "terminated" if state == "shutting-down" else "stopped"
            self._finish(instance, final, states.BY_USER)
        elif guest is State.OFF:
            terminates = instance.instance_initiated_shutdown_behavior == "terminate"
            self._finish(instance, "terminated" if terminates else "stopped", states.BY_GUEST)
        elif guest is State.RUNNING and state == "pending":
            states.set_state(instance, "running")
            facts = {f"{RESERVED}local:{key}": value for key, value in status.facts.items()}
            self.create_tags([instance.id], facts)

    def _is_taken(self, instance: Any) -> bool:
        """Whether the spot market takes the instance back now; decided when it runs."""
        if instance.local_market_takes is None:
            instance.local_market_takes = self.site.forecast.spot_is_taken()
        taken: bool = instance.local_market_takes
        return taken

    def _finish(self, instance: Any, state: str, reason: StateReason) -> None:
        if instance.state == "terminated":
            return
        self.give_back_address(instance)
        if state == "terminated":
            self.free_addresses(instance)
            instance.terminate()
            interfaces.let_go(instance)
            self.site.hypervisor.release(instance.id)
        else:
            instance.stop()
            self.give_public_address(instance)  # which stays if it is an elastic one
        states.set_state(instance, state, reason)


class InstanceActions:
    """Part of the EC2 responses; see `nitro.local.aws.ec2`."""

    ec2_backend: Any
    params: dict[str, Any]
    _get_param: GetParam
    error_on_dryrun: Check

    def _parse_block_device_mapping(self) -> list[dict[str, Any]]:
        """What was given, and nothing that was not: it is merged with the image's mappings."""
        return [dict(mapping) for mapping in self._get_param("BlockDeviceMappings", [])]

    def run_instances(self) -> ActionResult:
        """What a launch names is looked at first, for a dry run as well."""
        backend = self.ec2_backend
        self.params, template = with_template(backend, self.params)
        self.params["ImageId"] = launch.image_id_of(backend, self._get_param("ImageId"))
        launch.check_names(
            backend, self._get_param("KeyName"), self._get_param("IamInstanceProfile", {})
        )
        launch.check_groups(backend, self.params)
        launch.check_user_data(self._get_param("UserData"))
        image = launch.usable_image(backend, self.params["ImageId"])
        launch.check_fit(image, self._get_param("InstanceType", "m1.small"))
        if image.imds_support == "v2.0":  # of an AMI that asks for it
            asked = self._get_param("MetadataOptions", {})
            defaults = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
            self.params["MetadataOptions"] = {**defaults, **asked}
        group = self._get_param("Placement", {}).get("GroupName")
        if group:
            backend.check_placement(group, self._get_param("InstanceType", "m1.small"))
        # What moto does not pass on:
        backend.group_of_launch = group or ""
        backend.processors_of_launch = launch.processors(
            self._get_param("InstanceType", "m1.small"), self._get_param("CpuOptions", {})
        )
        self.params.setdefault("ClientToken", secrets.token_hex(16))  # moto has one for all
        # moto launches no more than that.
        self.params["MinCount"] = quotas.instances_to_launch(backend.all_instances(), self.params)
        result = super().run_instances()  # type: ignore[misc]
        for instance in result.result.instances:
            described.adopt(instance, self._get_param("CpuOptions", {}))
            instance.disable_api_termination = self._get_param("DisableApiTermination", False)
            instance.local_credits = self._get_param("CreditSpecification", {}).get("CpuCredits")
            if template:
                named = {"id": template.template.id, "version": str(template.number)}
                of_template = {f"{RESERVED}ec2launchtemplate:{k}": v for k, v in named.items()}
                backend.create_tags([instance.id], of_template)
        return result

    def describe_instances(self) -> ActionResult:
        """All of them: moto by itself stops after a hundred reservations."""
        ids = self._get_param("InstanceIds", [])
        backend = self.ec2_backend
        found = (
            backend.get_reservations_by_instance_ids(ids) if ids else backend.describe_instances()
        )
        return ActionResult({"Reservations": found})

    def terminate_instances(self) -> ActionResult:
        self.error_on_dryrun()
        changes = self.ec2_backend.terminate_instances(self._get_param("InstanceIds", []))
        return ActionResult({"TerminatingInstances": [states.change(*each) for each in changes]})

    def stop_instances(self) -> ActionResult:
        self.error_on_dryrun()
        changes = self.ec2_backend.stop_instances(
            self._get_param("InstanceIds", []), force=self._get_param("Force", False)
        )
        return ActionResult({"StoppingInstances": [states.change(*each) for each in changes]})

    def start_instances(self) -> ActionResult:
        self.error_on_dryrun()
        changes = self.ec2_backend.start_instances(self._get_param("InstanceIds", []))
        return ActionResult({"StartingInstances": [states.change(*each) for each in changes]})

    def get_console_output(self) -> ActionResult:
        """`Latest` changes nothing: the console here is always the latest."""
        self.error_on_dryrun()
        instance_id = self._get_param("InstanceId")
        output = base64.b64encode(self.ec2_backend.console_output(instance_id))
        return ActionResult(
            {
                "InstanceId": instance_id,
                "Timestamp": utcnow(),
                "Output": Base64EncodedString.from_encoded_bytes(output),
            }
        )


def _digest(asked: Any) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
