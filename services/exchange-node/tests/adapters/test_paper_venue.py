"""The paper venue behind the last hop's port: faults, memory on disk, refusals in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol, tag
from argos_common.domain.node import Outcome, Question, Result, Submission
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealReason
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import NodeUnavailable
from argos_exchange_node.adapters.memory_store import MemoryStore
from argos_exchange_node.adapters.paper import Faults, PaperVenue
from argos_exchange_node.adapters.sqlite_store import SqliteStore
from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.core.exchange import FeeHabit, Fees
from argos_exchange_node.core.market import Market
from argos_exchange_node.settings import MARKETS

SECOND = 1_000_000_000
ID = "abcdefghijklm"
BTC = replace(MARKETS[0], swing=Decimal(0))


class StillClock:
    """Virtual time: moves when somebody sleeps, or is told to."""

    def __init__(self) -> None:
        self.at_ns = 1_000 * SECOND

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        self.at_ns += int(seconds * SECOND)


def account(market: Market = BTC) -> PaperAccount:
    return PaperAccount(
        account=Account("paper"),
        currency="USD",
        markets=(market,),
        fees=Fees(Decimal("0.001"), FeeHabit.BASE),
        seed=1,
        balances={"USD": Decimal(100_000)},
    )


@pytest.fixture
async def venue() -> AsyncIterator[PaperVenue]:
    venue = PaperVenue(account(), MemoryStore(), StillClock())
    await venue.start()
    yield venue
    await venue.stop()


def buy(**changes: object) -> Submission:
    base = Submission(
        order_id=OrderId(ID),
        account=Account("paper"),
        strategy=Strategy("trend"),
        symbol=Symbol("BTCUSD"),
        venue_symbol="BTCUSD",
        side=Side.BUY,
        effect=Effect.OPEN,
        quantity=Decimal("0.1"),
        deadline_ns=2_000 * SECOND,
        budget_ns=SECOND,
        epoch=0,
        lease="",
        tag=tag(ID),
        magic=1,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # named by the test


def question(order: Submission) -> Question:
    return Question(
        order_id=order.order_id,
        account=order.account,
        symbol=order.symbol,
        venue_symbol=order.venue_symbol,
        side=order.side,
        effect=order.effect,
        quantity=order.quantity,
        since_ns=0,
        tag=order.tag,
        magic=order.magic,
    )


async def test_a_fill_is_reported_as_answer_deal_and_balance(venue: PaperVenue) -> None:
    outcome = await venue.place(buy())

    assert outcome == Outcome(
        order_id=buy().order_id,
        result=Result.DONE,
        venue_order_id="1001",
        venue_position_id="BTCUSD",
        filled_quantity=Decimal("0.1"),
        average_price=Decimal("60002.00"),
    )
    (deal,) = (await venue.deals(0)).deals
    assert (deal.fee, deal.fee_asset) == (Decimal("-0.0001"), "BTC")
    assert (deal.position_delta, deal.comment) == (Decimal("0.0999"), tag(ID))
    snapshot = await venue.snapshot()
    held = {each.asset: each.total for each in snapshot.balances}
    assert held == {"BTC": Decimal("0.0999"), "USD": Decimal("93999.800")}
    assert snapshot.facts.equity == held["USD"] + held["BTC"] * Decimal("59998.00")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"side": Side.SELL}, RefusalClass.FINAL),
        ({"effect": Effect.CLOSE}, RefusalClass.FINAL),
        ({"venue_symbol": "DOGE"}, RefusalClass.FINAL),
        ({"quantity": Decimal(50)}, RefusalClass.NO_MONEY),
        ({"side": Side.SELL, "effect": Effect.CLOSE}, RefusalClass.NOTHING_TO_CLOSE),
    ],
)
async def test_what_a_spot_account_cannot_do_is_refused(
    venue: PaperVenue, changes: dict[str, object], refusal: RefusalClass
) -> None:
    outcome = await venue.place(replace(buy(), **changes))  # type: ignore[arg-type]  # named above

    assert (outcome.result, outcome.refusal) == (Result.REFUSED, refusal)
    assert outcome.sentence
    assert venue.books.trades == []


async def test_a_lost_answer_leaves_an_order_that_can_be_found(venue: PaperVenue) -> None:
    venue.faults = Faults(lose_answers=1)

    outcome = await venue.place(buy())
    evidence = await venue.search(question(buy()))

    assert outcome.result is Result.IN_DOUBT
    assert (evidence.found, evidence.method, evidence.done) == (True, "tag", True)


async def test_a_lost_call_leaves_nothing(venue: PaperVenue) -> None:
    venue.faults = Faults(lose_calls=1)

    outcome = await venue.place(buy())
    evidence = await venue.search(question(buy()))

    assert outcome.result is Result.IN_DOUBT
    assert (evidence.found, evidence.conclusive) == (False, True)


async def test_what_lags_is_not_seen_before_its_time(venue: PaperVenue) -> None:
    venue.faults = Faults(lag_ns=5 * SECOND)
    await venue.place(buy())

    early = await venue.deals(0), (await venue.search(question(buy()))).found
    await venue._clock.sleep(5)
    late = await venue.deals(0), (await venue.search(question(buy()))).found

    assert (early[0].deals, early[0].complete, early[1]) == ((), False, False)
    assert (len(late[0].deals), late[0].complete, late[1]) == (1, True, True)


async def test_nothing_is_hidden_because_the_clock_was_set_back(venue: PaperVenue) -> None:
    venue.faults = Faults(lag_ns=5 * SECOND)
    await venue.place(buy())
    await venue._clock.sleep(-3600)

    found = await venue.deals(0), (await venue.search(question(buy()))).found

    assert (len(found[0].deals), found[0].complete, found[1]) == (1, True, True)


async def test_a_disconnected_venue_says_nothing(venue: PaperVenue) -> None:
    venue.faults = Faults(disconnected=True)

    assert (await venue.place(buy())).result is Result.IN_DOUBT
    for asking in (venue.search(question(buy())), venue.snapshot(), venue.deals(0)):
        with pytest.raises(NodeUnavailable):
            await asking


async def test_a_stop_becomes_a_deal_of_the_venue_in_the_watch(venue: PaperVenue) -> None:
    await venue.place(buy(stop_price=Decimal(59_990)))
    stream = venue.watch()
    assert not isinstance(await anext(stream), Deal)
    still = venue._paper.markets[0]
    lower = replace(still, base_price=Decimal(50_000))
    venue._paper = account(lower)
    venue._markets = {lower.venue_symbol: lower}

    item = await anext(stream)
    while not isinstance(item, Deal):
        item = await anext(stream)

    assert (item.reason, item.side) == (DealReason.STOP_LOSS, Side.SELL)
    assert item.quantity == Decimal("0.0999")
    assert (await venue.snapshot()).working_orders == ()
    await stream.aclose()


async def test_the_books_are_the_same_after_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "venue.sqlite", StillClock()
    first = PaperVenue(account(), SqliteStore(path), clock)
    await first.start()
    await first.place(buy(stop_price=Decimal(50_000)))
    await first.stop()

    second = PaperVenue(account(), SqliteStore(path), clock)
    await second.start()

    assert second.books == first.books
    assert [each.status for each in second.books.orders.values()] != []
    with pytest.raises(OurMistake, match="already runs the paper venue"):
        SqliteStore(path)
    await second.stop()


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "venue.sqlite"
    path.write_bytes(b"this is not a database, it is a sentence about one" * 100)

    with pytest.raises(OurMistake, match="cannot be read"):
        SqliteStore(path)
