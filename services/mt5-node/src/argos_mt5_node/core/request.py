"""A submission as the request that `order_send` takes.

Rules:
1. Only market orders (DEAL) leave here, with stop and target in the same request.
2. Prices and volume are floats and everything else is an integer or a text, exactly: the module
   refuses a request with an integer volume.
3. The filling mode is the one that the symbol's execution allows: in market execution IOC where it
   is flagged, so that a thin book fills a part, else FOK; exchange execution knows RETURN only, and
   instant and request execution FOK only.
4. On a hedging account a CLOSE names its position. Without one it would open a second position, so
   it is refused here, before anything is sent.
5. The order carries its id twice: as text in the comment and as a number in magic.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Row
from argos_mt5_node.core.numbers import to_float

COMMENT_UNITS_MAX = 26
_PRICED = (c.EXECUTION_REQUEST, c.EXECUTION_INSTANT)


@dataclass(frozen=True, slots=True)
class Unsendable:
    """The submission cannot be put as a request; the sentence says why."""

    code: str
    sentence: str


def filling(symbol: Row) -> int:
    """The filling mode of a market order on this symbol."""
    match symbol["trade_exemode"]:
        case c.EXECUTION_EXCHANGE:
            return c.FILLING_RETURN
        case c.EXECUTION_MARKET:
            if symbol["filling_mode"] & c.FILLING_BIT_IOC:
                return c.FILLING_IOC
            if symbol["filling_mode"] & c.FILLING_BIT_FOK:
                return c.FILLING_FOK
            return c.FILLING_RETURN
        case _:
            return c.FILLING_FOK


def needs_price(symbol: Row) -> bool:
    """Whether the broker executes at the price that is asked for, or not at all."""
    return symbol["trade_exemode"] in _PRICED


def build(
    submission: Submission,
    symbol: Row,
    *,
    kind: AccountKind,
    price: Decimal | None = None,
    deviation_points: int = 20,
) -> dict[str, Any] | Unsendable:
    """The request. `price` is the quote to execute at, where `needs_price`."""
    if len(submission.tag) > COMMENT_UNITS_MAX:
        sentence = f"the tag {submission.tag!r} is longer than a comment may safely be"
        return Unsendable("tag_too_long", sentence)
    digits = symbol["digits"]
    request: dict[str, Any] = {
        "action": c.ACTION_DEAL,
        "symbol": submission.venue_symbol,
        "volume": to_float(submission.quantity),
        "type": c.ORDER_TYPE_BUY if submission.side is Side.BUY else c.ORDER_TYPE_SELL,
        "type_filling": filling(symbol),
        "type_time": c.ORDER_TIME_GTC,
        "deviation": deviation_points,
        "comment": submission.tag,
        "magic": submission.magic,
    }
    if price is not None:
        request["price"] = to_float(price, digits)
    if submission.stop_price is not None:
        request["sl"] = to_float(submission.stop_price, digits)
    if submission.take_profit_price is not None:
        request["tp"] = to_float(submission.take_profit_price, digits)
    if submission.effect is Effect.CLOSE and kind is AccountKind.HEDGING:
        if not submission.position_ref:
            sentence = "a close on a hedging account must name its position"
            return Unsendable("no_position", sentence)
        if not submission.position_ref.isdecimal():
            sentence = f"{submission.position_ref!r} is not a position of MetaTrader"
            return Unsendable("no_such_position", sentence)
        request["position"] = int(submission.position_ref)
    return request
