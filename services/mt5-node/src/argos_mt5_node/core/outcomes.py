"""The answer to a send, as an outcome.

Rules:
1. Only what the retcode table says counts; see `retcode`.
2. An execution is DONE only with its quantity and price. The broker may answer "done" without them;
   then the order is ACCEPTED until its deals show both.
3. What the filling mode leaves over is cancelled (IOC, FOK), so a part is DONE; in exchange
   execution (RETURN) the rest keeps working, so a part is ACCEPTED.
4. On a hedging account the position of an order that opens is named by the order's own ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Outcome, Result, Submission
from argos_common.domain.order import RefusalClass
from argos_common.domain.verdict import Effect

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Answer, Row
from argos_mt5_node.core.numbers import to_decimal
from argos_mt5_node.core.retcode import Meaning, of_error, of_retcode


def refused(submission: Submission, refusal: RefusalClass, code: str, sentence: str) -> Outcome:
    return Outcome(
        order_id=submission.order_id,
        result=Result.REFUSED,
        refusal=refusal,
        code=code,
        sentence=sentence,
    )


def not_asked(submission: Submission, code: str, sentence: str) -> Outcome:
    """Nothing was sent, and why."""
    return refused(submission, RefusalClass.NODE_GATE, code, sentence)


def judge(submission: Submission, answer: Answer, kind: AccountKind, filling: int) -> Outcome:
    """What `order_send` answered. ACCEPTED if executed without its price: see `with_deals`."""
    row = answer.row
    if row is None:
        return _plain(submission, of_error(answer.code, answer.text), "")
    meaning = of_retcode(row["retcode"])
    said = row["comment"]
    outcome = _plain(submission, meaning, f' (the broker said "{said}")' if said else "")
    if meaning.result not in (Result.DONE, Result.ACCEPTED):
        return outcome
    outcome = _located(submission, outcome, row["order"], kind)
    if meaning.result is Result.ACCEPTED:
        return outcome
    quantity, price = to_decimal(row["volume"]), to_decimal(row["price"])
    if not quantity or not price:
        return replace(outcome, result=Result.ACCEPTED)
    rests = filling == c.FILLING_RETURN and quantity < submission.quantity
    return replace(
        outcome,
        result=Result.ACCEPTED if rests else Result.DONE,
        filled_quantity=quantity,
        average_price=price,
    )


def with_deals(submission: Submission, outcome: Outcome, deals: Sequence[Row]) -> Outcome | None:
    """The outcome completed by its deals, once they add up to all of it; None until then."""
    ours = [row for row in deals if str(row["order"]) == outcome.venue_order_id]
    filled = sum((to_decimal(row["volume"]) for row in ours), Decimal(0))
    if not ours or filled < submission.quantity:
        return None
    value = sum((to_decimal(row["volume"]) * to_decimal(row["price"]) for row in ours), Decimal(0))
    position = next((str(row["position_id"]) for row in ours if row["position_id"]), "")
    return replace(
        outcome,
        result=Result.DONE,
        venue_position_id=position or outcome.venue_position_id,
        filled_quantity=filled,
        average_price=to_decimal(value / filled),
    )


def _plain(submission: Submission, meaning: Meaning, said: str) -> Outcome:
    quiet = meaning.result in (Result.DONE, Result.ACCEPTED)
    return Outcome(
        order_id=submission.order_id,
        result=meaning.result,
        refusal=meaning.refusal,
        code=meaning.name,
        sentence="" if quiet else f"{meaning.sentence}{said}",
    )


def _located(submission: Submission, outcome: Outcome, ticket: int, kind: AccountKind) -> Outcome:
    order = str(ticket) if ticket else ""
    position = ""
    if kind is AccountKind.HEDGING:
        closes = submission.effect is Effect.CLOSE
        position = submission.position_ref if closes else order
    return replace(outcome, venue_order_id=order, venue_position_id=position)
