"""The paper venue's records in the words of the node contract, and orders in the venue's words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from argos_common.domain.ids import order_id_of_tag
from argos_common.domain.instrument import Instrument
from argos_common.domain.node import (
    Evidence,
    Journaled,
    Outcome,
    Question,
    Result,
    Submission,
    WorkingOrder,
)
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealEntry
from argos_common.domain.verdict import Effect

from argos_exchange_node.core.books import OrderStatus, PaperOrder, PaperTrade
from argos_exchange_node.core.exchange import Rejection, Request
from argos_exchange_node.core.market import Market


def request_of(submission: Submission) -> Request | Rejection:
    """The order as the venue takes it. On a spot account one can only buy, and sell what is held."""
    opens = submission.effect is Effect.OPEN
    if opens != (submission.side is Side.BUY):
        doing = "open a short position" if opens else "buy back a short position"
        return Rejection(RefusalClass.FINAL, "spot", f"a spot account cannot {doing}")
    return Request(
        client_id=submission.tag,
        side=submission.side,
        quantity=submission.quantity,
        stop_price=submission.stop_price,
        take_profit_price=submission.take_profit_price,
    )


def outcome_of(submission: Submission, order: PaperOrder) -> Outcome:
    return Outcome(
        order_id=submission.order_id,
        result=Result.DONE,
        venue_order_id=order.venue_order_id,
        venue_position_id=order.venue_symbol,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
    )


def refused(submission: Submission, rejection: Rejection) -> Outcome:
    return Outcome(
        order_id=submission.order_id,
        result=Result.REFUSED,
        refusal=rejection.refusal,
        code=rejection.code,
        sentence=rejection.sentence,
    )


def evidence_of(
    question: Question, orders: Iterable[PaperOrder], *, conclusive: bool, now_ns: int
) -> Evidence:
    """What the venue's order history shows. It keeps our id whole, so the tag alone decides."""
    order = next((each for each in orders if each.client_id == question.tag), None)
    if order is None:
        return Evidence(
            order_id=question.order_id,
            conclusive=conclusive,
            found=False,
            journal=Journaled.NOTHING,
            as_of_ns=now_ns,
        )
    return Evidence(
        order_id=question.order_id,
        conclusive=conclusive,
        found=True,
        journal=Journaled.NOTHING,
        as_of_ns=now_ns,
        method="tag",
        working=order.status is OrderStatus.OPEN,
        done=order.status is not OrderStatus.OPEN,
        venue_order_id=order.venue_order_id,
        venue_position_id=order.venue_symbol,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price,
    )


def deal_of(trade: PaperTrade, market: Market) -> Deal:
    """A trade as a deal; a fee in the base asset is named as such."""
    return Deal(
        deal_id=trade.trade_id,
        venue_order_id=trade.venue_order_id,
        venue_position_id=trade.venue_symbol,
        symbol=market.symbol,
        venue_symbol=trade.venue_symbol,
        side=trade.side,
        entry=DealEntry.IN if trade.side is Side.BUY else DealEntry.OUT,
        reason=trade.reason,
        quantity=trade.quantity,
        price=trade.price,
        commission=Decimal(0),
        swap=Decimal(0),
        fee=-trade.fee,
        fee_asset="" if trade.fee_asset == market.quote else trade.fee_asset,
        profit=Decimal(0),
        position_delta=trade.base_delta,
        venue_time_ns=trade.at_ns,
        comment=trade.client_id,
    )


def working_order_of(order: PaperOrder, market: Market) -> WorkingOrder:
    """A protective order; it carries the id of the entry that it came with."""
    return WorkingOrder(
        venue_order_id=order.venue_order_id,
        symbol=market.symbol,
        side=order.side,
        quantity=order.quantity,
        order_id=order_id_of_tag(order.client_id),
    )


def instrument_of(market: Market) -> Instrument:
    return Instrument(
        symbol=market.symbol,
        venue_symbol=market.venue_symbol,
        quantity_min=market.quantity_min,
        quantity_max=market.quantity_max,
        quantity_step=market.quantity_step,
        price_tick=market.price_tick,
        contract_size=Decimal(1),
        quote_currency=market.quote,
        quote_to_account=Decimal(1),
    )
