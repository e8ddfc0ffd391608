"""A notice: one thing a person must know, ready to be told and to be put on record once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from argos_common.domain.reconcile import AlertRaised


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """`level`: info, warning or critical. `alert_id` is derived from what is told about."""

    alert_id: str
    level: str
    code: str
    sentence: str
    account: str = ""
    trade_id: str = ""

    def raised(self, now_ns: int) -> AlertRaised:
        """The event to append."""
        return AlertRaised(
            alert_id=self.alert_id,
            level=self.level,
            code=self.code,
            sentence=self.sentence,
            raised_at_ns=now_ns,
            account=self.account,
            trade_id=self.trade_id,
        )


def digest(text: str) -> str:
    """A short name for a text of any characters, fit for an alert's id."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
