"""Which operations the local Nitro honours, and which parameters of each.

What is not in this table is answered `UnsupportedOperation`, with its name: nothing is accepted
and ignored. A name with everything below it is written once: `Placement.GroupName` honours that
one member, `TagSpecifications` all of its members. `DryRun`, `ClientToken`, `Filters`,
`MaxResults` and `NextToken` work for every operation that has them.
docs/local-api.md is made from this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nitro.local.aws import absent, s3_operations
from nitro.local.aws.api import defaults, requests
from nitro.local.aws.api.errors import unsupported

_RULE = (
    "GroupId IpPermissions IpProtocol FromPort ToPort CidrIp SourceSecurityGroupName "
    "SourceSecurityGroupOwnerId"
)

_RULE_MEMBERS = ("CidrIpv4", "CidrIpv6", "Description", "FromPort", "IpProtocol", "ToPort")

_MAPPING = (
    "BlockDeviceMappings.DeviceName BlockDeviceMappings.NoDevice "
    "BlockDeviceMappings.Ebs.DeleteOnTermination BlockDeviceMappings.Ebs.Iops "
    "BlockDeviceMappings.Ebs.SnapshotId BlockDeviceMappings.Ebs.Throughput "
    "BlockDeviceMappings.Ebs.VolumeSize BlockDeviceMappings.Ebs.VolumeType"
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
        "GetAllowedImagesSettings": "",
        "GetDefaultCreditSpecification": "InstanceFamily",
        "GetEbsDefaultKmsKeyId": "",
        "GetEbsEncryptionByDefault": "",
        "GetInstanceMetadataDefaults": "",
        "GetSerialConsoleAccessStatus": "",
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
        "AllocateAddress": "Domain TagSpecifications",
        "AssociateAddress": (
            "AllocationId PublicIp InstanceId NetworkInterfaceId AllowReassociation"
        ),
        "DescribeAddresses": "AllocationIds PublicIps",
        "DescribeAddressesAttribute": "AllocationIds Attribute",
        "DescribeNetworkInterfaceAttribute": "NetworkInterfaceId Attribute",
        "DisassociateAddress": "AssociationId PublicIp",
        "ModifyNetworkInterfaceAttribute": (
            "NetworkInterfaceId Groups Description SourceDestCheck"
        ),
        "ModifySecurityGroupRules": (
            "GroupId SecurityGroupRules.SecurityGroupRuleId "
            + " ".join(f"SecurityGroupRules.SecurityGroupRule.{name}" for name in _RULE_MEMBERS)
        ),
        "ReleaseAddress": "AllocationId PublicIp",
        "UpdateSecurityGroupRuleDescriptionsEgress": "GroupId IpPermissions",
        "UpdateSecurityGroupRuleDescriptionsIngress": "GroupId IpPermissions",
        "DescribeInternetGateways": "InternetGatewayIds",
        "DescribeNetworkAcls": "NetworkAclIds",
        "DescribeManagedPrefixLists": "PrefixListIds",
        "DescribeNetworkInterfaces": "NetworkInterfaceIds",
        "DescribeRouteTables": "RouteTableIds",
        "DescribeSecurityGroupReferences": "GroupId",
        "DescribeSecurityGroupRules": "SecurityGroupRuleIds",
        "DescribeSecurityGroups": "GroupIds GroupNames",
        "DescribeStaleSecurityGroups": "VpcId",
        "DescribeSubnets": "SubnetIds",
        "DescribeVpcAttribute": "VpcId Attribute",
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
        "AttachVolume": "VolumeId InstanceId Device",
        "CreateSnapshot": "VolumeId Description TagSpecifications",
        "CreateSnapshots": (
            "InstanceSpecification.InstanceId InstanceSpecification.ExcludeBootVolume "
            "InstanceSpecification.ExcludeDataVolumeIds Description CopyTagsFromSource "
            "TagSpecifications"
        ),
        "CreateVolume": (
            "AvailabilityZone Size SnapshotId VolumeType Iops Throughput TagSpecifications "
            "Encrypted KmsKeyId"
        ),
        "DetachVolume": "VolumeId InstanceId Device Force",
        "DeleteSnapshot": "SnapshotId",
        "DeleteVolume": "VolumeId",
        "DescribeImportImageTasks": "ImportTaskIds",
        "DescribeImportSnapshotTasks": "ImportTaskIds",
        "DescribeSnapshotAttribute": "SnapshotId Attribute",
        "DescribeSnapshots": "SnapshotIds OwnerIds RestorableByUserIds",
        "DescribeVolumeStatus": "VolumeIds",
        "DescribeVolumeAttribute": "VolumeId Attribute",
        "DescribeVolumes": "VolumeIds",
        "DescribeVolumesModifications": "VolumeIds",
        "ModifyVolume": "VolumeId Size VolumeType Iops Throughput",
        "ModifyVolumeAttribute": "VolumeId AutoEnableIO",
        "ImportImage": (
            "Architecture BootMode Description DiskContainers.Description "
            "DiskContainers.DeviceName DiskContainers.Format DiskContainers.UserBucket Encrypted "
            "KmsKeyId Platform RoleName TagSpecifications"
        ),
        "ImportSnapshot": (
            "Description DiskContainer.Description DiskContainer.Format "
            "DiskContainer.UserBucket Encrypted KmsKeyId RoleName TagSpecifications"
        ),
        "ModifySnapshotAttribute": (
            "SnapshotId Attribute OperationType GroupNames UserIds CreateVolumePermission"
        ),
        "DisableSnapshotBlockPublicAccess": "",
        "EnableSnapshotBlockPublicAccess": "State",
        "GetSnapshotBlockPublicAccessState": "",
        "ResetSnapshotAttribute": "SnapshotId Attribute",
        # images
        "DisableImage": "ImageId",
        "DisableImageBlockPublicAccess": "",
        "DisableImageDeprecation": "ImageId",
        "DisableImageDeregistrationProtection": "ImageId",
        "EnableImage": "ImageId",
        "EnableImageBlockPublicAccess": "ImageBlockPublicAccessState",
        "EnableImageDeprecation": "ImageId DeprecateAt",
        "EnableImageDeregistrationProtection": "ImageId WithCooldown",
        "GetImageBlockPublicAccessState": "",
        "ResetImageAttribute": "ImageId Attribute",
        "CopyImage": (
            "SourceRegion SourceImageId Name Description Encrypted KmsKeyId CopyImageTags "
            "TagSpecifications"
        ),
        "CreateImage": (f"InstanceId Name Description NoReboot TagSpecifications {_MAPPING}"),
        "DeregisterImage": "ImageId DeleteAssociatedSnapshots",
        "DescribeImageAttribute": "ImageId Attribute",
        "DescribeImages": "ImageIds Owners ExecutableUsers IncludeDeprecated IncludeDisabled",
        "ModifyImageAttribute": (
            "ImageId Attribute OperationType UserIds UserGroups LaunchPermission Description "
            "ImdsSupport OrganizationArns OrganizationalUnitArns Value"
        ),
        "RegisterImage": (
            "Name Description Architecture VirtualizationType RootDeviceName BootMode EnaSupport "
            "ImdsSupport TpmSupport UefiData SriovNetSupport BlockDeviceMappings TagSpecifications"
        ),
        # placement groups
        "CreatePlacementGroup": "GroupName Strategy TagSpecifications",
        "DeletePlacementGroup": "GroupName",
        "DescribePlacementGroups": "GroupNames GroupIds",
        # launch templates
        "CreateLaunchTemplate": (
            "LaunchTemplateName VersionDescription LaunchTemplateData TagSpecifications"
        ),
        "CreateLaunchTemplateVersion": (
            "LaunchTemplateId LaunchTemplateName SourceVersion VersionDescription "
            "LaunchTemplateData"
        ),
        "DeleteLaunchTemplate": "LaunchTemplateId LaunchTemplateName",
        "DeleteLaunchTemplateVersions": "LaunchTemplateId LaunchTemplateName Versions",
        "DescribeLaunchTemplateVersions": (
            "LaunchTemplateId LaunchTemplateName Versions MinVersion MaxVersion"
        ),
        "DescribeLaunchTemplates": "LaunchTemplateIds LaunchTemplateNames",
        "ModifyLaunchTemplate": "LaunchTemplateId LaunchTemplateName DefaultVersion",
        # instances
        "AssociateIamInstanceProfile": "IamInstanceProfile InstanceId",
        "DescribeIamInstanceProfileAssociations": "AssociationIds",
        "DescribeInstanceAttribute": "InstanceId Attribute",
        "DescribeInstanceCreditSpecifications": "InstanceIds",
        "DescribeInstanceStatus": "InstanceIds IncludeAllInstances",
        "DescribeInstanceTypeOfferings": "LocationType",
        "DescribeInstanceTypes": "InstanceTypes",
        "DescribeInstances": "InstanceIds",
        "DisassociateIamInstanceProfile": "AssociationId",
        "GetConsoleOutput": "InstanceId Latest",
        "GetPasswordData": "InstanceId",
        "ModifyInstanceAttribute": (
            "InstanceId Attribute Value InstanceType DisableApiTermination DisableApiStop Groups "
            "InstanceInitiatedShutdownBehavior SourceDestCheck UserData "
            "BlockDeviceMappings.DeviceName BlockDeviceMappings.Ebs.DeleteOnTermination "
            "EnaSupport SriovNetSupport EbsOptimized"
        ),
        "ModifyInstanceCreditSpecification": "InstanceCreditSpecifications",
        "ModifyInstanceMetadataOptions": (
            "InstanceId HttpTokens HttpPutResponseHopLimit HttpEndpoint InstanceMetadataTags"
        ),
        "MonitorInstances": "InstanceIds",
        "RebootInstances": "InstanceIds",
        "RunInstances": (
            "ImageId InstanceType MinCount MaxCount KeyName SecurityGroupIds SecurityGroups "
            "SubnetId UserData InstanceInitiatedShutdownBehavior TagSpecifications "
            f"{_MAPPING} BlockDeviceMappings.Ebs.Encrypted BlockDeviceMappings.Ebs.KmsKeyId "
            "NetworkInterfaces.AssociatePublicIpAddress NetworkInterfaces.DeleteOnTermination "
            "NetworkInterfaces.Description NetworkInterfaces.DeviceIndex NetworkInterfaces.Groups "
            "NetworkInterfaces.SubnetId PrivateIpAddress IamInstanceProfile MetadataOptions "
            "Placement.AvailabilityZone Placement.GroupName DisableApiTermination DisableApiStop "
            "EbsOptimized CpuOptions.CoreCount CpuOptions.ThreadsPerCore LaunchTemplate "
            "Monitoring.Enabled CreditSpecification.CpuCredits InstanceMarketOptions.MarketType "
            "InstanceMarketOptions.SpotOptions.SpotInstanceType "
            "InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior"
        ),
        "ReplaceIamInstanceProfileAssociation": "AssociationId IamInstanceProfile",
        "StartInstances": "InstanceIds",
        "StopInstances": "InstanceIds Force",
        "TerminateInstances": "InstanceIds",
        "UnmonitorInstances": "InstanceIds",
    }.items()
}

_TITLES = {
    "ec2": "EC2",
    "ssm": "Systems Manager",
    "kms": "KMS",
    "autoscaling": "Auto Scaling",
    "batch": "Batch",
}

#: parameters of every operation that has them
_COMMON = frozenset({"ClientToken", "DryRun", "Filters", "MaxResults", "NextToken"})

#: of other services, by the names in signatures; one that is not here is moto's as it is
SERVICES: Mapping[str, Mapping[str, frozenset[str]]] = {
    service: {operation: frozenset(names.split()) for operation, names in operations.items()}
    for service, operations in {
        "ssm": {
            "AddTagsToResource": "ResourceType ResourceId Tags",
            "DeleteParameter": "Name",
            "DeleteParameters": "Names",
            "DescribeParameters": "Filters ParameterFilters",
            "GetParameter": "Name WithDecryption",
            "GetParameterHistory": "Name WithDecryption",
            "GetParameters": "Names WithDecryption",
            "GetParametersByPath": "Path Recursive ParameterFilters WithDecryption",
            "LabelParameterVersion": "Name ParameterVersion Labels",
            "ListTagsForResource": "ResourceType ResourceId",
            "PutParameter": (
                "Name Description Value Type AllowedPattern DataType KeyId Overwrite Tags Tier"
            ),
            "RemoveTagsFromResource": "ResourceType ResourceId TagKeys",
            "UnlabelParameterVersion": "Name ParameterVersion Labels",
        },
        "kms": {
            "CancelKeyDeletion": "KeyId",
            "CreateAlias": "AliasName TargetKeyId",
            "CreateKey": "Description KeySpec KeyUsage MultiRegion Policy Tags",
            "DeleteAlias": "AliasName",
            "DescribeKey": "KeyId",
            "DisableKey": "KeyId",
            "EnableKey": "KeyId",
            "GetKeyPolicy": "KeyId PolicyName",
            "ListAliases": "KeyId Limit Marker",
            "ListKeys": "Limit Marker",
            "ListResourceTags": "KeyId Limit Marker",
            "PutKeyPolicy": "KeyId PolicyName Policy",
            "ScheduleKeyDeletion": "KeyId PendingWindowInDays",
            "TagResource": "KeyId Tags",
            "UntagResource": "KeyId TagKeys",
            "UpdateAlias": "AliasName TargetKeyId",
        },
        "autoscaling": {
            "CreateAutoScalingGroup": (
                "AutoScalingGroupName AvailabilityZones LaunchConfigurationName LaunchTemplate "
                "MixedInstancesPolicy MinSize MaxSize DesiredCapacity Tags VPCZoneIdentifier"
            ),
            "CreateLaunchConfiguration": (
                "LaunchConfigurationName ImageId InstanceType KeyName SecurityGroups UserData "
                "IamInstanceProfile BlockDeviceMappings EbsOptimized AssociatePublicIpAddress"
            ),
            "DeleteAutoScalingGroup": "AutoScalingGroupName ForceDelete",
            "DeleteLaunchConfiguration": "LaunchConfigurationName",
            "DescribeAutoScalingGroups": "AutoScalingGroupNames Filters MaxRecords",
            "DescribeLaunchConfigurations": "LaunchConfigurationNames MaxRecords",
            "UpdateAutoScalingGroup": (
                "AutoScalingGroupName AvailabilityZones LaunchConfigurationName LaunchTemplate "
                "MixedInstancesPolicy MinSize MaxSize DesiredCapacity VPCZoneIdentifier"
            ),
        },
        "batch": {
            "CancelJob": "jobId reason",
            "CreateComputeEnvironment": (
                "computeEnvironmentName type state serviceRole computeResources"
            ),
            "CreateJobQueue": "jobQueueName state priority computeEnvironmentOrder",
            "DeleteComputeEnvironment": "computeEnvironment",
            "DeleteJobQueue": "jobQueue",
            "DeregisterJobDefinition": "jobDefinition",
            "DescribeComputeEnvironments": "computeEnvironments",
            "DescribeJobDefinitions": "jobDefinitions jobDefinitionName nextToken status",
            "DescribeJobQueues": "jobQueues",
            "DescribeJobs": "jobs",
            "ListJobs": "jobQueue arrayJobId jobStatus filters maxResults nextToken",
            "RegisterJobDefinition": (
                "jobDefinitionName type parameters retryStrategy timeout platformCapabilities "
                "containerProperties"
            ),
            "SubmitJob": (
                "jobName jobQueue jobDefinition arrayProperties dependsOn parameters retryStrategy "
                "timeout containerOverrides.command containerOverrides.environment "
                "containerOverrides.resourceRequirements"
            ),
            "TerminateJob": "jobId reason",
            "UpdateComputeEnvironment": "computeEnvironment state computeResources",
            "UpdateJobQueue": "jobQueue state priority computeEnvironmentOrder",
        },
    }.items()
}


def check(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raises EC2ClientError for what the local Nitro would not act on in an EC2 request."""
    honoured = absent.HONOURED.get(operation) or HONOURED.get(operation)
    if honoured is None:
        raise unsupported(f"The local Nitro does not support {operation}.")
    honoured |= defaults.ONLY.get(operation, {}).keys()
    given = list(requests.values(parameters))
    if names := ignored(honoured, (name for name, _ in given)):
        raise unsupported(f"The local Nitro does not support {', '.join(names)} of {operation}.")
    if said := defaults.others(operation, given):
        raise unsupported(f"The local Nitro does not support {', '.join(said)} of {operation}.")


def ignored(honoured: frozenset[str], given: Iterable[str]) -> list[str]:
    """Those of the given parameters (`A.B` paths) that the local Nitro would not act on."""
    return sorted({name for name in given if not _prefixes(name) & (honoured | _COMMON)})


def _prefixes(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts) + 1)}


def page() -> str:
    """The table as a page of the documentation."""
    lines = [
        "# Operations of the local Nitro",
        "",
        "Made by `python -m nitro.local.aws.api > docs/local-api.md`.",
        "",
        "An operation or a parameter that is not in this table is answered `UnsupportedOperation`,",
        "with its name; nothing is accepted and ignored. `DryRun`, `ClientToken`, `Filters`,",
        "`MaxResults` and `NextToken` work for every operation that has them. A filter that",
        "the operation does not have is answered `InvalidParameterValue`.",
    ]
    for service, operations in {"ec2": HONOURED, **SERVICES}.items():
        lines += ["", f"## {_TITLES[service]}", "", "| Operation | Parameters |", "|---|---|"]
        for operation, names in sorted(operations.items()):
            shown = {name: f"`{name}`" for name in names}
            for name, value in defaults.listed(operation).items():
                shown[name] = f"`{name}` (only `{value}`)"
            lines.append(f"| {operation} | {', '.join(shown[name] for name in sorted(shown))} |")
    lines += [
        "",
        "## S3",
        "",
        "Every operation that is not here is answered `NotImplemented`.",
        "",
        ", ".join(
            f"`{name}`"
            for name in sorted(s3_operations.selectors())
            if s3_operations.honoured(name)
        ),
    ]
    lines += [
        "",
        "## Empty lists of EC2",
        "",
        "These describe kinds of resources that cannot be made here: there are none.",
        "",
        ", ".join(f"`{name}`" for name in sorted(absent.HONOURED)),
    ]
    return "\n".join(lines) + "\n"
