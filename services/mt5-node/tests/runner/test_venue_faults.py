"""What the venue says when the terminal or the broker misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from argos_common.domain.node import Evidence, Question, Result, Submission
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import NodeUnavailable
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.harness import HEDGING, NETTING

Maker = Callable[..., Submission]
Asker = Callable[..., Question]


async def found(venue: Mt5Venue, asked: Question) -> Evidence:
    """The evidence once there is some; fails after ten seconds."""
    async with asyncio.timeout(10):
        while not (evidence := await venue.search(asked)).found:  # noqa: ASYNC110 - polls the books
            await asyncio.sleep(0.02)
    return evidence


async def test_an_answer_that_never_comes_is_in_doubt_and_found_by_its_tag(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm("answer_lost", mode="hang")

    outcome = await venue.place(order)
    evidence = await venue.search(question(order))

    assert outcome.result is Result.IN_DOUBT
    assert (evidence.found, evidence.method, evidence.done) == (True, "tag", True)
    assert evidence.filled_quantity == order.quantity
    assert evidence.average_price > 0
    assert evidence.venue_position_id == evidence.venue_order_id != ""
    assert inline.sent(order) == 1


@pytest.mark.parametrize("mode", ["hang", "error"])
async def test_a_request_that_was_lost_is_in_doubt_and_conclusively_not_found(
    inline: Any, submission: Maker, question: Asker, mode: str
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm("request_lost", mode=mode)

    outcome = await venue.place(order)
    evidence = await venue.search(question(order))

    assert outcome.result is Result.IN_DOUBT
    assert (evidence.found, evidence.conclusive) == (False, True)
    assert inline.sent(order) == 0


async def test_a_timeout_may_fill_late_and_is_found_then(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm("late_fill", after_ms=300)

    outcome = await venue.place(order)
    early = await venue.search(question(order))
    late = await found(venue, question(order))

    assert (outcome.result, outcome.code) == (Result.IN_DOUBT, "TIMEOUT")
    assert not early.found
    assert (late.done, late.filled_quantity) == (True, order.quantity)


async def test_placed_is_accepted_not_filled(inline: Any, submission: Maker) -> None:
    inline.arm("late_fill", retcode=10008)
    outcome = await inline.venue().place(submission())
    assert (outcome.result, outcome.filled_quantity) == (Result.ACCEPTED, 0)


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        ("requote", RefusalClass.REQUOTE),
        ("price_changed", RefusalClass.REQUOTE),
        ("no_quotes", RefusalClass.REQUOTE),
        ("market_closed", RefusalClass.MARKET_CLOSED),
        ("too_many_requests", RefusalClass.RATE_LIMIT),
        ("rejected", RefusalClass.VENUE_ERROR),
    ],
)
async def test_an_explicit_refusal_is_one(
    inline: Any, submission: Maker, fault: str, refusal: RefusalClass
) -> None:
    inline.arm(fault)
    order = submission()
    outcome = await inline.venue().place(order)
    assert (outcome.result, outcome.refusal) == (Result.REFUSED, refusal)
    assert outcome.sentence
    assert inline.sent(order) == 0


@pytest.mark.parametrize("fault", ["no_connection", "processing_error", "locked"])
@pytest.mark.parametrize("executed", [0, 1])
async def test_an_unsure_answer_is_in_doubt_whether_or_not_it_was_executed(
    inline: Any, submission: Maker, question: Asker, fault: str, executed: int
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm(fault, executed=executed)
    outcome = await venue.place(order)
    assert outcome.result is Result.IN_DOUBT
    assert (await venue.search(question(order))).found == bool(executed)


async def test_a_part_is_done_because_the_rest_is_cancelled(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm("partial_fill", percent=50)
    outcome = await venue.place(order)
    evidence = await venue.search(question(order))
    assert (outcome.result, outcome.filled_quantity) == (Result.DONE, Decimal("0.05"))
    assert (evidence.done, evidence.filled_quantity) == (True, Decimal("0.05"))


async def test_done_without_a_price_is_completed_from_its_deals(
    inline: Any, submission: Maker
) -> None:
    inline.arm("deal_lag", count=None, min_ms=60, max_ms=60)
    inline.arm("bare_done")
    order = submission()
    outcome = await inline.venue().place(order)
    assert (outcome.result, outcome.filled_quantity) == (Result.DONE, order.quantity)
    assert outcome.average_price > 0


async def test_done_without_a_price_is_only_accepted_while_its_deals_do_not_show(
    inline: Any, submission: Maker, question: Asker
) -> None:
    inline.arm("deal_lag", count=None, min_ms=5000, max_ms=5000)
    inline.arm("bare_done")
    venue, order = inline.venue(), submission()
    outcome = await venue.place(order)
    assert (outcome.result, outcome.filled_quantity) == (Result.ACCEPTED, 0)
    assert outcome.venue_order_id


async def test_an_erased_comment_leaves_the_number(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    inline.arm("comment_erased")
    await venue.place(order)
    evidence = await venue.search(question(order))
    assert (evidence.found, evidence.method) == (True, "tag")
    assert [deal.order_id for deal in (await venue.deals(0)).deals] == [order.order_id]


@pytest.mark.parametrize("comment", ["comment_erased", "comment_truncated"])
async def test_without_tag_and_number_the_fingerprint_finds_one_order_but_never_one_of_two(
    inline: Any, submission: Maker, question: Asker, comment: str
) -> None:
    venue, first, second = inline.venue(), submission(), submission()
    for order in (first, second):
        inline.arm(comment)
        inline.arm("magic_zeroed")
        await venue.place(order)
        if order is first:
            alone = await venue.search(question(first))
    both = await venue.search(question(first))

    assert (alone.found, alone.method) == (True, "fingerprint")
    if comment == "comment_erased":
        assert (both.found, both.conclusive) == (False, False)
        assert "more than one" in both.sentence
    else:
        assert both.venue_order_id == alone.venue_order_id


async def test_another_orders_trade_is_never_taken_by_fingerprint(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, sent, lost = inline.venue(), submission(), submission()
    await venue.place(sent)
    evidence = await venue.search(question(lost))
    assert (evidence.found, evidence.conclusive) == (False, True)


async def test_a_disconnected_terminal_is_not_asked_to_send_and_proves_nothing(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    await venue.deals(0)
    inline.arm("disconnected", count=None, history_delay_ms=0)

    outcome = await venue.place(order)
    evidence = await venue.search(question(order))
    snapshot = await venue.snapshot()
    inline.clear("disconnected")
    again = await venue.place(submission())

    assert (outcome.refusal, outcome.code) == (RefusalClass.NODE_GATE, "terminal_barred")
    assert "not connected" in outcome.sentence
    assert (evidence.found, evidence.conclusive) == (False, False)
    assert (snapshot.complete, snapshot.facts.ready) == (False, False)
    assert again.result is Result.DONE
    assert inline.sent(order) == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("autotrading_off", "Algo Trading"),
        ("api_disabled", "API"),
        ("expert_off", "disabled automated trading"),
        ("trade_disabled", "may not trade"),
    ],
)
async def test_a_terminal_that_may_not_trade_is_not_ready_and_says_why(
    inline: Any, submission: Maker, fault: str, words: str
) -> None:
    inline.arm(fault, count=None)
    venue, order = inline.venue(), submission()
    outcome = await venue.place(order)
    facts = (await venue.snapshot()).facts
    assert (outcome.result, outcome.code) == (Result.REFUSED, "terminal_barred")
    assert not facts.ready
    assert words in outcome.sentence
    assert words in facts.reason
    assert inline.sent(order) == 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"login": 777}, "logged in to 10001, configured is 777"),
        ({"server": "Elsewhere"}, "configured is Elsewhere"),
        ({"live": True}, "it holds no real money"),
        ({"currency": "EUR"}, "configured is EUR"),
    ],
)
async def test_the_wrong_account_gets_no_order_and_shows_nothing(
    inline: Any, submission: Maker, question: Asker, wrong: dict[str, Any], words: str
) -> None:
    venue, order = inline.venue(**wrong), submission()
    outcome = await venue.place(order)
    assert outcome.code == "terminal_barred"
    assert words in outcome.sentence
    with pytest.raises(NodeUnavailable, match=words):
        await venue.search(question(order))
    assert inline.sent(order) == 0


async def test_a_terminal_that_answers_no_read_makes_no_claim(
    inline: Any, submission: Maker, question: Asker
) -> None:
    venue, order = inline.venue(), submission()
    await venue.deals(0)
    inline.arm("read_error", count=None)
    with pytest.raises(NodeUnavailable):
        await venue.search(question(order))
    assert (await venue.place(order)).refusal is RefusalClass.NODE_GATE
    assert inline.sent(order) == 0


async def test_a_hedging_close_is_of_its_position_and_self_limiting(
    inline: Any, submission: Maker
) -> None:
    venue = inline.venue()
    opened = await venue.place(submission())
    close = submission(side=Side.SELL, effect=Effect.CLOSE, position_ref=opened.venue_position_id)
    closed = await venue.place(close)
    again = await venue.place(submission(
        side=Side.SELL, effect=Effect.CLOSE, position_ref=opened.venue_position_id
    ))  # fmt: skip

    assert closed.result is Result.DONE
    assert closed.venue_position_id == opened.venue_position_id
    assert (again.result, again.refusal) == (Result.REFUSED, RefusalClass.NOTHING_TO_CLOSE)
    assert (await venue.snapshot()).positions == ()


async def test_a_position_whose_ticket_changed_overnight_is_still_closed(
    inline: Any, submission: Maker
) -> None:
    venue = inline.venue()
    opened = await venue.place(submission())
    inline.broker.rollover(10_001, inline.clock.now_ns(), reopen=True)
    position = next(iter(inline.broker.book(10_001).positions.values()))
    assert str(position.ticket) != opened.venue_position_id == str(position.identifier)

    closed = await venue.place(
        submission(side=Side.SELL, effect=Effect.CLOSE, position_ref=opened.venue_position_id)
    )

    assert closed.result is Result.DONE
    assert (await venue.snapshot()).positions == ()


async def test_a_netting_account_nets(inline: Any, submission: Maker) -> None:
    venue = inline.venue(NETTING)
    await venue.place(submission())
    await venue.place(submission(quantity=Decimal("0.3"), side=Side.SELL))
    (position,) = (await venue.snapshot()).positions
    assert (position.quantity, position.order_id) == (Decimal("-0.2"), None)
    deals = (await venue.deals(0)).deals
    assert [deal.position_delta for deal in deals] == [Decimal("0.1"), Decimal("-0.3")]
    assert venue.capabilities.self_limiting_close is False


async def test_an_unknown_symbol_is_refused_for_good(inline: Any, submission: Maker) -> None:
    outcome = await inline.venue().place(submission(venue_symbol="NOPE"))
    assert (outcome.refusal, outcome.code) == (RefusalClass.FINAL, "unknown_symbol")


async def test_the_facts_describe_symbols_in_the_accounts_currency(inline: Any) -> None:
    venue = inline.venue()
    async with asyncio.timeout(10):
        async for item in venue.watch():
            if getattr(item, "ready", False):
                facts = item
                break
    instruments = {each.symbol: each for each in facts.instruments}
    yen = instruments["USDJPY"]
    quote = next(each for each in facts.quotes if each.symbol == "USDJPY")
    assert instruments["EURUSD"].quote_to_account == 1
    assert abs(yen.quote_to_account * quote.bid - 1) < Decimal("0.01")
    assert yen.price_tick == Decimal("0.001")
    assert len(facts.quotes) == 3


async def test_deals_are_watched_as_they_become_visible_stops_too(
    inline: Any, submission: Maker
) -> None:
    venue = inline.venue()
    inline.arm("deal_lag", count=None, min_ms=150, max_ms=150)
    watching = venue.watch()
    facts = [await anext(watching)]
    order = submission(stop_price=Decimal("1.0"))
    outcome = await venue.place(order)
    inline.broker.script("EURUSD", "set", inline.clock.now_ns(), Decimal("0.99"))

    deals: list[Any] = []
    async with asyncio.timeout(10):
        while len(deals) < 2:
            item = await anext(watching)
            (deals if hasattr(item, "deal_id") else facts).append(item)

    assert [deal.reason.name for deal in deals] == ["OURS", "STOP_LOSS"]
    assert [deal.order_id for deal in deals] == [order.order_id, None]
    assert {deal.venue_position_id for deal in deals} == {outcome.venue_position_id}
    assert [deal.position_delta for deal in deals] == [Decimal("0.1"), Decimal("-0.1")]
    now_ns = inline.clock.now_ns()
    assert all(abs(now_ns - deal.venue_time_ns) < 60_000_000_000 for deal in deals)


async def test_a_terminal_logged_in_to_another_account_shows_no_deals_of_it(
    inline: Any, submission: Maker
) -> None:
    venue, path = inline.venue(), f"C:\\{HEDGING}"
    watching = venue.watch()
    async with asyncio.timeout(10):
        while not getattr(await anext(watching), "ready", False):
            pass
        inline.desk.sessions[path].login = NETTING
        await inline.venue(NETTING).place(submission())
        looked: list[Any] = [await anext(watching) for _ in range(3)]
        inline.desk.sessions[path].login = HEDGING
        own = await venue.place(submission())
        while not hasattr(looked[-1], "deal_id"):
            looked.append(await anext(watching))
    assert own.venue_position_id == looked[-1].venue_position_id
    assert sum(hasattr(item, "deal_id") for item in looked) == 1


async def test_what_is_given_up_is_over(inline: Any, submission: Maker) -> None:
    venue = inline.venue()
    assert await venue.abandon(replace(submission()).order_id)
