"""Is there any trace of one order in what the terminal shows?

Rules:
1. By its tag in a comment; else by its number in magic; else by fingerprint: an order on the same
   symbol, of the same side and first volume, set up in the window in which it could have been, made
   by a program, and claimed by no other order (no other tag, no other magic; a cut-off tag must be
   the beginning of ours). On a hedging account a close must be of its position.
2. What the broker made itself (stop, target, stop-out) is never ours, whatever it carries.
3. Two fingerprints that fit are no evidence at all: `ambiguous`.
4. Found is not done. It is done when an order is over and the deals of all that it filled are seen,
   or when the deals add up to what was asked. So a quantity or price is never made up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.ids import TAG_MARK, magic_matches, order_id_of_tag
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Question
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Row
from argos_mt5_node.core.numbers import to_decimal
from argos_mt5_node.core.server_time import to_utc_ns

WINDOW_BEFORE_NS = 10 * 1_000_000_000
WINDOW_AFTER_NS = 900 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the terminal shows, as records."""

    orders: Sequence[Row]
    positions: Sequence[Row]
    history: Sequence[Row]
    deals: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What was found of an order. `ambiguous`: more than one thing could be it."""

    found: bool = False
    ambiguous: bool = False
    method: str = ""
    working: bool = False
    done: bool = False
    venue_order_id: str = ""
    venue_position_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)


def search(question: Question, books: Books, kind: AccountKind, offset_ns: int) -> Trace:
    """Everything there is of the order."""
    for is_ours in (_has_tag, _has_magic):
        ticket = _ticket(question, books, kind, is_ours)
        if ticket:
            return _trace(question, books, ticket, "tag")
    orders = [
        row for row in (*books.orders, *books.history) if _fits(row, question, kind, offset_ns)
    ]
    tickets = list(dict.fromkeys(row["ticket"] for row in orders))
    if len(tickets) == 1:
        return _trace(question, books, tickets[0], "fingerprint")
    return Trace(ambiguous=len(tickets) > 1)


def _ticket(
    question: Question,
    books: Books,
    kind: AccountKind,
    is_ours: Callable[[Row, Question], bool],
) -> int:
    """The order's ticket in whatever shows it; 0 if nothing does."""
    kinds = [(books.orders, "ticket"), (books.history, "ticket"), (books.deals, "order")]
    if kind is AccountKind.HEDGING:  # a position's identifier is the ticket of what opened it
        kinds.append((books.positions, "identifier"))
    for rows, name in kinds:
        for row in rows:
            if row["reason"] not in c.REASONS_OF_VENUE and is_ours(row, question):
                return int(row[name])
    return 0


def _has_tag(row: Row, question: Question) -> bool:
    return order_id_of_tag(row["comment"]) == question.order_id


def _has_magic(row: Row, question: Question) -> bool:
    other_tag = order_id_of_tag(row["comment"]) not in (None, question.order_id)
    return not other_tag and magic_matches(row["magic"], question.order_id)


def _fits(row: Row, question: Question, kind: AccountKind, offset_ns: int) -> bool:
    side = Side.BUY if row["type"] in c.BUYING_TYPES else Side.SELL
    set_up_ns = to_utc_ns(row["time_setup_msc"], offset_ns)
    return (
        row["symbol"] == question.venue_symbol
        and side is question.side
        and row["reason"] == c.REASON_EXPERT
        and to_decimal(row["volume_initial"]) == question.quantity
        and -WINDOW_BEFORE_NS <= set_up_ns - question.since_ns <= WINDOW_AFTER_NS
        and _unclaimed(row, question)
        and _of_position(row, question, kind)
    )


def _unclaimed(row: Row, question: Question) -> bool:
    comment = row["comment"]
    if row["magic"] and not magic_matches(row["magic"], question.order_id):
        return False
    return not comment.startswith(TAG_MARK) or question.tag.startswith(comment)


def _of_position(row: Row, question: Question, kind: AccountKind) -> bool:
    if kind is not AccountKind.HEDGING:
        return True
    if question.effect is Effect.CLOSE:
        return str(row["position_id"]) == question.position_ref
    return row["position_id"] in (0, row["ticket"])


def _trace(question: Question, books: Books, ticket: int, method: str) -> Trace:
    deals = [row for row in books.deals if row["order"] == ticket]
    working = any(row["ticket"] == ticket for row in books.orders)
    order = next((row for row in books.history if row["ticket"] == ticket), None)
    filled = sum((to_decimal(row["volume"]) for row in deals), Decimal(0))
    value = sum((to_decimal(row["volume"]) * to_decimal(row["price"]) for row in deals), Decimal(0))
    done = filled >= question.quantity
    if order is not None and not working and order["state"] in c.STATES_OVER:
        expected = to_decimal(order["volume_initial"]) - to_decimal(order["volume_current"])
        done = done or filled >= expected
    position = next((row["position_id"] for row in deals if row["position_id"]), 0)
    if not position and order is not None:
        position = order["position_id"]
    return Trace(
        found=True,
        method=method,
        working=working,
        done=done,
        venue_order_id=str(ticket),
        venue_position_id=str(position) if position else "",
        filled_quantity=filled,
        average_price=to_decimal(value / filled) if filled else Decimal(0),
    )
