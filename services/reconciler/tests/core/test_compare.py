"""When a difference is a discrepancy, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from argos_common.domain.event import Event
from argos_common.domain.ids import TradeId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import AssetBalance, Snapshot, WorkingOrder
from argos_common.domain.order import OrderInDoubt, OrderSubmitting
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind, DiscrepancyResolved
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal
from argos_reconciler.core.compare import Watch, observe
from argos_reconciler.core.differences import (
    Thresholds,
    book_differences,
    missing_deals,
    venue_differences,
)
from argos_reconciler.core.state import State

from services.reconciler.tests.reconciler_kit import (
    CONFIG,
    DEMO,
    EURUSD,
    INSTRUMENT,
    MS,
    NOW,
    SECOND,
    D,
    deal,
    entry_story,
    filled,
    foreign,
    leg,
    position,
    signal,
    snapshot,
    submitting,
    verdict,
)

TRADE = TradeId(signal().signal_id)
Finding = DiscrepancyFound | DiscrepancyResolved
ALL = frozenset(DiscrepancyKind)


@dataclass
class Watcher:
    """The reconciler's passes, one a second, on virtual time; what it finds is put on record."""

    state: State = field(default_factory=State)
    watch: Watch = field(default_factory=Watch)
    now_ns: int = NOW
    sequence: int = 0
    live: bool = False

    def __post_init__(self) -> None:
        self.state.configure(replace(CONFIG, live=self.live), NOW)

    def says(self, *events: Event) -> Watcher:
        for event in events:
            self.sequence += 1
            self.state.fold(self.sequence, self.now_ns, event)
        return self

    def looks(self, seconds: int, shown: Snapshot | None, *listed: Deal) -> list[Finding]:
        """Pass every second; everything found on the way."""
        account = self.state.account(DEMO)
        everything: list[Finding] = []
        for _ in range(seconds):
            self.now_ns += SECOND
            missing = missing_deals(account, listed)
            differences = book_differences(account, Thresholds(), missing)
            kinds = ALL
            if shown is not None:
                differences += venue_differences(account, shown, Thresholds())
            else:
                kinds = frozenset({DiscrepancyKind.UNRESOLVED, DiscrepancyKind.MISSING_FILL})
            found = observe(
                account,
                self.watch,
                [each for each in differences if each.kind in kinds],
                kinds=kinds,
                now_ns=self.now_ns,
                log_sequence=self.sequence,
            )
            self.says(*found)
            everything.extend(found)
        return everything


def kinds_of(findings: list[Finding]) -> list[str]:
    return [each.kind.name if isinstance(each, DiscrepancyFound) else each.how for each in findings]


def holding() -> Watcher:
    """A fleet that holds one lot, as the venue should."""
    return Watcher().says(*entry_story())


def test_agreement_finds_nothing() -> None:
    assert holding().looks(60, snapshot(position())) == []


def test_a_position_that_differs_for_long_enough_is_one_discrepancy() -> None:
    world = holding()
    assert world.looks(5, snapshot(position(quantity="0.7"))) == []
    (found,) = world.looks(30, snapshot(position(quantity="0.7")))
    assert isinstance(found, DiscrepancyFound)
    assert (found.kind, found.symbol) == (DiscrepancyKind.POSITION, EURUSD)
    assert (found.expected, found.actual) == ("1", "0.7")
    assert found.sentence == ("the venue's position in EURUSD is 0.7, the deals on record say 1")
    assert found.since_ns == NOW + SECOND


def test_where_real_money_is_it_waits_longer() -> None:
    world = Watcher(live=True).says(*entry_story())
    assert world.looks(15, snapshot()) == []
    assert kinds_of(world.looks(3, snapshot())) == ["POSITION"]


def test_a_difference_that_changes_is_another_difference() -> None:
    world = holding()
    for quantity in ("0.7", "0.8", "0.7", "0.6", "0.5"):
        assert world.looks(4, snapshot(position(quantity=quantity))) == []


def test_a_difference_that_goes_away_by_itself_is_resolved_after_two_passes() -> None:
    world = holding()
    assert kinds_of(world.looks(10, snapshot())) == ["POSITION"]
    assert world.looks(1, snapshot(position())) == []
    assert kinds_of(world.looks(10, snapshot(position()))) == ["agrees again"]
    assert world.state.account(DEMO).open == {}


def test_a_venue_that_cannot_be_asked_neither_raises_nor_resolves() -> None:
    world = holding()
    assert world.looks(60, None) == []
    assert kinds_of(world.looks(10, snapshot())) == ["POSITION"]
    assert world.looks(60, None) == []


def test_the_same_difference_later_is_a_discrepancy_of_its_own() -> None:
    world = holding()
    first = world.looks(10, snapshot())
    world.looks(10, snapshot(position()))
    world.says(signal(7))
    second = world.looks(10, snapshot())
    assert kinds_of(second) == ["POSITION"]
    assert first[0].discrepancy_id != second[0].discrepancy_id


def test_two_copies_find_the_same_discrepancy() -> None:
    assert holding().looks(10, snapshot()) == holding().looks(10, snapshot())


def test_an_order_without_an_outcome_mutes_its_symbol_and_is_raised_itself() -> None:
    world = Watcher().says(signal(), verdict(signal().signal_id, (leg(TRADE),)), submitting(TRADE))
    assert world.looks(25, snapshot(position())) == []
    found = world.looks(30, snapshot(position()))
    assert kinds_of(found) == ["UNRESOLVED"]
    assert isinstance(found[0], DiscrepancyFound)
    assert found[0].order_id == submitting(TRADE).order_id


def test_an_order_that_leaves_doubt_resolves_its_discrepancy() -> None:
    asked = submitting(TRADE)
    world = Watcher().says(
        signal(),
        verdict(signal().signal_id, (leg(TRADE),)),
        asked,
        OrderInDoubt(order_id=asked.order_id, account=DEMO, cause="timeout", at_ns=NOW),
    )
    assert kinds_of(world.looks(40, None)) == ["UNRESOLVED"]
    world.says(*entry_story()[3:])
    assert kinds_of(world.looks(5, snapshot(position()))) == ["agrees again"]


def test_a_fill_without_deals_is_missing_after_its_time() -> None:
    asked = submitting(TRADE)
    world = Watcher().says(
        signal(), verdict(signal().signal_id, (leg(TRADE),)), asked, filled(asked)
    )
    assert world.looks(14, snapshot(position())) == []
    found = world.looks(30, snapshot(position()))
    assert kinds_of(found) == ["MISSING_FILL"]
    world.says(entry_story()[4])
    assert kinds_of(world.looks(5, snapshot(position()))) == ["agrees again"]


def test_a_deal_at_the_venue_that_is_not_on_record_is_missing() -> None:
    made = deal(submitting(TRADE), "d77", tagged=False)
    world = holding()
    assert world.looks(10, snapshot(position()), made) == []
    found = world.looks(30, snapshot(position()), made)
    assert kinds_of(found) == ["MISSING_FILL"]
    assert "d77" in found[0].sentence if isinstance(found[0], DiscrepancyFound) else False


def test_a_position_of_which_no_deal_is_on_record_is_unknown() -> None:
    found = holding().looks(30, snapshot(position(), position("p9", "2")))
    assert kinds_of(found) == ["UNKNOWN_POSITION"]


def test_an_external_position_on_record_is_raised_once_and_resolved_when_it_is_closed() -> None:
    world = holding().says(foreign("2"))
    found = world.looks(60, snapshot(position(), position("p9", "2")))
    assert kinds_of(found) == ["UNKNOWN_POSITION"]
    closed = foreign("-2")
    world.says(replace(closed, deal=replace(closed.deal, deal_id="d-close")))
    assert kinds_of(world.looks(10, snapshot(position()))) == ["agrees again"]


def resolved_by_a_person(found: Finding) -> DiscrepancyResolved:
    return DiscrepancyResolved(
        discrepancy_id=found.discrepancy_id,
        account=DEMO,
        symbol=EURUSD,
        how="it is mine",
        actor="ann",
        resolved_at_ns=NOW,
    )


def test_what_a_person_resolved_is_not_raised_again() -> None:
    world = holding().says(foreign("2"))
    shown = snapshot(position(), position("p9", "2"))
    (found,) = world.looks(10, shown)
    world.says(resolved_by_a_person(found))
    assert world.looks(60, shown) == []


def test_an_amount_that_a_person_accepted_is_the_new_agreement() -> None:
    world = holding()
    (found,) = world.looks(10, snapshot(position(quantity="1.5")))
    world.says(resolved_by_a_person(found))
    assert world.looks(60, snapshot(position(quantity="1.5"))) == []
    (again,) = world.looks(10, snapshot(position(quantity="1")))
    assert isinstance(again, DiscrepancyFound)
    assert (again.expected, again.actual) == ("1.5", "1")


def test_a_working_order_that_is_not_ours_is_unknown() -> None:
    resting = WorkingOrder(venue_order_id="v8", symbol=EURUSD, side=Side.SELL, quantity=D(1))
    found = holding().looks(30, snapshot(position(), orders=(resting,)))
    assert kinds_of(found) == ["UNKNOWN_ORDER"]


def test_the_stop_that_a_venue_keeps_as_an_order_is_known_while_its_trade_is_open() -> None:
    (entry,) = (each for each in entry_story() if isinstance(each, OrderSubmitting))
    stop = WorkingOrder(
        venue_order_id="v2", symbol=EURUSD, side=Side.SELL, quantity=D(1), order_id=entry.order_id
    )
    assert holding().looks(30, snapshot(position(), orders=(stop,))) == []
    same_side = replace(stop, side=Side.BUY)
    found = holding().looks(30, snapshot(position(), orders=(same_side,)))
    assert kinds_of(found) == ["UNKNOWN_ORDER"]
    left_behind = Watcher().looks(30, snapshot(orders=(stop,)))
    assert kinds_of(left_behind) == ["UNKNOWN_ORDER"]


def test_a_spot_balance_that_is_not_the_sum_of_the_deals_is_found() -> None:
    coin = replace(INSTRUMENT, venue_symbol="EUR/USD")
    agreed = snapshot(
        balances=(AssetBalance(asset="EUR", total=D(1)), AssetBalance(asset="USD", total=D(9))),
        kind=AccountKind.SPOT,
        instruments=(coin,),
    )
    world = holding()
    assert world.looks(20, agreed) == []
    short = replace(agreed, balances=(AssetBalance(asset="EUR", total=D("0.999")),))
    assert kinds_of(world.looks(20, short)) == ["BALANCE"]


def test_a_symbol_that_moves_while_the_venue_is_asked_proves_nothing() -> None:
    account = holding().state.account(DEMO)
    watch, shown = Watch(), snapshot(position(quantity="0.9"))
    found: list[Finding] = []
    for second in range(60):
        found.extend(
            observe(
                account,
                watch,
                venue_differences(account, shown, Thresholds()),
                kinds=ALL,
                now_ns=NOW + second * SECOND,
                log_sequence=5,
                busy=account.touched_since(0),
            )
        )
    assert found == []
    assert account.touched_since(5) == frozenset()


def test_time_between_passes_does_not_replace_passes() -> None:
    world = holding()
    world.looks(1, snapshot())
    world.now_ns += 3600 * SECOND
    assert kinds_of(world.looks(1, snapshot())) == ["POSITION"]
    lone = holding()
    lone.now_ns += 3600 * SECOND + MS
    assert lone.looks(1, snapshot()) == []
