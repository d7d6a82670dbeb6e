"""An account's password policy: limits that it does not set are left out of it.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_PasswordPolicy.html
"""

from __future__ import annotations

import copy
from typing import Any

from moto.iam.models import IAMBackend

_LIMITS = ("max_password_age", "password_reuse_prevention")


class LocalIAMBackend(IAMBackend):  # type: ignore[misc]
    """One account."""

    def get_account_password_policy(self) -> Any:
        policy = copy.copy(super().get_account_password_policy())
        for name in _LIMITS:
            setattr(policy, name, getattr(policy, name) or None)
        return policy
