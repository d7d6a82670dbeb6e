"""Kinds of resources that the local Nitro cannot make, and so has none of.

Tools that look at an account describe all of it. The answer is an empty list, which is true; an id
is not found, with EC2's code for it. What only AWS itself could list (offerings, prices, public
images and services) is not here.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, OperationModel
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

#: operation → the parameter with ids, and the code for an id of nothing
_WITH_IDS: Mapping[str, tuple[str, str]] = {
    "DescribeBundleTasks": ("BundleIds", "InvalidBundleID.NotFound"),
    "DescribeCapacityReservations": (
        "CapacityReservationIds",
        "InvalidCapacityReservationId.NotFound",
    ),
    "DescribeConversionTasks": ("ConversionTaskIds", "InvalidConversionTaskId"),
    "DescribeCustomerGateways": ("CustomerGatewayIds", "InvalidCustomerGatewayID.NotFound"),
    "DescribeExportTasks": ("ExportTaskIds", "InvalidExportTaskID.NotFound"),
    "DescribeFlowLogs": ("FlowLogIds", "InvalidFlowLogId.NotFound"),
    "DescribeHosts": ("HostIds", "InvalidHostID.NotFound"),
    "DescribeNatGateways": ("NatGatewayIds", "NatGatewayNotFound"),
    "DescribeReservedInstances": ("ReservedInstancesIds", "InvalidReservedInstancesId"),
    "DescribeSpotInstanceRequests": (
        "SpotInstanceRequestIds",
        "InvalidSpotInstanceRequestID.NotFound",
    ),
    "ListImagesInRecycleBin": ("ImageIds", "InvalidAMIID.NotFound"),
    "ListSnapshotsInRecycleBin": ("SnapshotIds", "InvalidSnapshot.NotFound"),
    "DescribeVpcEndpoints": ("VpcEndpointIds", "InvalidVpcEndpointId.NotFound"),
    "DescribeVpcPeeringConnections": (
        "VpcPeeringConnectionIds",
        "InvalidVpcPeeringConnectionID.NotFound",
    ),
    "DescribeVpnConnections": ("VpnConnectionIds", "InvalidVpnConnectionID.NotFound"),
    "DescribeVpnGateways": ("VpnGatewayIds", "InvalidVpnGatewayID.NotFound"),
}

#: without ids: what they are called is not documented for them
_WITHOUT_IDS = """
    DescribeAddressTransfers DescribeByoipCidrs DescribeCapacityBlocks
    DescribeCapacityReservationFleets DescribeCarrierGateways DescribeClassicLinkInstances
    DescribeClientVpnEndpoints DescribeCoipPools DescribeEgressOnlyInternetGateways
    DescribeExportImageTasks DescribeFastLaunchImages DescribeFastSnapshotRestores DescribeFleets
    DescribeHostReservations DescribeInstanceConnectEndpoints
    DescribeInstanceEventWindows DescribeIpamPools DescribeIpamResourceDiscoveries
    DescribeIpamScopes DescribeIpams DescribeIpv6Pools DescribeLocalGatewayRouteTables
    DescribeLocalGateways DescribeLockedSnapshots DescribeMovingAddresses
    DescribeNetworkInsightsAccessScopes DescribeNetworkInsightsAnalyses
    DescribeNetworkInsightsPaths DescribeNetworkInterfacePermissions DescribePublicIpv4Pools
    DescribeReplaceRootVolumeTasks DescribeReservedInstancesListings
    DescribeReservedInstancesModifications DescribeRouteServers DescribeScheduledInstances
    DescribeSecurityGroupVpcAssociations DescribeSpotFleetRequests DescribeStoreImageTasks
    DescribeTrafficMirrorFilters
    DescribeTrafficMirrorSessions DescribeTrafficMirrorTargets DescribeTransitGatewayAttachments
    DescribeTransitGatewayConnectPeers DescribeTransitGatewayConnects
    DescribeTransitGatewayMulticastDomains DescribeTransitGatewayPeeringAttachments
    DescribeTransitGatewayPolicyTables DescribeTransitGatewayRouteTables
    DescribeTransitGatewayVpcAttachments DescribeTransitGateways
    DescribeTrunkInterfaceAssociations DescribeVerifiedAccessEndpoints
    DescribeVerifiedAccessGroups DescribeVerifiedAccessInstances
    DescribeVerifiedAccessTrustProviders
    DescribeVpcBlockPublicAccessExclusions DescribeVpcEndpointConnectionNotifications
    DescribeVpcEndpointConnections DescribeVpcEndpointServiceConfigurations
"""

#: operation → the parameters that are honoured; `Filter` is what some operations call `Filters`
HONOURED: Mapping[str, frozenset[str]] = {
    **{name: frozenset({ids, "Filter"}) for name, (ids, _) in _WITH_IDS.items()},
    **{name: frozenset({"Filter"}) for name in _WITHOUT_IDS.split()},
}


def answer(operation: OperationModel, parameters: Mapping[str, Any]) -> ActionResult:
    """Nothing, for an operation of `HONOURED`. Raises EC2ClientError when ids are given."""
    name, code = _WITH_IDS.get(operation.name, ("", ""))
    if ids := parameters.get(name):
        raise EC2ClientError(code, f"The ids '{', '.join(ids)}' do not exist")
    output = operation.output_shape
    members = output.members if output else {}
    lists = [member for member, shape in members.items() if isinstance(shape, ListShape)]
    return ActionResult({member: [] for member in lists})
