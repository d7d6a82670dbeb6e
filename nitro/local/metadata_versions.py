"""The versions of instance metadata, and what came with each.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-versions.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html#instancedata-data-categories
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

VERSIONS = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01"),
    *("2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25"),
    *("2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28"),
    *("2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23"),
    *("2021-07-15", "2022-09-24", "2024-04-11", "latest"),
)

_MACS = ("meta-data", "network", "interfaces", "macs")
_MAC = len(_MACS)  # the part of a path that is a MAC address

#: a path below a version (`MAC` for any MAC address) → the version that it came with
_SINCE: Mapping[str, str] = {
    f"{parent}/{name}": since
    for parent, names in {
        "dynamic": {"fws": "2009-04-04", "instance-identity": "2009-04-04"},
        "meta-data": {
            "block-device-mapping": "2007-12-15",
            "events": "2018-08-17",
            "iam": "2012-01-12",
            "identity-credentials": "2018-08-17",
            "instance-action": "2008-09-01",
            "instance-life-cycle": "2019-10-01",
            "instance-type": "2007-08-29",
            "local-hostname": "2007-01-19",
            "mac": "2011-01-01",
            "metrics": "2011-05-01",
            "network": "2011-01-01",
            "placement": "2008-02-01",
            "public-hostname": "2007-01-19",
            "public-ipv4": "2007-01-19",
            "services": "2014-02-25",
            "system": "2022-09-24",
            "tags": "2021-03-23",
        },
        "meta-data/placement": {
            "availability-zone-id": "2019-10-01",
            "group-name": "2020-10-27",
            "region": "2020-10-27",
        },
        "meta-data/services": {"partition": "2015-10-20"},
        f"{'/'.join(_MACS)}/MAC": {"vpc-ipv4-cidr-blocks": "2016-06-30"},
    }.items()
    for name, since in names.items()
}


def existed(path: Sequence[str], version: str) -> bool:
    """Whether what is now at `path` below a version was there in `version`, if its folder was."""
    parts = list(path)
    if tuple(parts[:_MAC]) == _MACS and len(parts) > _MAC:
        parts[_MAC] = "MAC"
    since = _SINCE.get("/".join(parts), VERSIONS[0])
    return VERSIONS.index(since) <= VERSIONS.index(version)
