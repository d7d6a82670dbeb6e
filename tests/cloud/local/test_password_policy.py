"""An account's password policy."""

from __future__ import annotations

from typing import Any

import boto3

from .conftest import Account

LIMITS = {"MaxPasswordAge": 90, "PasswordReusePrevention": 3}


def test_limits_that_it_does_not_set_are_left_out(account: Account) -> None:
    iam: Any = boto3.client("iam", region_name="us-east-1")
    for limits in ({}, LIMITS, {}):
        iam.update_account_password_policy(**limits)
        told = iam.get_account_password_policy()["PasswordPolicy"]
        assert {name: told[name] for name in LIMITS if name in told} == limits
        assert told["ExpirePasswords"] is bool(limits)
