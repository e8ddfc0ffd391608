"""Answers venue nodes that ask whether new risk may start."""

from __future__ import annotations

from argos_common.domain.errors import WireError
from argos_common.domain.node import LeaseAsk
from argos_common.wire import codec

from argos_risk.core.lease import answer_lease
from argos_risk.core.state import RiskState
from argos_risk.ports import Report
from argos_risk.runner.currency import Currency


class Leases:
    """`latched`: accounts with a kill on its way into the log, by the kill's request id.

    A latch bars leases at once, also while the log is away. It ends when the log shows the kill.
    """

    def __init__(self, state: RiskState, currency: Currency, report: Report) -> None:
        self._state = state
        self._currency = currency
        self._report = report
        self.latched: dict[str, str] = {}

    async def answer(self, subject: str, payload: bytes) -> bytes | None:
        """One request on `argos.lease.<account>`."""
        try:
            ask = codec.unpack(LeaseAsk, payload)
        except WireError:
            self._report.oddity(f"a lease request on {subject} cannot be read")
            return None
        answer = answer_lease(
            ask,
            self._state.accounts.get(ask.account),
            confirmed_age_ns=self._currency.age_ns(),
            log_used_percent=self._currency.used_percent,
            latched=ask.account in self.latched,
        )
        self._report.lease(answer)
        return codec.pack(answer)

    def unlatch(self, account: str, request_id: str) -> None:
        """The log shows this kill of the account; a latch of another request stays."""
        if self.latched.get(account) == request_id:
            del self.latched[account]
