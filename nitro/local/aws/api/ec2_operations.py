"""EC2's operations that the local Nitro honours, and the parameters of each.

See `nitro.local.aws.api.support`.
"""

from __future__ import annotations

from collections.abc import Mapping

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

EC2: Mapping[str, frozenset[str]] = {
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
        "DescribeDhcpOptions": "DhcpOptionsIds",
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
            "NetworkInterfaces.PrivateIpAddress NetworkInterfaces.PrivateIpAddresses "
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
