"""One row per trade and account: entry, exit, result, cost, and how it was reconciled. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from argos_common.domain.money import plain
from argos_common.domain.side import Side
from argos_common.domain.venue import DealReason, DealRecorded
from argos_common.domain.verdict import Change, Effect, Origin

from argos_cli.output import clock_text
from argos_cli.report.orders import OrderRow, RunFold

ZERO = Decimal(0)
_MS_PER_S = Decimal(1000)
_BY_VENUE = {
    DealReason.STOP_LOSS: "stop loss at the broker",
    DealReason.TAKE_PROFIT: "take profit at the broker",
    DealReason.STOP_OUT: "stop out by the broker",
    DealReason.MANUAL: "closed by hand",
    DealReason.OTHER: "closed by the broker",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeLine:
    """A row of trades.csv. `quantity` is what was opened; prices are averages by quantity.

    `pnl`, `commission`, `swap` and `fee` are signed as booked, `pnl` includes the other three.
    `slippage` and `cost` are adverse (positive is worse), in account currency. `latency_sec`: from
    the signal to the first fill. `status`: open or closed.
    """

    trade_id: str
    account: str
    strategy: str
    symbol: str
    side: str
    quantity: Decimal
    status: str
    entry_time: str
    entry_price: Decimal | None
    exit_time: str
    exit_price: Decimal | None
    pnl: Decimal
    commission: Decimal
    swap: Decimal
    fee: Decimal
    slippage: Decimal
    cost: Decimal
    latency_sec: Decimal | None
    match_method: str
    exit_reason: str
    entry_ns: int = 0
    exit_ns: int = 0


COLUMNS = tuple(
    field.name for field in fields(TradeLine) if field.name not in {"entry_ns", "exit_ns"}
)


def trade_lines(fold: RunFold) -> list[TradeLine]:
    """Every trade with a deal, in the order of its first deal."""
    deals: dict[tuple[str, str], list[DealRecorded]] = {}
    for event, _ in fold.deals:
        deals.setdefault((event.trade_id, event.account), []).append(event)
    return [_line(fold, key, found) for key, found in deals.items()]


def _line(fold: RunFold, key: tuple[str, str], events: list[DealRecorded]) -> TradeLine:
    trade_id, account = key
    rows = [
        row
        for row in fold.orders.values()
        if (row.claim.trade_id, row.claim.account) == (trade_id, account)
    ]
    side = events[0].deal.side
    entries = [e for e in events if e.deal.side is side]
    exits = [e for e in events if e.deal.side is not side]
    held = sum((e.deal.position_delta for e in events), ZERO)
    deals = [e.deal for e in events]
    paid = [d.fee for d in deals if not d.fee_asset]
    matched = [row.match for row in rows if row.match is not None]
    dealt = {deal_id for match in matched for deal_id in match.deal_ids}
    loose = [d for d in deals if d.deal_id not in dealt]
    opened = sum((e.deal.quantity for e in entries), ZERO)
    is_open = abs(held) * 100 > opened  # dust that a fee in the base asset leaves is no position
    booked = sum((d.profit + d.commission + d.swap for d in deals), sum(paid, ZERO))
    spot = all(d.profit == 0 for d in deals) and not is_open and bool(exits)
    return TradeLine(
        trade_id=trade_id,
        account=account,
        strategy=rows[0].claim.strategy if rows else "",
        symbol=deals[0].symbol,
        side="long" if side is Side.BUY else "short",
        quantity=opened,
        status="open" if is_open else "closed",
        entry_time=clock_text(entries[0].deal.venue_time_ns, with_day=True),
        entry_price=_average(entries),
        exit_time=clock_text(exits[-1].deal.venue_time_ns, with_day=True) if exits else "",
        exit_price=_average(exits),
        pnl=booked + (_spot_result(events) if spot else ZERO),
        commission=sum((d.commission for d in deals), ZERO),
        swap=sum((d.swap for d in deals), ZERO),
        fee=sum(paid, ZERO),
        slippage=sum((m.slippage_cash or ZERO for m in matched), ZERO),
        cost=sum((m.cost for m in matched), ZERO)
        - sum((d.commission + d.swap + (ZERO if d.fee_asset else d.fee) for d in loose), ZERO),
        latency_sec=next((m.latency_ms / _MS_PER_S for m in matched if m.latency_ms), None),
        match_method=" ".join(dict.fromkeys(m.method.name.lower() for m in matched)),
        exit_reason="; ".join(dict.fromkeys(_reasons(fold, rows, exits))),
        entry_ns=entries[0].deal.venue_time_ns,
        exit_ns=exits[-1].deal.venue_time_ns if exits else 0,
    )


def _average(events: Sequence[DealRecorded]) -> Decimal | None:
    quantity = sum((e.deal.quantity for e in events), ZERO)
    if not quantity:
        return None
    value = sum((e.deal.quantity * e.deal.price for e in events), ZERO)
    digits = min(int(e.deal.price.as_tuple().exponent) for e in events) - 1
    return (value / quantity).quantize(Decimal(1).scaleb(digits))


def _spot_result(events: Sequence[DealRecorded]) -> Decimal:
    """A spot venue books no profit: what was received less what was paid."""
    return sum((-e.deal.side.sign * e.deal.quantity * e.deal.price for e in events), ZERO)


def _reasons(fold: RunFold, rows: list[OrderRow], exits: list[DealRecorded]) -> Iterable[str]:
    by_id = {row.claim.order_id: row for row in rows}
    for event in exits:
        row = by_id.get(event.deal.order_id) if event.deal.order_id else None
        if row is None or row.claim.effect is Effect.OPEN:
            yield _BY_VENUE.get(event.deal.reason, "closed at the venue")
            continue
        verdict = fold.verdicts.get((row.claim.cause_id, row.claim.account))
        if verdict is None:
            yield "closed"
        elif verdict[0].origin is Origin.FLATTEN:
            yield "flatten"
        elif verdict[0].change is Change.REVERSAL:
            yield "reversal"
        else:
            yield verdict[0].change.name.lower().replace("_", " ")


def text_of(value: object) -> str:
    """A cell: decimals in plain digits, nothing for None."""
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)


def trades_csv(lines: Iterable[TradeLine]) -> str:
    """The rows with a header. A text that a spreadsheet might run as a formula is disarmed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_cell(getattr(line, name)) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    text = text_of(value)
    return "'" + text if isinstance(value, str) and text[:1] in {"=", "+", "-", "@"} else text
