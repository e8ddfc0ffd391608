"""One ordered worker per account: decides what is pending, oldest first, and appends the verdict.

The append is conditional on the account's verdict head, so of two copies of risk one wins and both
fold the winner. Whatever the answer, the next decision starts from what the log says then.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from argos_common.domain.ids import Account
from argos_common.domain.signal import Action
from argos_common.domain.verdict import VerdictGiven
from argos_common.runtime.bounded import bounded
from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Proposer
from argos_common.runtime.log import Append, Busy, Exists, Full, Head, Mine, Stale, Unknown
from argos_common.runtime.telemetry import Telemetry
from argos_common.wire import codec, subjects

from argos_risk.core.decide import decide
from argos_risk.core.state import AccountRisk, Cause, RiskState, next_cause
from argos_risk.ports import Report
from argos_risk.runner.currency import Currency
from argos_risk.runner.facts import FactsSeen
from argos_risk.runner.leases import Leases

FIRST_FACTS_WAIT_S = 1.0
BUSY_PAUSE_S = 0.25
FULL_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every worker shares."""

    state: RiskState
    proposer: Proposer
    clock: Clock
    facts: FactsSeen
    currency: Currency
    leases: Leases
    telemetry: Telemetry
    report: Report


class Worker:
    """Decides for one account."""

    def __init__(self, account: Account, tools: Tools) -> None:
        self.account = account
        self.wake = asyncio.Event()
        self._tools = tools
        self._waited_for_facts = False

    async def run(self) -> None:
        """Decide for ever, whenever something is pending; not before the log has been read once."""
        await self._tools.currency.caught_up.wait()
        while True:
            self.wake.clear()
            while (cause := next_cause(self._tools.state, self.account)) is not None:
                if _may_open(cause) and self.account in self._tools.leases.latched:
                    break  # a kill is on its way into the log; its folding wakes us
                await self._answer(cause)
            await self.wake.wait()

    async def _answer(self, cause: Cause) -> None:
        tools = self._tools
        if _may_open(cause) and not self._waited_for_facts:
            self._waited_for_facts = True
            if await self._first_facts():
                return  # the log may have moved on meanwhile
        signal = cause.signal
        with tools.telemetry.span(
            "risk.verdict",
            parent=signal.trace_parent if signal is not None else "",
            trade_id=cause.cause_id if signal is not None else cause.trade_id or "",
            attributes={"argos.account": self.account, "argos.cause_id": cause.cause_id},
        ) as span:
            risk = tools.state.accounts[self.account]
            verdict = self._decide(risk, cause)
            span.set("argos.decision", verdict.decision.name)
            span.set("trade.id", verdict.trade_id or "")
            answer = await tools.proposer.append(
                Append(
                    subject=subjects.verdict(self.account),
                    data=codec.encode(verdict),
                    condition=Head(risk.verdict_head),
                )
            )
        match answer:
            case Mine():
                took_ns = 0
                if signal is not None:
                    took_ns = tools.clock.now_ns() - signal.received_at_ns
                tools.report.verdict(verdict, answer.sequence, took_ns)
            case Stale() | Unknown() | Exists():
                pass  # everything the log holds is folded: look again whether it is still pending
            case Busy():
                await tools.clock.sleep(BUSY_PAUSE_S)
            case Full():
                tools.report.oddity("the log is full: no verdict can be given until there is room")
                await tools.clock.sleep(FULL_PAUSE_S)

    def _decide(self, risk: AccountRisk, cause: Cause) -> VerdictGiven:
        tools = self._tools
        facts = tools.facts.of(self.account, _symbol(risk, cause), risk.config)
        verdict = decide(tools.state, self.account, cause, facts)
        here = tools.telemetry.trace_parent()
        return replace(verdict, trace_parent=here) if here else verdict

    async def _first_facts(self) -> bool:
        """Give the first facts after a start a moment to arrive; whether anything was waited for."""
        arrived = self._tools.facts.arrived(self.account)
        if arrived.is_set():
            return False
        await bounded(self._tools.clock, arrived.wait(), FIRST_FACTS_WAIT_S)
        return True


def _may_open(cause: Cause) -> bool:
    """Whether the cause could add risk. Exits wait for nothing."""
    return cause.signal is not None and cause.signal.action is not Action.EXIT


def _symbol(risk: AccountRisk, cause: Cause) -> str:
    if cause.signal is not None:
        return cause.signal.symbol
    trade = risk.book.trades.get(cause.trade_id) if cause.trade_id is not None else None
    return trade.symbol if trade is not None else ""
