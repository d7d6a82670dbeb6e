"""Other services' operations that the local Nitro honours, and the parameters of each.

See `nitro.local.aws.api.support`.
"""

from __future__ import annotations

from collections.abc import Mapping

#: by the names in signatures; a service that is not here is moto's as it is
OTHERS: Mapping[str, Mapping[str, frozenset[str]]] = {
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
        "servicequotas": {
            "GetAWSDefaultServiceQuota": "QuotaCode ServiceCode",
            "GetServiceQuota": "QuotaCode ServiceCode",
            "ListAWSDefaultServiceQuotas": "ServiceCode",
            "ListServiceQuotas": "QuotaAppliedAtLevel QuotaCode ServiceCode",
            "ListServices": "",
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
