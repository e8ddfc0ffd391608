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
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    Exists,
    Full,
    Head,
    Mine,
    Stale,
    Unknown,
)
from argos_common.runtime.telemetry import Kind, Span, Telemetry
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
            "process signal" if signal is not None else "process command",
            parent=signal.trace_parent if signal is not None else "",
            trade_id=cause.cause_id,
            kind=Kind.CONSUMER,
            attributes={"argos.account": self.account, "messaging.system": "nats"},
        ) as span:
            risk = tools.state.accounts[self.account]
            verdict = self._decide(risk, cause)
            self._describe(span, risk, verdict, cause)
            trace_id = tools.telemetry.trace_id()
            answer = await self._send(risk, verdict)
        match answer:
            case Mine():
                took_ns = 0
                if signal is not None:
                    took_ns = tools.clock.now_ns() - signal.received_at_ns
                tools.report.verdict(verdict, answer.sequence, took_ns, trace_id)
            case Stale() | Unknown() | Exists():
                pass  # everything the log holds is folded: look again whether it is still pending
            case Busy():
                await tools.clock.sleep(BUSY_PAUSE_S)
            case Full():
                tools.report.oddity("the log is full: no verdict can be given until there is room")
                await tools.clock.sleep(FULL_PAUSE_S)

    def _decide(self, risk: AccountRisk, cause: Cause) -> VerdictGiven:
        facts = self._tools.facts.of(self.account, _symbol(risk, cause), risk.config)
        return decide(self._tools.state, self.account, cause, facts)

    async def _send(self, risk: AccountRisk, verdict: VerdictGiven) -> Answer:
        """Append it under a span of its own, which whoever acts on it will name."""
        tools = self._tools
        with tools.telemetry.span("send verdict", kind=Kind.PRODUCER):
            here = tools.telemetry.trace_parent()
            return await tools.proposer.append(
                Append(
                    subject=subjects.verdict(self.account),
                    data=codec.encode(replace(verdict, trace_parent=here) if here else verdict),
                    condition=Head(risk.verdict_head),
                )
            )

    def _describe(self, span: Span, risk: AccountRisk, verdict: VerdictGiven, cause: Cause) -> None:
        """What a trace shows of a verdict; an exit's trace is linked to its trade's."""
        span.set("argos.decision", verdict.decision.name.lower())
        span.set("argos.reason", verdict.reason)
        failed = [rule.rule for rule in verdict.rules if not rule.passed]
        if failed:
            span.set("argos.refused_by", ",".join(failed))
        if verdict.trade_id is None:
            return
        span.set("trade.id", verdict.trade_id)
        trade = risk.book.trades.get(verdict.trade_id)
        if trade is not None and str(verdict.trade_id) != str(cause.cause_id):
            span.link(trade.trace_parent)

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
