"""The page of the documentation that lists what is honoured: docs/local-api.md."""

from __future__ import annotations

from nitro.local.aws import absent, s3_operations
from nitro.local.aws.api import defaults, support
from nitro.local.aws.quotas import QUOTAS

_TITLES = {
    "ec2": "EC2",
    "ssm": "Systems Manager",
    "kms": "KMS",
    "autoscaling": "Auto Scaling",
    "batch": "Batch",
    "servicequotas": "Service Quotas",
}


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
    for service, operations in {"ec2": support.HONOURED, **support.SERVICES}.items():
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
    lines += [
        "",
        "## Quotas",
        "",
        "What an account may have at a time. One more is refused with the code; the ID is that of",
        "Service Quotas, which tells those that have one.",
        "",
        "| Quota | Most | Code | ID |",
        "|---|---|---|---|",
    ]
    for quota in sorted(QUOTAS, key=lambda quota: quota.what):
        lines.append(f"| {quota.what} | {quota.most} | `{quota.code}` | {quota.id} |")
    return "\n".join(lines) + "\n"
