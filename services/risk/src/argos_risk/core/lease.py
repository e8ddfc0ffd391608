"""May new risk start on an account for the next lease?

Yes only if all of these hold, and the reason names the first that does not:

- risk's knowledge of the log was confirmed less than a second ago. A copy of risk that was paused,
  or cut off from the log, can not know of a kill and must not speak for the account;
- no kill is on its way into the log from this process (`latched`);
- the account has a configuration, and is not killed;
- the log has room: from the watermark on, what is left serves exits, fills and control.

The account's epoch is in every answer, granted or not.
"""

from __future__ import annotations

from argos_common.domain.node import LeaseAnswer, LeaseAsk
from argos_common.domain.times import NS_PER_S

from argos_risk.core.state import AccountRisk

CONFIRMED_MAX_NS = NS_PER_S
LOG_USED_MAX_PERCENT = 80
"""New risk stops when the log is this full."""


def answer_lease(
    ask: LeaseAsk,
    risk: AccountRisk | None,
    *,
    confirmed_age_ns: int | None,
    log_used_percent: int,
    latched: bool,
) -> LeaseAnswer:
    """`confirmed_age_ns`: how long ago risk last knew everything in the log; None: never yet."""
    reason = _against(
        risk,
        confirmed_age_ns=confirmed_age_ns,
        log_used_percent=log_used_percent,
        latched=latched,
    )
    return LeaseAnswer(
        account=ask.account,
        nonce=ask.nonce,
        granted=not reason,
        epoch=risk.control.epoch if risk is not None else 0,
        reason=reason,
    )


def _against(
    risk: AccountRisk | None, *, confirmed_age_ns: int | None, log_used_percent: int, latched: bool
) -> str:
    if latched:
        return "a kill is being recorded"
    if confirmed_age_ns is None:
        return "risk has not read the log to its end yet"
    if confirmed_age_ns >= CONFIRMED_MAX_NS:
        seconds, rest = divmod(confirmed_age_ns // (NS_PER_S // 10), 10)
        return f"risk last confirmed its knowledge of the log {seconds}.{rest} s ago"
    if risk is None or risk.config is None:
        return "the account has no configuration"
    if risk.config_wrong:
        return risk.config_wrong
    if risk.control.killed:
        return f"the account is killed ({risk.control.kill_reason})"
    if log_used_percent >= LOG_USED_MAX_PERCENT:
        return f"the log is {log_used_percent} % full; new risk stops at {LOG_USED_MAX_PERCENT} %"
    return ""
