"""Claims and submissions of one account: in order, at most one of ours at the venue at a time.

Only the holder of a `Mine` for this very claim sends it. The submission runs as a task of its own,
so that declines go on meanwhile, and until its outcome is on record it is kept here: an outcome
known must not be lost while the process lives.
"""

from __future__ import annotations

from argos_common.domain.errors import ArgosError
from argos_common.domain.ids import OrderId
from argos_common.domain.node import Outcome, Submission
from argos_common.domain.order import ExitTurn, OrderDeclined, OrderState, OrderSubmitting
from argos_common.domain.times import NS_PER_S
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import in_doubt as unknown
from argos_common.runtime.log import (
    Append,
    CreateOnce,
    Exists,
    Fence,
    Head,
    Mine,
    Stale,
    Unknown,
)
from argos_common.runtime.telemetry import Kind, Span
from argos_common.wire import subjects
from argos_common.wire.codec import encode

from argos_bridge.core.claim import next_step
from argos_bridge.core.outcome import in_doubt, of_outcome
from argos_bridge.core.step import Decline, Moment, Submit, Wait, once_id
from argos_bridge.runner.desk import AGAIN_S, Desk


class Claims:
    """The loop that turns approved legs into orders."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sending: dict[OrderId, None] = {}
        self.stopping = False

    @property
    def sending(self) -> bool:
        """Whether a submission of this process has no outcome on record yet."""
        return bool(self._sending)

    async def run(self) -> None:
        desk = self._desk
        while True:
            desk.claims_wake.arm()
            moment = self._moment()
            may_submit = not self.stopping and not self._under_way()
            step = next_step(desk.state, moment, may_submit=may_submit)
            match step:
                case Wait():
                    await desk.claims_wake.wait_until(step.until_ns)
                case Decline():
                    await self._decline(step.event)
                case Submit():
                    await self._claim(step.event)

    def _moment(self) -> Moment:
        desk = self._desk
        return Moment(
            now_ns=desk.clock.now_ns(),
            writer=desk.around.writer,
            lease=desk.leases.usable(desk.clock.monotonic_ns()),
            facts=desk.facts,
        )

    def _under_way(self) -> bool:
        orders = self._desk.state.book.orders
        for order_id in self._sending:
            order = orders.get(order_id)
            if order is not None and order.state is OrderState.SUBMITTING:
                return True
        return False

    async def _decline(self, event: OrderDeclined) -> None:
        desk = self._desk
        subject = subjects.order(desk.account, event.order_id, 1)
        trade = desk.state.book.trades.get(event.trade_id)
        with desk.around.telemetry.span(
            "decline",
            parent=trade.legs[event.leg].trace_parent if trade and event.leg in trade.legs else "",
            kind=Kind.CONSUMER,
            attributes={
                "trade.id": event.trade_id,
                "argos.account": event.account,
                "argos.order_id": event.order_id,
                "argos.attempt": event.attempt,
                "argos.code": event.code,
            },
        ):
            answer = await desk.append(subject, event, CreateOnce(), once_id(event.order_id))
        if isinstance(answer, Mine):
            desk.around.lines.info("declined", **_fields(event), reason=event.sentence)
        elif not isinstance(answer, Exists) or event.order_id not in desk.state.book.orders:
            await desk.clock.sleep(AGAIN_S)

    async def _claim(self, event: OrderSubmitting) -> None:
        desk = self._desk
        claim = Append(
            subject=subjects.order(desk.account, event.order_id, 1),
            data=encode(event),
            condition=Fence(subjects.control(desk.account), event.control_sequence),
            once_id=once_id(event.order_id),
        )
        turn = self._turn(event)
        turn_at = desk.state.turn_sequence
        begun_ns = desk.clock.monotonic_ns()
        with desk.around.telemetry.span(
            "claim", parent=event.trace_parent, trade_id=event.trade_id, kind=Kind.CONSUMER,
            attributes=_traced(event),
        ) as span:  # fmt: skip
            answer = await desk.append_together(*turn, claim)
            span.set("argos.answer", type(answer).__name__.lower())
            took_s = (desk.clock.monotonic_ns() - begun_ns) / NS_PER_S
            desk.around.metrics.hop("claim", took_s, desk.around.telemetry.trace_id())
        order = desk.state.book.orders.get(event.order_id)
        ours = order is not None and order.submitting == event
        match answer:
            case Mine() if ours:
                self._sending[event.order_id] = None
                desk.group.create_task(self._submit(event))
            case Mine():
                desk.around.lines.error("a claim was stored but another stands", **_fields(event))
            case Unknown() if order is not None and ours:
                # Stored, but nobody holds its ack: so nobody sends it, and the node may seal it.
                if order.state is not OrderState.SUBMITTING:
                    return  # the answer was so late that the watcher has seen to it
                doubt = in_doubt(
                    desk.state,
                    order,
                    "the log's answer to the claim was lost, so it was not sent",
                    desk.clock.now_ns(),
                )
                await desk.propose(event.order_id, doubt)
            case Stale() if desk.state.control.sequence != event.control_sequence:
                pass
            case Stale() if desk.state.turn_sequence != turn_at:
                pass
            case Exists() if order is not None:
                pass
            case _:
                await desk.clock.sleep(AGAIN_S)

    def _turn(self, event: OrderSubmitting) -> tuple[Append, ...]:
        """What an exit that could do more than close is claimed together with."""
        desk = self._desk
        if event.effect is Effect.OPEN or event.position_ref:
            return ()
        taken = ExitTurn(
            account=event.account,
            order_id=event.order_id,
            symbol=event.symbol,
            claimed_at_ns=event.claimed_at_ns,
        )
        return (
            Append(
                subject=subjects.turn(desk.account),
                data=encode(taken),
                condition=Head(desk.state.turn_sequence),
            ),
        )

    async def _submit(self, event: OrderSubmitting) -> None:
        desk = self._desk
        try:
            outcome = await self._send(event)
            desk.around.lines.info(
                "sent", **_fields(event), result=outcome.result.name, code=outcome.code
            )
            desk.around.metrics.outcomes.labels(desk.account, outcome.result.name.lower()).inc()
            with desk.around.telemetry.span(
                "send outcome",
                parent=event.trace_parent,
                trade_id=event.trade_id,
                kind=Kind.PRODUCER,
                attributes=_traced(event),
            ) as span:
                _describe(span, outcome)
                await self._record(event, outcome)
        finally:
            self._sending.pop(event.order_id, None)
            desk.claims_wake.ring()

    async def _send(self, event: OrderSubmitting) -> Outcome:
        desk = self._desk
        with desk.around.telemetry.span(
            "submit",
            parent=event.trace_parent,
            trade_id=event.trade_id,
            kind=Kind.CLIENT,
            attributes=_traced(event),
        ) as span:
            trace_parent = desk.around.telemetry.trace_parent() or event.trace_parent
            begun_ns = desk.clock.monotonic_ns()
            budget_ns = event.deadline_ns - desk.clock.now_ns()
            if budget_ns <= 0:
                return unknown(event.order_id, "not_sent", "not sent: its deadline had passed")
            try:
                outcome = await desk.node.submit(_submission(event, budget_ns, trace_parent))
            except ArgosError as error:
                outcome = unknown(event.order_id, "no_answer", str(error))
            took_s = (desk.clock.monotonic_ns() - begun_ns) / NS_PER_S
            desk.around.metrics.hop("submit", took_s, desk.around.telemetry.trace_id())
            _describe(span, outcome)
            return outcome

    async def _record(self, event: OrderSubmitting, outcome: Outcome) -> None:
        """Put an outcome on record, at whatever number is free, or see that it is known."""
        desk = self._desk
        while True:
            order = desk.state.book.orders.get(event.order_id)
            if order is None:
                return
            proposal = of_outcome(desk.state, order, outcome, desk.clock.now_ns())
            if proposal is None:
                return
            await desk.propose(event.order_id, proposal)


def _submission(event: OrderSubmitting, budget_ns: int, trace_parent: str) -> Submission:
    return Submission(
        order_id=event.order_id,
        account=event.account,
        strategy=event.strategy,
        symbol=event.symbol,
        venue_symbol=event.venue_symbol,
        side=event.side,
        effect=event.effect,
        quantity=event.quantity,
        deadline_ns=event.deadline_ns,
        budget_ns=budget_ns,
        epoch=event.epoch,
        lease=event.lease,
        tag=event.tag,
        magic=event.magic,
        position_ref=event.position_ref,
        stop_price=event.stop_price,
        take_profit_price=event.take_profit_price,
        trace_parent=trace_parent,
        claim=encode(event),
    )


def _describe(span: Span, outcome: Outcome) -> None:
    """What a trace shows of an attempt's outcome."""
    span.set("argos.result", outcome.result.name.lower())
    if outcome.code:
        span.set("argos.code", outcome.code)
    if outcome.sentence:
        span.failed(outcome.sentence)


def _traced(event: OrderSubmitting) -> dict[str, str]:
    """The same for a span, where the trade has the name it is searched by."""
    return {
        "trade.id" if name == "trade_id" else f"argos.{name}": value
        for name, value in _fields(event).items()
    }


def _fields(event: OrderSubmitting | OrderDeclined) -> dict[str, str]:
    fields = {
        "trade_id": event.trade_id,
        "account": event.account,
        "order_id": event.order_id,
        "leg": str(event.leg),
        "attempt": str(event.attempt),
    }
    if isinstance(event, OrderSubmitting):
        fields["bot_version"] = event.bot_version
    return fields
