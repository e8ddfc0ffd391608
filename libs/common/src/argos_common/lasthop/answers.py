"""What the last hop answers, as values: from its journal, from evidence, from a closed gate."""

from __future__ import annotations

from dataclasses import replace

from argos_common.domain.ids import OrderId
from argos_common.domain.node import Evidence, Journaled, Outcome, Result, Seal
from argos_common.domain.order import Hops, RefusalClass
from argos_common.lasthop.contract import in_doubt
from argos_common.lasthop.gates import Refusal
from argos_common.lasthop.journal import Entry

SEALED = Refusal("sealed", "the order was sealed before it was sent, so it never will be")


def refused(order_id: OrderId, refusal: Refusal, hops: Hops) -> Outcome:
    """The node says no; the venue was never asked."""
    return Outcome(
        order_id=order_id,
        result=Result.REFUSED,
        refusal=RefusalClass.NODE_GATE,
        code=refusal.code,
        sentence=refusal.sentence,
        by_node=True,
        hops=hops,
    )


def on_record(entry: Entry, content: str = "") -> Outcome:
    """The answer to a repeat of an id that the journal knows; `content` is the repeat's digest."""
    if content and entry.digest and content != entry.digest:
        return other_content(entry.order_id)
    if entry.state is Journaled.SEALED:
        return refused(entry.order_id, SEALED, Hops())
    if entry.outcome is not None:
        return entry.outcome
    sentence = "the call to the venue was begun and no answer is on record"
    return in_doubt(entry.order_id, "no_answer", sentence)


def other_content(order_id: OrderId) -> Outcome:
    """The id is known, but for another order."""
    sentence = f"order id {order_id} came before with other content; this one was not sent"
    return in_doubt(order_id, "other_content", sentence)


def journal_failed(order_id: OrderId, error: Exception) -> Outcome:
    return in_doubt(order_id, "journal_failed", str(error))


def of_evidence(evidence: Evidence) -> Outcome:
    """An order that was found, as an answer: DONE if nothing more can fill, else ACCEPTED."""
    return Outcome(
        order_id=evidence.order_id,
        result=Result.DONE if evidence.done else Result.ACCEPTED,
        venue_order_id=evidence.venue_order_id,
        venue_position_id=evidence.venue_position_id,
        filled_quantity=evidence.filled_quantity,
        average_price=evidence.average_price,
        code="found",
        sentence=f"no answer came; the order was found by {evidence.method or 'search'}",
    )


def seen(order_id: OrderId, what: str, venue_order_id: str = "") -> Outcome:
    """An order that a report of the venue proves to exist; its fills follow from the deals."""
    return Outcome(
        order_id=order_id,
        result=Result.ACCEPTED,
        venue_order_id=venue_order_id,
        code="found",
        sentence=f"no answer came; {what} at the venue carries the order",
    )


def nothing_found(order_id: OrderId, sentence: str, as_of_ns: int) -> Evidence:
    """A search that shows nothing of the order, and proves nothing either; why."""
    return Evidence(
        order_id=order_id,
        conclusive=False,
        found=False,
        journal=Journaled.NOTHING,
        as_of_ns=as_of_ns,
        sentence=sentence,
    )


def not_it(evidence: Evidence, sentence: str) -> Evidence:
    """A search whose find turned out to be another order; as good a pass as it was."""
    nothing = nothing_found(evidence.order_id, sentence, evidence.as_of_ns)
    return replace(nothing, conclusive=evidence.conclusive)


def with_record(evidence: Evidence, entry: Entry | None, *, running: bool) -> Evidence:
    """What the venue shows, completed by what the journal knows.

    While the call may still be running, finding nothing proves nothing. What the venue once
    answered positively is found even if the venue no longer shows it.
    """
    if entry is not None:
        evidence = replace(evidence, journal=entry.state, outcome=entry.outcome)
    outcome = evidence.outcome
    if running and not evidence.found:
        sentence = "the call to the venue may still be running"
        return replace(evidence, conclusive=False, sentence=sentence)
    if evidence.found or outcome is None or outcome.result not in (Result.DONE, Result.ACCEPTED):
        return evidence
    return replace(
        evidence,
        found=True,
        method="journal",
        done=outcome.result is Result.DONE,
        working=outcome.result is Result.ACCEPTED,
        venue_order_id=outcome.venue_order_id,
        venue_position_id=outcome.venue_position_id,
        filled_quantity=outcome.filled_quantity,
        average_price=outcome.average_price,
    )


def refusal_not_kept(order_id: OrderId) -> Outcome:
    """The venue refused, but the journal could not keep that."""
    return in_doubt(order_id, "not_kept", "the venue refused, but that is not on record")


def seal_of(
    order_id: OrderId,
    at_ns: int,
    *,
    sealed: bool = False,
    never_sent: bool = False,
    sentence: str = "",
) -> Seal:
    """What a node says of an id it was asked to seal; unless `sealed`, why it could not."""
    return Seal(
        order_id=order_id, sealed=sealed, never_sent=never_sent, at_ns=at_ns, sentence=sentence
    )
