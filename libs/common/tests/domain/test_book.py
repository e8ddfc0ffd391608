"""The book of an account: what is open, what is over, what is expected, what is reserved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest
from argos_common.domain.book import Book, TradeView
from argos_common.domain.ids import (
    Account,
    OrderId,
    SignalId,
    Strategy,
    Symbol,
    TradeId,
    external_trade_id,
)
from argos_common.domain.instrument import Instrument
from argos_common.domain.order import (
    OrderAbsent,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderRefused,
    OrderState,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealEntry, DealRecorded
from argos_common.domain.verdict import (
    Change,
    Decision,
    Effect,
    Facts,
    Leg,
    Origin,
    VerdictGiven,
)
from argos_common.testing import builders

D = Decimal
A = Account("demo")
EURUSD = Symbol("EURUSD")
T1, T2 = TradeId("t1"), TradeId("t2")


def leg(number: int, quantity: str = "", *, close: bool = False, trade: TradeId = T1) -> Leg:
    return Leg(
        leg=number,
        trade_id=trade,
        effect=Effect.CLOSE if close else Effect.OPEN,
        side=Side.SELL if close else Side.BUY,
        quantity=D(quantity or 0),
        deadline_ns=10,
        close_all=close and not quantity,
        reserved_value=D(0) if close else D(1000),
    )


def order(number: int, effect: Effect = Effect.OPEN, attempt: int = 1) -> OrderId:
    return OrderId(f"{number}{effect.name}{attempt}")


def deal(
    order_id: OrderId | None, quantity: str, *, out: bool = False, ref: str = "p1", number: str = ""
) -> Deal:
    side = Side.SELL if out else Side.BUY
    return builders.deal(
        number or f"d{order_id}",
        D(quantity),
        side,
        D(1),
        at_ns=1,
        order_id=order_id,
        venue_order_id=f"v{order_id}",
        position=ref,
        entry=DealEntry.OUT if out else DealEntry.IN,
    )


@dataclass(slots=True)
class Story:
    """One account's book, told event by event. `step` is the instrument's quantity step."""

    step: str = "0.01"
    book: Book = field(default_factory=lambda: Book(account=A))
    oddities: list[str] = field(default_factory=list)

    def approve(self, *legs: Leg) -> None:
        instrument = Instrument(
            symbol=EURUSD,
            venue_symbol="EURUSD",
            quantity_min=D("0.01"),
            quantity_max=D(9),
            quantity_step=D(self.step or 1),
            price_tick=D("0.1"),
            contract_size=D(1),
            quote_currency="USD",
            quote_to_account=D(1),
        )
        verdict = VerdictGiven(
            account=A,
            cause_id=SignalId("c"),
            origin=Origin.SIGNAL,
            strategy=Strategy("s"),
            bot_version="v",
            symbol=EURUSD,
            decision=Decision.APPROVED,
            change=Change.ENTRY,
            reason="",
            legs=legs,
            rules=(),
            facts=Facts(now_ns=1, instrument=instrument if self.step else None),
            config_hash="",
            control_sequence=0,
            epoch=0,
            folded_sequence=0,
        )
        self.book.fold_verdict(1, verdict)

    def says(self, event: OrderEvent) -> None:
        oddity = self.book.fold_order(event, 5)
        if oddity:
            self.oddities.append(oddity)

    def claim(self, what: Leg, quantity: str = "", *, attempt: int = 1, ref: str = "") -> OrderId:
        order_id = order(what.leg, what.effect, attempt)
        self.says(
            OrderSubmitting(
                order_id=order_id,
                account=A,
                trade_id=what.trade_id,
                cause_id=SignalId("c"),
                strategy=Strategy("s"),
                bot_version="v",
                leg=what.leg,
                part=1,
                attempt=attempt,
                symbol=EURUSD,
                venue_symbol="EURUSD",
                side=what.side,
                effect=what.effect,
                quantity=D(quantity or str(what.quantity)),
                deadline_ns=10,
                control_sequence=0,
                epoch=0,
                lease="",
                tag="",
                magic=0,
                writer="w",
                claimed_at_ns=1,
                verdict_sequence=1,
                position_ref=ref,
            )
        )
        return order_id

    def fill(self, order_id: OrderId, quantity: str, *, done: bool = True, ref: str = "p1") -> None:
        self.says(
            OrderFilled(
                order_id=order_id,
                account=A,
                venue_order_id=f"v{order_id}",
                venue_position_id=ref,
                filled_quantity=D(quantity),
                average_price=D(1),
                done=done,
                evidence="answer",
                at_ns=1,
            )
        )

    def deal(self, what: Deal, trade: TradeId = T1, *, external: bool = False) -> None:
        self.book.fold_deal(
            DealRecorded(
                account=A, deal=what, trade_id=trade, how="tag", external=external, recorded_at_ns=1
            )
        )

    def refuse(self, order_id: OrderId, refusal: RefusalClass) -> None:
        self.says(
            OrderRefused(
                order_id=order_id,
                account=A,
                refusal=refusal,
                code="c",
                sentence="no",
                by_node=False,
                at_ns=1,
            )
        )

    def decline(self, what: Leg, code: str, attempt: int = 1) -> None:
        self.says(
            OrderDeclined(
                order_id=order(what.leg, what.effect, attempt),
                account=A,
                trade_id=what.trade_id,
                cause_id=SignalId("c"),
                symbol=EURUSD,
                leg=what.leg,
                part=1,
                attempt=attempt,
                code=code,
                sentence="",
                declined_at_ns=1,
            )
        )

    def hold(self, quantity: str = "1") -> TradeView:
        entry = leg(1, quantity)
        self.approve(entry)
        order_id = self.claim(entry)
        self.fill(order_id, quantity)
        self.deal(deal(order_id, quantity))
        return self.book.trades[T1]

    @property
    def owed(self) -> bool:
        return any(order.owed for order in self.book.orders.values())

    @property
    def expected(self) -> Decimal:
        trade = self.book.trades.get(T1)
        return self.book.expected(trade) if trade else D(0)


def test_an_entry_is_expected_from_its_verdict_and_held_from_its_deals() -> None:
    story = Story()
    entry = leg(1, "1")
    seen = []
    story.approve(entry)
    seen.append((story.expected, story.book.held(EURUSD), story.owed))
    order_id = story.claim(entry)
    story.fill(order_id, "1")
    seen.append((story.expected, story.book.held(EURUSD), story.owed))
    story.deal(deal(order_id, "1"))
    seen.append((story.expected, story.book.held(EURUSD), story.owed))
    # Filled and not dealt is in neither position nor anywhere else: it is owed.
    assert seen == [(D(1), D(0), False), (D(1), D(0), True), (D(1), D(1), False)]


@pytest.mark.parametrize("refusal", list(RefusalClass))
def test_a_refused_exit_of_everything_leaves_its_trade_open(refusal: RefusalClass) -> None:
    story = Story()
    story.hold()
    out = leg(2, close=True)
    story.approve(out)
    order_id = story.claim(out, "1", ref="p1")
    story.refuse(order_id, refusal)
    trade = story.book.trades[T1]
    assert (trade.closed, trade.legs[2].over, trade.position) == (False, False, D(1))
    if refusal is RefusalClass.NOTHING_TO_CLOSE:
        story.deal(deal(None, "1", out=True, number="stop"))
        assert (story.book.trades, story.book.residual) == ({}, {})
    else:
        story.decline(out, "refused", attempt=2)
        assert (trade.closed, trade.legs[2].over, story.expected) == (False, True, D(1))


def test_an_exit_of_everything_is_over_when_its_deals_are_there() -> None:
    story = Story()
    story.hold()
    out = leg(2, close=True)
    story.approve(out)
    assert story.expected == 0
    order_id = story.claim(out, "1", ref="p1")
    story.fill(order_id, "1")
    assert story.book.trades[T1].legs[2].over is False
    story.deal(deal(order_id, "1", out=True))
    assert (story.book.trades, story.book.orders, story.book.residual) == ({}, {}, {})
    assert story.book.ended[T1].legs_used == 2


def test_an_exit_in_doubt_or_presumed_absent_is_expected_to_have_left_the_position() -> None:
    story = Story()
    story.hold()
    out, again = leg(2, close=True), leg(3, close=True)
    story.approve(out)
    lost = story.claim(out, "1", ref="p1")
    assert story.expected == 0
    story.says(OrderInDoubt(order_id=lost, account=A, cause="?", at_ns=1))
    assert story.expected == D(1)
    story.says(OrderPresumedAbsent(order_id=lost, account=A, passes=2, at_ns=1))
    assert story.expected == D(1)
    # The next exit finds what the first one left, and nothing is expected beyond it.
    story.approve(again)
    assert story.expected == 0
    order_id = story.claim(again, "1", ref="p1")
    story.fill(order_id, "1")
    story.deal(deal(order_id, "1", out=True))
    assert story.expected == 0


def test_a_partial_exit_in_doubt_takes_nothing_away_until_it_is_known() -> None:
    story = Story()
    story.hold()
    part = leg(2, "0.4", close=True)
    story.approve(part)
    lost = story.claim(part, "0.4", ref="p1")
    assert story.expected == D("0.6")
    story.says(OrderInDoubt(order_id=lost, account=A, cause="?", at_ns=1))
    assert story.expected == D(1)
    story.fill(lost, "0.4")
    assert story.expected == D("0.6")


def test_less_than_a_step_is_left_behind_and_counted() -> None:
    story = Story()
    story.hold("1")
    out = leg(2, close=True)
    story.approve(out)
    order_id = story.claim(out, "0.995", ref="p1")
    story.fill(order_id, "0.995")
    story.deal(deal(order_id, "0.995", out=True))
    assert (story.book.trades, story.book.residual) == ({}, {EURUSD: D("0.005")})
    assert story.book.held(EURUSD) == D("0.005")


def test_more_than_a_step_left_keeps_the_exit_going() -> None:
    story = Story()
    story.hold("1")
    out = leg(2, close=True)
    story.approve(out)
    order_id = story.claim(out, "0.9", ref="p1")
    story.fill(order_id, "0.9")
    story.deal(deal(order_id, "0.9", out=True))
    assert (story.book.trades[T1].closed, story.expected) == (False, D(0))


def test_dust_that_cannot_be_closed_closes_the_trade() -> None:
    story = Story()
    story.hold("0.005")
    out = leg(2, close=True)
    story.approve(out)
    story.decline(out, "nothing_to_close")
    assert (story.book.trades, story.book.residual) == ({}, {EURUSD: D("0.005")})


def test_dust_that_the_broker_closes_after_all_is_the_trades_own() -> None:
    story = Story()
    story.hold("0.005")
    out = leg(2, close=True)
    story.approve(out)
    story.decline(out, "nothing_to_close")
    stop_out = deal(None, "0.005", number="x", out=True)
    assert story.book.attribute(stop_out) == (T1, "ticket", False)
    story.deal(stop_out)
    assert (story.book.trades, story.book.residual) == ({}, {})


def test_an_entry_in_doubt_keeps_a_trade_open_that_an_exit_emptied() -> None:
    story = Story()
    story.hold()
    add, out = leg(2, "1"), leg(3, close=True)
    story.approve(add)
    doubtful = story.claim(add)
    story.says(OrderInDoubt(order_id=doubtful, account=A, cause="?", at_ns=1))
    story.approve(out)
    order_id = story.claim(out, "1", ref="p1")
    story.fill(order_id, "1")
    story.deal(deal(order_id, "1", out=True))
    trade = story.book.trades[T1]
    assert (trade.closed, trade.legs[3].over, trade.position) == (False, False, D(0))
    story.fill(doubtful, "1", ref="p2")
    story.deal(deal(doubtful, "1", ref="p2"))
    assert (trade.positions, trade.legs[3].over) == ({"p2": D(1)}, False)


def test_a_fill_after_presumed_absence_opens_a_closed_trade_again() -> None:
    story = Story()
    entry, out = leg(1, "1"), leg(2, close=True)
    story.approve(entry)
    order_id = story.claim(entry)
    story.says(OrderInDoubt(order_id=order_id, account=A, cause="?", at_ns=1))
    story.says(OrderPresumedAbsent(order_id=order_id, account=A, passes=2, at_ns=1))
    story.approve(out)
    story.decline(out, "nothing_to_close")
    # A leg that is not over keeps what is reserved for it.
    assert (story.expected, story.book.trades[T1].legs[1].over) == (D(0), False)
    story.fill(order_id, "1")
    assert (story.expected, len(story.oddities)) == (D(1), 1)
    story.deal(deal(order_id, "1"))
    assert (story.expected, story.book.trades[T1].position) == (D(1), D(1))


def test_a_deal_of_a_trade_that_ended_wakes_it() -> None:
    story = Story()
    entry = leg(1, "1")
    story.approve(entry)
    order_id = story.claim(entry)
    story.says(OrderInDoubt(order_id=order_id, account=A, cause="?", at_ns=1))
    story.says(OrderAbsent(order_id=order_id, account=A, why="sealed", at_ns=1))
    story.decline(entry, "too_late", attempt=2)
    assert story.book.trades == {}
    late = deal(order_id, "1")
    assert story.book.attribute(late) == (T1, "tag", False)
    story.deal(late)
    trade = story.book.trades[T1]
    assert (trade.position, trade.strategy, trade.legs_used) == (D(1), "s", 1)


def test_a_fill_names_the_position_before_its_deal_does() -> None:
    story = Story()
    entry = leg(1, "1")
    story.approve(entry)
    story.fill(story.claim(entry), "1", ref="p9")
    untagged = replace(deal(None, "1", ref="p9", number="x"), venue_order_id="")
    assert story.book.attribute(untagged) == (T1, "ticket", False)


def test_a_nameless_close_of_a_position_that_two_trades_shared_is_the_one_that_still_holds() -> (
    None
):
    story, second = Story(), TradeId("t2")
    story.deal(deal(OrderId("a"), "1", ref="net"))
    story.deal(deal(OrderId("b"), "2", ref="net"), second)
    story.deal(deal(OrderId("c"), "1", ref="net", out=True))
    stop_out = replace(deal(None, "2", ref="net", number="x", out=True), venue_order_id="")
    assert story.book.attribute(stop_out) == (second, "ticket", False)


def test_a_foreign_position_stays_foreign_after_it_ended() -> None:
    story = Story()
    first = deal(None, "1", ref="hand", number="1")
    trade_id = external_trade_id(A, "hand")
    assert story.book.attribute(first) == (trade_id, "external", True)
    story.deal(first, trade_id, external=True)
    story.deal(deal(None, "1", ref="hand", number="2", out=True), trade_id, external=True)
    assert story.book.trades == {}
    assert story.book.attribute(deal(None, "1", ref="hand", number="3")) == (
        trade_id,
        "ticket",
        True,
    )


def test_an_order_event_without_a_submission_is_an_oddity_and_changes_nothing() -> None:
    story = Story()
    story.fill(OrderId("x"), "1")
    assert story.oddities == ["order x: OrderFilled without a submission"]
    assert story.book == Book(account=A)


def test_an_illegal_event_takes_its_number_and_changes_nothing_else() -> None:
    story = Story()
    entry = leg(1, "1")
    story.approve(entry)
    order_id = story.claim(entry)
    story.says(OrderAbsent(order_id=order_id, account=A, why="?", at_ns=1))
    order_view = story.book.orders[order_id]
    assert (order_view.state, order_view.next_number) == (OrderState.SUBMITTING, 3)
    assert story.oddities == [f"order {order_id}: OrderAbsent while SUBMITTING"]


def test_the_open_trade_of_a_strategy_is_the_youngest_whatever_the_order_kept() -> None:
    story = Story()
    story.approve(leg(1, "1", trade=T2))
    story.book.trades[T2].legs[1].verdict_sequence = 5
    story.approve(leg(1, "1", trade=T1))
    for order_kept in (sorted(story.book.trades), sorted(story.book.trades, reverse=True)):
        story.book.trades = {each: story.book.trades[each] for each in order_kept}
        found = story.book.open_trade("s", "EURUSD")
        assert found is not None
        assert found.trade_id == T2


def test_an_exit_of_more_than_is_left_is_not_expected_to_turn_the_position() -> None:
    story = Story()
    story.hold("1")
    first, second = leg(2, "0.8", close=True), leg(3, "0.6", close=True)
    story.approve(first, second)
    order_id = story.claim(second, ref="p1")
    story.fill(order_id, "0.6")
    story.deal(deal(order_id, "0.6", out=True))
    # 0.4 is held and 0.8 is still to be closed: nothing will be held, and never a short.
    assert story.expected == 0
