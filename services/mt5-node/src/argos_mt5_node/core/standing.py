"""Whether the terminal stands where it should: the right account, connected, allowed to trade.

Rules:
1. A terminal can be switched to another account by anybody at its screen. So login, server, margin
   mode and whether it is real money are compared with what is configured at every look, and once
   more in the same breath as a send.
2. Real money counts only if the account is configured as live, and a live account only if it is
   real money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from argos_common.domain.instrument import AccountKind

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Call, Row, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The account as configured. `server` empty: any."""

    login: int
    server: str
    kind: AccountKind
    live: bool
    currency: str


MARGIN_MODES: Mapping[AccountKind, tuple[int, ...]] = {
    AccountKind.HEDGING: (c.MARGIN_HEDGING,),
    AccountKind.NETTING: (0, 1),
}
_TERMINAL_MUST: Mapping[str, tuple[Scalar, ...]] = {
    "connected": (True,),
    "trade_allowed": (True,),
    "tradeapi_disabled": (False,),
}


def guards(expected: Expected) -> tuple[Call, Call]:
    """Two reads that stop whatever stands behind them unless all is as it should be."""
    account: dict[str, tuple[Scalar, ...]] = {
        "login": (expected.login,),
        "currency": (expected.currency,),
        "margin_mode": MARGIN_MODES.get(expected.kind, ()),
        "trade_mode": (c.TRADE_MODE_REAL,) if expected.live else (0, 1),
        "trade_allowed": (True,),
        "trade_expert": (True,),
    }
    if expected.server:
        account["server"] = (expected.server,)
    return Call("terminal_info", must=_TERMINAL_MUST), Call("account_info", must=account)


def whose(expected: Expected) -> Call:
    """A read that stops whatever stands behind it on another account than the configured one."""
    must: dict[str, tuple[Scalar, ...]] = {"login": (expected.login,)}
    if expected.server:
        must["server"] = (expected.server,)
    return Call("account_info", must=must)


def why_not(terminal: Row | None, account: Row | None, expected: Expected) -> str:
    """Why no order can be placed now, in one sentence; empty if it can."""
    return terminal_barred(terminal) or account_barred(account, expected)


def wrong_account(account: Row | None, expected: Expected) -> str:
    """Why this is not the account that is configured; empty if it is."""
    if account is None:
        return "the terminal does not say which account it shows"
    for wrong, sentence in _WRONG:
        if wrong(account, expected):
            return sentence.format(**account, expected=expected)
    return ""


_WRONG: tuple[tuple[Callable[[Row, Expected], bool], str], ...] = (
    (
        lambda account, expected: account["login"] != expected.login,
        "the terminal is logged in to {login}, configured is {expected.login}",
    ),
    (
        lambda account, expected: bool(expected.server) and account["server"] != expected.server,
        "the terminal is connected to {server}, configured is {expected.server}",
    ),
    (
        lambda account, expected: account["margin_mode"] not in MARGIN_MODES.get(expected.kind, ()),
        "the account's margin mode is {margin_mode}, which is not {expected.kind.name}",
    ),
    (
        lambda account, expected: account["trade_mode"] == c.TRADE_MODE_REAL and not expected.live,
        "the account holds real money, but it is not configured as live",
    ),
    (
        lambda account, expected: account["trade_mode"] != c.TRADE_MODE_REAL and expected.live,
        "the account is configured as live, but it holds no real money",
    ),
    (
        lambda account, expected: account["currency"] != expected.currency,
        "the account's currency is {currency}, configured is {expected.currency}",
    ),
)


def terminal_barred(terminal: Row | None) -> str:
    """Why the terminal lets no order out; empty if it does."""
    if terminal is None:
        return "the terminal does not say how it stands"
    if not terminal["connected"]:
        return "the terminal is not connected to the broker"
    if terminal["tradeapi_disabled"]:
        return "the terminal bars trading through its API; allow it in its options"
    if not terminal["trade_allowed"]:
        return "automated trading is switched off in the terminal; switch Algo Trading on"
    return ""


def account_barred(account: Row | None, expected: Expected) -> str:
    """Why the account takes no order; empty if it does."""
    wrong = wrong_account(account, expected)
    if wrong or account is None:
        return wrong
    if not account["trade_expert"]:
        return "the broker has disabled automated trading on this account"
    if not account["trade_allowed"]:
        return "the account may not trade (read-only password, or disabled by the broker)"
    return ""
