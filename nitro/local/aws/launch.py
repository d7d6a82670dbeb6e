"""Which image fits which instance type, and what a guest of both looks like.

The facts of instance types are moto's copy of DescribeInstanceTypes.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends

from nitro.local import host_names
from nitro.local.aws import private_addresses, volume_types
from nitro.local.aws.api.errors import invalid_value
from nitro.local.aws.api.tags import RESERVED
from nitro.local.aws.parameters import PREFIX
from nitro.local.aws.snapshots import GIB
from nitro.local.hypervisor import Disk, Guest, Network, PortRange, Profile

USER_DATA_BYTES = 16384  # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html


def image_id_of(backend: Any, given: str | None) -> str | None:
    """The image that a request names, by its id or by an SSM parameter.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html
    """
    if not given or not given.startswith(PREFIX):
        return given
    try:
        found = ssm_backends[backend.account_id][backend.region_name].resolve(given)
    except ServiceException:
        found = None
    if found is None:
        raise invalid_value(f"The parameter {given} cannot be resolved to an AMI.")
    return str(found)


def check_names(backend: Any, key: str | None, profile: Mapping[str, str]) -> None:
    """Raises EC2ClientError for a key pair or an instance profile that does not exist."""
    if key is not None and key not in backend.key_pairs:
        raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    profiles = iam_backends[backend.account_id][backend.partition].get_instance_profiles()
    for member, held in (("Name", "name"), ("Arn", "arn")):
        wanted = profile.get(member)
        if wanted and all(getattr(each, held) != wanted for each in profiles):
            raise invalid_value(
                f"Value ({wanted}) for parameter iamInstanceProfile.{member.lower()} is invalid. "
                f"Invalid IAM Instance Profile {'name' if member == 'Name' else 'ARN'}"
            )


def check_groups(backend: Any, asked: Mapping[str, Any]) -> None:
    """Raises EC2ClientError for a security group, by name or id, that there is none of."""
    named = [*asked.get("SecurityGroups", []), *asked.get("SecurityGroupIds", [])]
    named += [name for nic in asked.get("NetworkInterfaces", []) for name in nic.get("Groups", [])]
    for name in named:
        if backend.get_security_group_by_name_or_id(name) is None:
            raise EC2ClientError(
                "InvalidGroup.NotFound", f"The security group '{name}' does not exist"
            )


def check_network(backend: Any, options: Mapping[str, Any], count: int) -> None:
    """Raises EC2ClientError for security groups, by their ids, of another network, and for
    private addresses that cannot be had."""
    private_addresses.check_launch(backend, options, count)
    launched = [(options.get("subnet_id"), options.get("security_group_ids", []))]
    launched += [(nic.get("SubnetId"), nic.get("Groups", [])) for nic in options.get("nics") or []]
    for subnet_id, ids in launched:
        for group in map(backend.get_security_group_from_id, ids if subnet_id else ()):
            if group and group.vpc_id != backend.get_subnet(subnet_id).vpc_id:
                raise EC2ClientError(
                    "InvalidParameter",
                    f"Security group {group.id} and subnet {subnet_id} belong to different "
                    "networks.",
                )


def check_user_data(data: Any) -> None:
    """Raises EC2ClientError for more than an instance takes; `data` is in base64."""
    try:
        decoded = _decoded(data) or b""
    except ValueError:  # which moto refuses
        return
    if len(decoded) > USER_DATA_BYTES:
        raise invalid_value(f"User data is limited to {USER_DATA_BYTES} bytes")


def profile_of(backend: Any, wanted: Mapping[str, str]) -> Profile | None:
    """The instance profile that a launch names by `Name` or `Arn`."""
    for each in iam_backends[backend.account_id][backend.partition].get_instance_profiles():
        if wanted.get("Name") == each.name or wanted.get("Arn") == each.arn:
            role = each.roles[0].name if each.roles else ""
            return Profile(each.arn, each.id, role)
    return None


def usable_image(backend: Any, image_id: str | None) -> Any:
    """The image, if it exists and can be launched."""
    if not image_id:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
    image = backend.amis.get(image_id)
    if image is None:
        raise InvalidAMIIdError(image_id)
    if image.state != "available":
        raise EC2ClientError(
            "InvalidAMIID.Unavailable", f"The image id '[{image_id}]' is {image.state}"
        )
    return image


def check_fit(image: Any, type_name: str) -> None:
    """EC2's refusals of an image on a type it cannot run on."""
    facts = _facts(type_name)
    architectures = facts["ProcessorInfo"]["SupportedArchitectures"]
    if image.architecture not in architectures:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(architectures)}' of the specified instance type does "
            f"not match the architecture '{image.architecture}' of the specified AMI. Specify an "
            "instance type and an AMI that have matching architectures, and try again.",
        )
    if facts["NetworkInfo"]["EnaSupport"] == "required" and not image.ena_support:
        raise EC2ClientError(
            "InvalidParameterCombination",
            "Enhanced networking with the Elastic Network Adapter (ENA) is required for the "
            f"'{type_name}' instance type. Ensure that you are using an AMI that is enabled for "
            "ENA.",
        )
    if image.virtualization_type not in facts["SupportedVirtualizationTypes"]:
        raise EC2ClientError(
            "InvalidParameterCombination",
            f"Virtualization type '{image.virtualization_type}' is not supported by '{type_name}'",
        )
    boot_mode(image, type_name)


def processors(type_name: str, asked: dict[str, Any]) -> int | None:
    """The vCPUs that a launch asks for with CpuOptions; None: all of the type's."""
    if "CoreCount" not in asked and "ThreadsPerCore" not in asked:
        return None
    facts = _facts(type_name)["VCpuInfo"]
    cores, threads = int(asked.get("CoreCount", 0)), int(asked.get("ThreadsPerCore", 0))
    if (cores, threads) not in itertools.product(
        facts.get("ValidCores", ()), facts.get("ValidThreadsPerCore", ())
    ):
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The CpuOptions {cores} cores with {threads} threads each are not valid for the "
            f"'{type_name}' instance type.",
        )
    return cores * threads


def boot_mode(image: Any, type_name: str) -> str:
    """How the pair boots: "legacy-bios" or "uefi".

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-boot.html
    """
    supported = _facts(type_name)["SupportedBootModes"]
    default = "uefi" if image.architecture == "arm64" else "legacy-bios"
    wanted = image.boot_mode or default
    if wanted == "uefi-preferred":
        wanted = "uefi" if "uefi" in supported else "legacy-bios"
    if wanted not in supported:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The '{type_name}' instance type does not support an AMI with '{wanted}' boot mode.",
        )
    return wanted


def open_ports(instance: Any) -> frozenset[PortRange]:
    """What the security groups open to any range of addresses.

    Everyone outside is the host here, so that a rule for one address opens the port as well.
    """
    return frozenset(
        PortRange(
            protocol,
            0 if rule.from_port is None else rule.from_port,
            65535 if rule.to_port is None else rule.to_port,
        )
        for group in instance.nics[0].group_set
        for rule in group.ingress_rules
        if rule.ip_range.get("CidrIp")
        for protocol in (("tcp", "udp") if rule.ip_protocol == "-1" else (rule.ip_protocol,))
        if protocol in ("tcp", "udp")
    )


def mappings_of(image: Any, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The image's block device mappings with those of a launch merged into them.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
    """
    merged = {m["DeviceName"]: dict(m["Ebs"]) for m in image.block_device_mappings if "Ebs" in m}
    for mapping in asked:
        name = mapping["DeviceName"]
        if "NoDevice" in mapping and name != image.root_device_name:
            merged.pop(name, None)
        elif "Ebs" in mapping:
            merged[name] = volume_types.merged(merged.get(name, {}), mapping["Ebs"])
    for name, ebs in merged.items():
        snapshot_id = ebs.get("SnapshotId")
        least = image.ec2_backend.get_snapshot(snapshot_id).volume_size if snapshot_id else None
        check_size(name, ebs, least)
        volume_types.check(
            ebs.get("VolumeType"), ebs["VolumeSize"], ebs.get("Iops"), ebs.get("Throughput")
        )
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/preserving-volumes-on-termination.html
        ebs.setdefault("DeleteOnTermination", True)
    return [{"DeviceName": name, "Ebs": ebs} for name, ebs in merged.items()]


def check_size(name: str, ebs: dict[str, Any], least: int | None) -> None:
    """Give the mapping of the device `name` its size, in GiB; `least` is its snapshot's.

    Raises EC2ClientError when it has neither size nor snapshot, or is too small for it.
    """
    size = ebs.get("VolumeSize")
    if least is None:
        if not size:
            raise EC2ClientError(
                "MissingParameter", f"The mapping of {name} must have a VolumeSize or a SnapshotId"
            )
    elif ebs.setdefault("VolumeSize", least) < least:
        snapshot = f"snapshot '{ebs['SnapshotId']}'" if "SnapshotId" in ebs else "its content"
        raise EC2ClientError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than {snapshot}, expect size >= {least}GB",
        )


def disk_of(volume: Any, device: str = "") -> Disk:
    """The volume as a hypervisor needs to know it."""
    return Disk(device, volume.size * GIB, volume.snapshot_id, volume.id)


def disks_of(backend: Any, instance: Any, root: str) -> tuple[Disk, ...]:
    """What the instance's volumes are, the one of the device `root` first."""
    volumes = {
        name: backend.volumes[block.volume_id]
        for name, block in instance.block_device_mapping.items()
    }
    return tuple(
        disk_of(volumes[name], name)
        for name in sorted(volumes, key=lambda name: (name != root, name))
    )


def guest_of(backend: Any, instance: Any, image: Any) -> Guest:
    """The instance as the hypervisor needs to know it."""
    facts = _facts(instance.instance_type)
    nic = instance.nics[0]
    options = instance.metadata_options
    tags_shown = options.instance_metadata_tags == "enabled"
    return Guest(
        instance_id=instance.id,
        image_id=image.id,
        instance_type=instance.instance_type,
        architecture=image.architecture,
        boot_mode=boot_mode(image, instance.instance_type),
        vcpus=instance.local_processors or facts["VCpuInfo"]["DefaultVCpus"],
        memory_mib=facts["MemoryInfo"]["SizeInMiB"],
        disks=disks_of(backend, instance, image.root_device_name),
        network=Network(
            nic.subnet.id,
            nic.subnet.vpc_id,
            nic.subnet.cidr_block,
            str(backend.get_vpc(nic.subnet.vpc_id).cidr_block),
            host_names.domain(backend.region_name),
        ),
        mac=nic.mac_address,
        private_ip=nic.private_ip_address,
        public_ip=nic.public_ip,
        open_ports=open_ports(instance),
        user_data=_decoded(instance.user_data),
        region=backend.region_name,
        availability_zone=nic.subnet.availability_zone,
        account_id=backend.account_id,
        reservation_id=instance.reservation_id,
        launch_index=instance.ami_launch_index,
        security_groups=tuple(sorted(group.name for group in nic.group_set)),
        metadata_enabled=options.http_endpoint == "enabled",
        metadata_tokens_required=options.http_tokens == "required",
        metadata_hops=options.http_put_response_hop_limit,
        metadata_tags=_shown(backend.tags.get(instance.id, {})) if tags_shown else None,
        key_name=instance.key_name or "",
        public_key=instance.local_public_key,
        profile=instance.local_profile,
        interface_id=nic.id,
        security_group_ids=tuple(sorted(group.id for group in nic.group_set)),
        zone_id=nic.subnet.availability_zone_id,
        placement_group=instance.placement.group_name,
        launched_at=f"{instance.launch_time:%Y-%m-%dT%H:%M:%SZ}",
    )


def _shown(tags: Mapping[str, str]) -> dict[str, str]:
    """An instance's tags without those that say what the local Nitro runs it on."""
    return {key: value for key, value in tags.items() if not key.startswith(f"{RESERVED}local:")}


def _facts(type_name: str) -> dict[str, Any]:
    if type_name not in INSTANCE_TYPES:
        raise EC2ClientError(
            "InvalidParameterValue", f"Invalid value '{type_name}' for InstanceType."
        )
    facts: dict[str, Any] = INSTANCE_TYPES[type_name]
    return facts


def _decoded(user_data: Any) -> bytes | None:
    return None if user_data is None else base64.b64decode(str(user_data))
