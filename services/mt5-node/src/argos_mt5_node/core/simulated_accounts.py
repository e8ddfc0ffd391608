"""Which account of the simulated broker stands for which account of a simulated node.

Hedging accounts get 10001, 10003, 10005 …, netting accounts 10002, 10004 …, each in the order of the
configuration. The simulator's own default has the first of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account
from argos_common.domain.instrument import AccountKind

from argos_mt5_node.core import constants as c

FIRST_LOGIN = 10_001
SERVER = "Argos-Sim"
PASSWORD = "demo"  # noqa: S105 - a simulated account has no secret
DEAL_LAG_MS = (5, 40)


def logins(accounts: Sequence[AccountConfig]) -> dict[Account, int]:
    """The simulated login of each account."""
    found: dict[Account, int] = {}
    taken = {AccountKind.HEDGING: FIRST_LOGIN, AccountKind.NETTING: FIRST_LOGIN + 1}
    for account in accounts:
        if account.kind in taken:
            found[account.account] = taken[account.kind]
            taken[account.kind] += 2
    return found


def world(accounts: Sequence[AccountConfig], balance: str) -> dict[str, Any]:
    """The simulator's `--accounts` file for a node that serves these accounts."""
    by_login = logins(accounts)
    return {
        "accounts": [
            {
                "login": by_login[account.account],
                "name": str(account.account),
                "currency": account.currency,
                "balance": balance,
                "margin_mode": c.MARGIN_HEDGING if account.kind is AccountKind.HEDGING else 0,
                "deal_lag_ms": list(DEAL_LAG_MS),
            }
            for account in accounts
            if account.account in by_login
        ]
    }
