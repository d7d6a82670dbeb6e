"""Which EC2 operations the local Nitro honours, and which parameters of each.

What is not in this table is answered `UnsupportedOperation`, with its name: nothing is accepted
and ignored. A name with everything below it is written once: `Placement.GroupName` honours that
one member, `TagSpecifications` all of its members. `DryRun`, `ClientToken`, `Filters`,
`MaxResults` and `NextToken` work for every operation that has them.
docs/local-api.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_RULE = (
    "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp SourceSecurityGroupName "
    "SourceSecurityGroupOwnerId"
)

HONOURED: Mapping[str, frozenset[str]] = {
    operation: frozenset(names.split())
    for operation, names in {
        # the account and its region
        "DescribeAccountAttributes": "AttributeNames",
        "DescribeAvailabilityZones": "ZoneNames ZoneIds AllAvailabilityZones",
        "DescribeRegions": "RegionNames AllRegions",
        "DisableEbsEncryptionByDefault": "",
        "EnableEbsEncryptionByDefault": "",
        "GetEbsDefaultKmsKeyId": "",
        "GetEbsEncryptionByDefault": "",
        "ModifyEbsDefaultKmsKeyId": "KmsKeyId",
        "ResetEbsDefaultKmsKeyId": "",
        # networks
        "AuthorizeSecurityGroupEgress": f"{_RULE} TagSpecifications",
        "AuthorizeSecurityGroupIngress": f"{_RULE} GroupName TagSpecifications",
        "CreateNetworkInterface": "SubnetId Description Groups PrivateIpAddress TagSpecifications",
        "CreateSecurityGroup": "GroupName Description VpcId TagSpecifications",
        "CreateSubnet": "VpcId CidrBlock AvailabilityZone AvailabilityZoneId TagSpecifications",
        "CreateVpc": "CidrBlock InstanceTenancy TagSpecifications",
        "DeleteNetworkInterface": "NetworkInterfaceId",
        "DeleteSecurityGroup": "GroupId GroupName",
        "DeleteSubnet": "SubnetId",
        "DeleteVpc": "VpcId",
        "DescribeAddresses": "AllocationIds PublicIps",
        "DescribeNetworkInterfaces": "NetworkInterfaceIds",
        "DescribeRouteTables": "RouteTableIds",
        "DescribeSecurityGroupRules": "SecurityGroupRuleIds",
        "DescribeSecurityGroups": "GroupIds GroupNames",
        "DescribeSubnets": "SubnetIds",
        "DescribeVpcs": "VpcIds",
        "ModifySubnetAttribute": "SubnetId MapPublicIpOnLaunch",
        "RevokeSecurityGroupEgress": f"{_RULE} SecurityGroupRuleIds",
        "RevokeSecurityGroupIngress": f"{_RULE} GroupName SecurityGroupRuleIds",
        # keys and tags
        "CreateKeyPair": "KeyName KeyType KeyFormat TagSpecifications",
        "CreateTags": "Resources Tags",
        "DeleteKeyPair": "KeyName KeyPairId",
        "DeleteTags": "Resources Tags",
        "DescribeKeyPairs": "KeyNames KeyPairIds IncludePublicKey",
        "DescribeTags": "",
        "ImportKeyPair": "KeyName PublicKeyMaterial TagSpecifications",
        # snapshots and volumes
        "CancelImportTask": "ImportTaskId CancelReason",
        "CopySnapshot": (
            "SourceRegion SourceSnapshotId Description Encrypted KmsKeyId DestinationRegion "
            "PresignedUrl TagSpecifications"
        ),
        "CreateVolume": (
            "AvailabilityZone Size SnapshotId VolumeType Iops Throughput TagSpecifications"
        ),
        "DeleteSnapshot": "SnapshotId",
        "DeleteVolume": "VolumeId",
        "DescribeImportSnapshotTasks": "ImportTaskIds",
        "DescribeSnapshotAttribute": "SnapshotId Attribute",
        "DescribeSnapshots": "SnapshotIds OwnerIds RestorableByUserIds",
        "DescribeVolumes": "VolumeIds",
        "ImportSnapshot": (
            "Description DiskContainer.Description DiskContainer.Format "
            "DiskContainer.UserBucket Encrypted KmsKeyId RoleName TagSpecifications"
        ),
        "ModifySnapshotAttribute": (
            "SnapshotId Attribute OperationType GroupNames UserIds CreateVolumePermission"
        ),
        # images
        "CopyImage": (
            "SourceRegion SourceImageId Name Description Encrypted KmsKeyId CopyImageTags "
            "TagSpecifications"
        ),
        "DeregisterImage": "ImageId DeleteAssociatedSnapshots",
        "DescribeImageAttribute": "ImageId Attribute",
        "DescribeImages": "ImageIds Owners ExecutableUsers IncludeDeprecated IncludeDisabled",
        "ModifyImageAttribute": (
            "ImageId Attribute OperationType UserIds UserGroups LaunchPermission Description "
            "OrganizationArns OrganizationalUnitArns Value"
        ),
        "RegisterImage": (
            "Name Description Architecture VirtualizationType RootDeviceName BootMode EnaSupport "
            "ImdsSupport TpmSupport UefiData SriovNetSupport BlockDeviceMappings TagSpecifications"
        ),
        # instances
        "DescribeInstanceAttribute": "InstanceId Attribute",
        "DescribeInstanceStatus": "InstanceIds IncludeAllInstances",
        "DescribeInstanceTypeOfferings": "LocationType",
        "DescribeInstanceTypes": "InstanceTypes",
        "DescribeInstances": "InstanceIds",
        "GetConsoleOutput": "InstanceId Latest",
        "ModifyInstanceAttribute": (
            "InstanceId Attribute Value InstanceType DisableApiTermination DisableApiStop Groups "
            "InstanceInitiatedShutdownBehavior SourceDestCheck UserData"
        ),
        "RebootInstances": "InstanceIds",
        "RunInstances": (
            "ImageId InstanceType MinCount MaxCount KeyName SecurityGroupIds SecurityGroups "
            "SubnetId UserData InstanceInitiatedShutdownBehavior TagSpecifications "
            "BlockDeviceMappings.DeviceName BlockDeviceMappings.NoDevice "
            "BlockDeviceMappings.Ebs.DeleteOnTermination BlockDeviceMappings.Ebs.Iops "
            "BlockDeviceMappings.Ebs.SnapshotId BlockDeviceMappings.Ebs.Throughput "
            "BlockDeviceMappings.Ebs.VolumeSize BlockDeviceMappings.Ebs.VolumeType "
            "NetworkInterfaces.AssociatePublicIpAddress NetworkInterfaces.DeleteOnTermination "
            "NetworkInterfaces.Description NetworkInterfaces.DeviceIndex NetworkInterfaces.Groups "
            "NetworkInterfaces.SubnetId PrivateIpAddress IamInstanceProfile MetadataOptions "
            "Placement.AvailabilityZone DisableApiTermination DisableApiStop EbsOptimized"
        ),
        "StartInstances": "InstanceIds",
        "StopInstances": "InstanceIds Force",
        "TerminateInstances": "InstanceIds",
    }.items()
}

#: parameters of every operation that has them
_COMMON = frozenset({"ClientToken", "DryRun", "Filters", "MaxResults", "NextToken"})


def ignored(operation: str, given: Iterable[str]) -> list[str]:
    """Those of the given parameters (`A.B` paths) that the local Nitro would not act on."""
    honoured = HONOURED[operation] | _COMMON
    return sorted({name for name in given if not _prefixes(name) & honoured})


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def page() -> str:
    """The table as a page of the documentation."""
    lines = [
        "# EC2 operations of the local Nitro",
        "",
        "Made by `python -m nitro.local.aws.api > docs/local-api.md`.",
        "",
        "An operation or a parameter that is not in this table is answered `UnsupportedOperation`,",
        "with its name; nothing is accepted and ignored. `DryRun`, `ClientToken`, `Filters`,",
        "`MaxResults` and `NextToken` work for every operation that has them. A filter that",
        "the operation does not have is answered `InvalidParameterValue`.",
        "",
        "| Operation | Parameters |",
        "|---|---|",
    ]
    for operation, names in sorted(HONOURED.items()):
        lines.append(f"| {operation} | {', '.join(f'`{name}`' for name in sorted(names))} |")
    return "\n".join(lines) + "\n"
