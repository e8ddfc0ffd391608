"""Further checks of a step, by name. Each returns what it saw as words, or raises NotSo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from argos_common.domain.ids import Account
from argos_common.domain.money import plain
from argos_common.domain.venue import DealReason

from argos_cli.client.commands import KillReport
from argos_cli.demo.alerts import Alert
from argos_cli.demo.stage import Stage
from argos_cli.demo.steps import Step
from argos_cli.demo.story import HEDGE, NET
from argos_cli.report.orders import OrderRow

WITHIN_S = 15.0
READY_S = 30.0


class NotSo(Exception):
    """A promise of a step did not hold; the text says what was seen instead."""


@dataclass(slots=True, kw_only=True)
class Played:
    """What happened so far. `signal_ids`, `alerts`: by the step's name."""

    stage: Stage
    signal_ids: dict[str, str] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    killed: dict[str, int] = field(default_factory=dict)
    kill: KillReport | None = None

    def orders(self, step: Step) -> list[OrderRow]:
        """The orders of the step, or of the step it speaks of."""
        return self.stage.watch.run.orders_of(self.cause(step))

    def cause(self, step: Step) -> str:
        return self.signal_ids.get(step.of or step.name, "")


async def _nothing_came_of_it(played: Played, step: Step) -> str:
    watch, sent = played.stage.watch, played.stage.sent[-1]
    code = str(sent.answer.get("code", ""))
    if sent.status != 401:  # who has no authority gets no entry in the log

        def on_record() -> bool:
            return any(
                each.code == code and each.received_at_ns >= sent.sent_at_ns
                for each in watch.run.refusals.values()
            )

        await watch.until(on_record, WITHIN_S, lambda: "the refusal is not on record")
    if any(cause == sent.signal_id for cause, _ in watch.run.verdicts) and code != "conflict":
        raise NotSo("a verdict was given on what was refused at the door")
    del step
    return "refused at the door" + ("" if sent.status == 401 else ", and on record")  # the same


async def _half_on_the_second(played: Played, step: Step) -> str:
    filled = {
        row.claim.account: row.fill.filled_quantity for row in played.orders(step) if row.fill
    }
    one, two = filled.get(Account(HEDGE)), filled.get(Account(NET))
    if one is None or two is None or one != two * 2:
        raise NotSo(f"filled {one} on {HEDGE} and {two} on {NET}")
    return f"{plain(one)} on {HEDGE}, {plain(two)} on {NET}"


async def _same_trade(played: Played, step: Step) -> str:
    opened = played.signal_ids["two accounts"]
    trades = {leg.trade_id for _, leg in played.stage.watch.run.legs(played.cause(step))}
    if trades != {opened}:
        raise NotSo(f"legs belong to {sorted(trades)} instead of trade {opened}")
    return f"all legs belong to trade {opened[:8]}"


async def _new_trade(played: Played, step: Step) -> str:
    cause = played.cause(step)
    trades = {leg.trade_id for _, leg in played.stage.watch.run.legs(cause)}
    if trades != {played.signal_ids["two accounts"], cause}:
        raise NotSo(f"legs belong to {sorted(trades)}")
    return f"closed the old trade, opened trade {cause[:8]}"


async def _flat(played: Played, step: Step) -> str:
    alert = played.alerts[step.name]
    watch = played.stage.watch
    for account in played.stage.routed(alert.strategy):
        trade = watch.fleet.book(Account(account)).open_trade(alert.strategy, alert.our_symbol)
        if trade is not None:
            raise NotSo(f"{account} still holds {plain(trade.position)} {alert.our_symbol}")
    return f"flat in {alert.our_symbol}"


async def _stopped_by_the_broker(played: Played, step: Step) -> str:
    trade_id, watch = played.cause(step), played.stage.watch

    def stopped() -> bool:
        return any(
            event.trade_id == trade_id and event.deal.reason is DealReason.STOP_LOSS
            for event, _ in watch.run.deals
        )

    await watch.until(stopped, WITHIN_S, lambda: "no deal of the stop loss is on record")
    if not (await played.stage.witness.record()).born_at_broker():
        raise NotSo("the broker has no order of its own on record")
    if any(t.trade_id == trade_id and t.position for b in watch.fleet.books.values() for t in b.trades.values()):  # fmt: skip
        raise NotSo("the trade still holds a position")
    return f"the broker's own deal closed trade {trade_id[:8]}"


async def _filled_in_part(played: Played, step: Step) -> str:
    rows = played.orders(step)
    fill, match = (rows[0].fill, rows[0].match) if len(rows) == 1 else (None, None)
    if fill is None or not fill.done or fill.filled_quantity >= rows[0].claim.quantity:
        raise NotSo("the order was not filled in part")
    if match is None or match.slippage is None or match.slippage <= 0:
        raise NotSo("no adverse slippage was measured")
    return (
        f"{plain(fill.filled_quantity)} of {plain(rows[0].claim.quantity)} filled,"
        f" slippage {plain(match.slippage)} (adverse)"
    )


async def _one_order(played: Played, step: Step) -> str:
    rows = played.orders(step)
    if len(rows) != 1:
        raise NotSo(f"{len(rows)} orders were claimed instead of 1")
    at_broker = (await played.stage.witness.record()).with_tag(rows[0].claim.tag)
    if len(at_broker) != 1:
        raise NotSo(f"the broker has {len(at_broker)} orders with tag {rows[0].claim.tag}")
    return f"one order at the broker ({at_broker[0].venue_order_id})"


async def _one_order_each(played: Played, step: Step) -> str:
    record = await played.stage.witness.record()
    words = []
    for account in played.stage.routed(played.alerts[step.name].strategy):
        rows = [row for row in played.orders(step) if row.claim.account == account]
        count = sum(len(record.with_tag(row.claim.tag)) for row in rows)
        declined = played.stage.watch.run.declined.get((played.cause(step), account))
        if count == 0 and declined is not None:
            words.append(f"{account}: declined ({declined.sentence})")
        elif count != 1:
            raise NotSo(f"{account}: the broker has {count} orders instead of 1")
        else:
            how = " (was in doubt, found by its tag)" if rows[0].doubt else ""
            words.append(f"{account}: one order{how}")
    return ", ".join(words)


async def _named_under_way(played: Played, step: Step) -> str:
    del step
    kill = played.kill
    wanted = {
        row.claim.order_id
        for row in played.stage.watch.run.orders_of(played.signal_ids.get("no answer", ""))
    }
    named = {each.order_id for each in kill.under_way} if kill else set()
    if kill is None or not wanted or not wanted <= named:
        raise NotSo(f"the reply names {sorted(named)} instead of {sorted(wanted)}")
    return (
        f"no new risk after entry {kill.log_position}; under way: {', '.join(sorted(named))};"
        f" final by {kill.final_by}"
    )


async def _two_rules_failed(played: Played, step: Step) -> str:
    cause = played.cause(step)
    failed = [
        rule.rule
        for (found, _), (verdict, _) in played.stage.watch.run.verdicts.items()
        if found == cause
        for rule in verdict.rules
        if not rule.passed
    ]
    if len(failed) < 2:  # all failures are named, not only the first
        raise NotSo(f"only {failed} is named")
    return f"all that failed is named: {', '.join(failed)}"


async def _adopted_from_evidence(played: Played, step: Step) -> str:
    rows = played.orders(step)
    row = rows[0] if rows else None
    if row is None or row.doubt is None:
        raise NotSo("the order never was in doubt")
    if not row.has_fill or row.evidence == "answer" or row.match is None:
        raise NotSo("the order was not adopted from evidence")
    return f"in doubt ({row.doubt.cause}), adopted by its {row.evidence}"


async def _venue_ready_again(played: Played, step: Step) -> str:
    del step
    stage = played.stage
    stage.ready.pop(HEDGE, None)  # only news counts
    try:
        async with asyncio.timeout(READY_S):
            while not stage.ready.get(HEDGE):
                await stage.clock.sleep(0.05)
    except TimeoutError:
        raise NotSo(f"{HEDGE} is not ready again after {READY_S:g} s") from None
    return ""


async def _restarted(played: Played, step: Step) -> str:
    del step
    words = []
    for name, pid in played.killed.items():
        await played.stage.fleet.wait_ready(name, timeout_s=READY_S)
        now = played.stage.fleet.pid(name)
        if now in (0, pid):
            raise NotSo(f"{name} was not started again")
        words.append(f"{name} was killed (pid {pid}) and runs again (pid {now})")
    return ", ".join(words)


async def _all_flat(played: Played, step: Step) -> str:
    del step
    held = {key: quantity for key, quantity in (await played.stage.witness.positions()).items() if quantity}  # fmt: skip
    if held:
        raise NotSo(f"the broker still holds {held}")
    return "nothing is held, neither by the log nor by the broker's own books"


Proof = Callable[[Played, Step], Awaitable[str]]
PROOFS: Mapping[str, Proof] = {
    "nothing_came_of_it": _nothing_came_of_it,
    "half_on_the_second": _half_on_the_second,
    "same_trade": _same_trade,
    "new_trade": _new_trade,
    "flat": _flat,
    "stopped_by_the_broker": _stopped_by_the_broker,
    "filled_in_part": _filled_in_part,
    "one_order": _one_order,
    "one_order_each": _one_order_each,
    "named_under_way": _named_under_way,
    "two_rules_failed": _two_rules_failed,
    "adopted_from_evidence": _adopted_from_evidence,
    "restarted": _restarted,
    "venue_ready_again": _venue_ready_again,
    "all_flat": _all_flat,
}
