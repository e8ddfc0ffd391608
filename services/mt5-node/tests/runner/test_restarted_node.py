"""What a node process knows of the orders that an earlier one sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from argos_common.domain.config import AccountConfig, Limits, SymbolRoute
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol, magic, order_id, tag
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Result, Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_mt5_node.adapters.inline_terminal import InlineTerminal
from argos_mt5_node.core.standing import Expected
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.harness import HEDGING, VirtualRig

D = Decimal
DEMO = Account("demo")
EURUSD = Symbol("EURUSD")
ORDER = order_id("trade", DEMO, "1.1", 1)


class RigClock:
    """The rig's virtual time as a clock."""

    def __init__(self, rig: VirtualRig) -> None:
        self._rig = rig

    def now_ns(self) -> int:
        return self._rig.now_ns

    def monotonic_ns(self) -> int:
        return self._rig.now_ns

    async def sleep(self, seconds: float) -> None:
        # The quote moves meanwhile: only a tick that moved tells the broker's clock.
        self._rig.price("EURUSD", "1.10001")
        self._rig.wait_ms(max(1, round(seconds * 1000)))


def venue(rig: VirtualRig) -> Mt5Venue:
    config = AccountConfig(
        account=DEMO,
        node="mt5",
        kind=AccountKind.HEDGING,
        currency="USD",
        live=False,
        limits=Limits(
            order_quantity_max=D(1),
            order_value_max=D(1),
            open_positions_max=1,
            daily_loss_max=D(1),
            account_value_max=D(1),
            risk_percent_max=D(1),
        ),
        strategies=(),
        symbols=(SymbolRoute(symbol=EURUSD, venue_symbol="EURUSD"),),
    )
    expected = Expected(
        login=HEDGING, server="", kind=AccountKind.HEDGING, live=False, currency="USD"
    )
    module = rig.offline_terminal()

    def connect() -> bool:
        return module.initialize("C:\\A", login=HEDGING, password="demo")  # simulated

    clock = RigClock(rig)
    return Mt5Venue(config, expected, InlineTerminal(module, connect, clock), clock)


def submission(rig: VirtualRig) -> Submission:
    return Submission(
        order_id=ORDER,
        account=DEMO,
        strategy=Strategy("trend"),
        symbol=EURUSD,
        venue_symbol="EURUSD",
        side=Side.BUY,
        effect=Effect.OPEN,
        quantity=D("0.1"),
        deadline_ns=rig.now_ns + 5_000_000_000,
        budget_ns=5_000_000_000,
        epoch=0,
        lease="",
        tag=tag(ORDER),
        magic=magic(ORDER, "trend"),
    )


async def owners(of: Mt5Venue) -> list[OrderId | None]:
    return [deal.order_id for deal in (await of.deals(0)).deals]


async def test_an_order_an_earlier_process_sent_is_known_by_its_magic_once_it_is_remembered() -> (
    None
):
    rig = VirtualRig()
    rig.broker.arm(HEDGING, "comment_erased", rig.now_ns, count=1)
    outcome = await venue(rig).place(submission(rig))
    assert replace(outcome, result=Result.DONE) == outcome
    later = venue(rig)
    assert await owners(later) == [None]
    later.remember([ORDER])
    assert await owners(later) == [ORDER]
