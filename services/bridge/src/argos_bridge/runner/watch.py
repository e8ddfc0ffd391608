"""The watcher of one account: silence, deals that say more than answers, doubt, and the epoch."""

from __future__ import annotations

from argos_common.domain.book import OrderView
from argos_common.domain.errors import ArgosError
from argos_common.domain.ids import OrderId
from argos_common.domain.order import OrderEvent, next_state
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import NodeConfirmed
from argos_common.runtime.telemetry import Kind
from argos_common.wire import subjects

from argos_bridge.core import doubt
from argos_bridge.core.doubt import Do, Inquiry
from argos_bridge.core.outcome import in_doubt, of_deals, overdue_ns
from argos_bridge.runner.desk import AGAIN_S, Desk


class Watch:
    """Loops that end what is open; any bridge may run them for any order."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._inquiries: dict[OrderId, Inquiry] = {}

    async def silence(self) -> None:
        """Submissions past their time become doubtful; deals complete what they prove."""
        desk = self._desk
        while True:
            desk.watch_wake.arm()
            now_ns = desk.clock.now_ns()
            next_ns: int | None = None
            found: list[OrderEvent] = []
            for order in self._orders(desk.state.live):
                at_ns = overdue_ns(desk.state, order)
                if at_ns is not None and at_ns <= now_ns:
                    cause = "no outcome within its deadline and grace"
                    found.append(in_doubt(desk.state, order, cause, now_ns))
                elif at_ns is not None:
                    next_ns = min(next_ns or at_ns, at_ns)
            for order in self._orders(desk.state.undertold):
                filled = of_deals(desk.state, order, now_ns)
                if filled is not None:
                    found.append(filled)
            proposed = False
            for event in found:
                if self._still_says_something(event):
                    await desk.propose(event.order_id, event)
                    proposed = True
            if not proposed:
                await desk.watch_wake.wait_until(next_ns)

    async def doubts(self) -> None:
        """Ask the node about every order in doubt until evidence ends it."""
        desk = self._desk
        while True:
            desk.doubt_wake.arm()
            mono_ns = desk.clock.monotonic_ns()
            next_ns: int | None = None
            acted = False
            orders = self._orders(desk.state.live)
            for order in orders:
                inquiry = doubt.begin(order, self._inquiries.get(order.order_id), mono_ns)
                do = doubt.next_do(desk.state, order, inquiry, mono_ns)
                if do is None:
                    self._inquiries.pop(order.order_id, None)
                    continue
                self._inquiries[order.order_id] = inquiry
                if isinstance(do, Do):
                    await self._inquire(order, inquiry, do)
                    acted = True
                else:
                    next_ns = min(next_ns or do, do)
            for order_id in [each for each in self._inquiries if each not in desk.state.live]:
                del self._inquiries[order_id]
            if not acted:
                await desk.doubt_wake.wait(None if next_ns is None else next_ns - mono_ns)

    async def epoch(self) -> None:
        """Have the node remember every epoch for good, and put on record that it does."""
        desk = self._desk
        while True:
            desk.epoch_wake.arm()
            epoch = desk.state.control.epoch
            if epoch <= desk.state.confirmed_epoch:
                await desk.epoch_wake.wait()
                continue
            try:
                kept = await desk.node.raise_epoch(desk.account, epoch)
            except ArgosError:
                await desk.clock.sleep(AGAIN_S)
                continue
            confirmed = NodeConfirmed(
                account=desk.account, epoch=epoch, node_time_ns=kept.node_time_ns
            )
            if await desk.record(subjects.venue(desk.account, "epoch", str(epoch)), confirmed):
                desk.around.lines.info("node confirmed", account=desk.account, epoch=epoch)

    async def _inquire(self, order: OrderView, inquiry: Inquiry, do: Do) -> None:
        desk = self._desk
        order_id, asked_ns = order.order_id, desk.clock.monotonic_ns()
        event: OrderEvent | None
        try:
            match do:
                case Do.FIND if order.submitting is not None:
                    evidence = await desk.node.find(doubt.question(desk.state, order.submitting))
                    inquiry, event = doubt.of_evidence(
                        desk.state,
                        order,
                        inquiry,
                        evidence,
                        asked_ns=asked_ns,
                        mono_ns=desk.clock.monotonic_ns(),
                        now_ns=desk.clock.now_ns(),
                    )
                case Do.SEAL:
                    seal = await desk.node.seal(desk.account, order_id)
                    inquiry, event = doubt.of_seal(
                        desk.state,
                        order,
                        inquiry,
                        seal,
                        desk.clock.monotonic_ns(),
                        desk.clock.now_ns(),
                    )
                case _:
                    event = doubt.conclude(desk.state, order, inquiry, do, desk.clock.now_ns())
        except ArgosError:
            self._inquiries[order_id] = doubt.failed(inquiry, desk.clock.monotonic_ns())
            return
        self._inquiries[order_id] = inquiry
        if event is None:
            return
        since_s = (desk.clock.now_ns() - order.changed_at_ns) / NS_PER_S
        desk.around.lines.info(
            "evidence",
            account=desk.account,
            trade_id=order.trade_id,
            bot_version=order.submitting.bot_version if order.submitting else "",
            order_id=order_id,
            found=type(event).__name__,
            doubtful_s=round(since_s, 3),
        )
        with desk.around.telemetry.span(
            "send evidence",
            parent=order.submitting.trace_parent if order.submitting else "",
            kind=Kind.PRODUCER,
            attributes={
                "trade.id": order.trade_id,
                "argos.account": desk.account,
                "argos.order_id": order_id,
                "argos.found": type(event).__name__,
            },
        ):
            await desk.propose(order_id, event)

    def _still_says_something(self, event: OrderEvent) -> bool:
        """Whether an event that was found a while ago is still possible: appends take their time."""
        order = self._desk.state.book.orders.get(event.order_id)
        return order is not None and next_state(order.state, event) is not None

    def _orders(self, ids: dict[OrderId, bool]) -> list[OrderView]:
        orders = self._desk.state.book.orders
        return [orders[each] for each in ids if each in orders]
