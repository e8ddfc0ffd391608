"""The story that the demo plays, as data. To add a step, add it here; `play` performs it.

A step does something (posts alerts, makes the broker misbehave, kills a process, acts as the
operator), then waits until what it started is finished, and is compared with what was expected.
Names of accounts, strategies and symbols are those of the example fleet.toml.
"""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.verdict import Decision

from argos_cli.demo.alerts import Alert
from argos_cli.demo.steps import (
    Flatten,
    Kill,
    KillProcess,
    Misbehave,
    MovePrice,
    Post,
    Resume,
    Step,
    Wait,
)

HEDGE, NET, SPOT = "mt5-hedge", "mt5-net", "paper-spot"
YES, PART, NO = Decision.APPROVED, Decision.PARTLY, Decision.REFUSED
BOTH = {HEDGE: YES, NET: YES}
FLAT = ("flat", Decimal(0))


def _at_door(name: str, title: str, expect: str, alert: Alert, answer: str) -> Step:
    return Step(
        name=name,
        title=title,
        expect=expect,
        do=(Post(alert=alert, answers=(answer,)),),
        wait=Wait.NOTHING,
        proofs=("nothing_came_of_it",),
    )


TREND = Alert()
GOLD = Alert(
    strategy="scalper", bot_version="scalper-0.9.2", exchange="OANDA", ticker="XAUUSD",
    sized_by="strategy", contracts=Decimal(1), after=("long", Decimal(1)),
)  # fmt: skip
CABLE = Alert(
    strategy="scalper", bot_version="scalper-0.9.2", ticker="GBPUSD", sized_by="strategy",
    contracts=Decimal(1), after=("long", Decimal(1)),
)  # fmt: skip
EURO = Alert(
    strategy="scalper", bot_version="scalper-0.9.1", sized_by="strategy", contracts=Decimal(1),
    after=("long", Decimal(1)),
)  # fmt: skip
COIN = Alert(
    strategy="stacker", bot_version="stacker-2.0.0", exchange="COINBASE", ticker="BTCUSD",
    contracts=Decimal("0.05"), after=("long", Decimal("0.05")), stop_away=None,
)  # fmt: skip


def _exit(strategy: str, version: str, ticker: str, size: str, **more: str) -> Alert:
    return Alert(
        strategy=strategy, bot_version=version, ticker=ticker, action="sell", contracts=Decimal(size),
        before=("long", Decimal(size)), after=FLAT, stop_away=None,
        exchange=more.get("exchange", "FX"), sized_by=more.get("sized_by", "contracts"),
        sender_id=more.get("sender_id", ""),
    )  # fmt: skip


TRADING = (
    Step(
        name="heartbeat",
        title="A strategy says that it is alive",
        expect="200, and nothing is traded",
        do=(
            Post(
                alert=Alert(raw='{"type": "heartbeat", "strategy": "trend"}'),
                answers=("200 alive",),
            ),
        ),
        wait=Wait.NOTHING,
    ),
    Step(
        name="two accounts",
        title="One signal, two accounts: an entry on the hedging and on the netting one",
        expect="both approve, the second at half the size; both fill with their stop at the broker",
        do=(Post(alert=TREND),),
        verdicts=BOTH,
        proofs=("half_on_the_second",),
    ),
    Step(
        name="add",
        title="An add in the same direction",
        expect="another leg of the same trade",
        do=(
            Post(
                alert=Alert(before=("long", Decimal("0.1")), after=("long", Decimal("0.2"))),
            ),
        ),
        verdicts=BOTH,
        proofs=("same_trade",),
    ),
    Step(
        name="partial exit",
        title="A partial exit, sent as text/plain",
        expect="half is closed, half stays; content counts, not the header",
        do=(
            Post(
                alert=Alert(
                    action="sell", before=("long", Decimal("0.2")), after=("long", Decimal("0.1")),
                    stop_away=None, as_text=True,
                ),
            ),
        ),
        verdicts=BOTH,
        proofs=("same_trade",),
    ),
    Step(
        name="reversal",
        title="A reversal from long to short",
        expect="first the old trade is closed, then a new one is opened under this signal's id",
        do=(
            Post(
                alert=Alert(
                    action="sell", contracts=Decimal("0.2"), before=("long", Decimal("0.1")),
                    after=("short", Decimal("0.1")),
                ),
            ),
        ),
        verdicts=BOTH,
        proofs=("new_trade",),
    ),
    Step(
        name="exit",
        title="The exit of the short",
        expect="both accounts are flat again in EURUSD",
        do=(
            Post(
                alert=Alert(
                    action="buy", before=("short", Decimal("0.1")), after=FLAT, stop_away=None
                ),
            ),
        ),
        verdicts=BOTH,
        proofs=("flat",),
    ),
    Step(
        name="gold",
        title="An entry in gold, sized so that the stop costs a quarter percent of equity",
        expect="risk works out the lots from the distance of the stop",
        do=(Post(alert=GOLD),),
        verdicts={HEDGE: YES},
    ),
    Step(
        name="stop loss",
        title="The price falls through the stop: the broker closes the position by itself",
        expect="the deal is found, belongs to the trade, and the trade is over",
        do=(MovePrice(symbol="XAUUSD", by=Decimal("-0.006")),),
        of="gold",
        proofs=("stopped_by_the_broker",),
    ),
    Step(
        name="late exit",
        title="The strategy's own exit comes after the stop",
        expect="refused, because there is nothing left to close",
        do=(
            Post(
                alert=_exit(
                    "scalper", "scalper-0.9.2", "XAUUSD", "1", exchange="OANDA",
                    sized_by="strategy",
                ),
            ),
        ),
        verdicts={HEDGE: NO},
        because="nothing to close",
    ),
    Step(
        name="partial fill",
        title="The broker fills only 60 % of an entry, and at a worse price",
        expect="the trade is as large as what was filled; the slippage shows",
        do=(
            Misbehave(account=HEDGE, fault="partial_fill", params={"percent": 60}),
            Misbehave(account=HEDGE, fault="slippage", params={"points": 15}),
            Post(alert=CABLE),
        ),
        verdicts={HEDGE: YES},
        proofs=("filled_in_part",),
    ),
    Step(
        name="exit of the part",
        title="The exit closes exactly what is there",
        expect="approved and flat",
        do=(
            Post(alert=_exit("scalper", "scalper-0.9.2", "GBPUSD", "1", sized_by="strategy")),
        ),
        verdicts={HEDGE: YES},
        proofs=("flat",),
    ),
    Step(
        name="spot",
        title="A spot purchase on the paper exchange",
        expect="the same contract, another venue; its fee is in the ledger",
        do=(Post(alert=COIN),),
        verdicts={SPOT: YES},
    ),
)  # fmt: skip

DUPLICATES = (
    Step(
        name="four copies",
        title="TradingView retries: four copies of one alert at once",
        expect="one is accepted, three are told that they are duplicates, one order",
        do=(
            Post(
                alert=EURO,
                copies=4,
                answers=("200 accepted", "200 duplicate", "200 duplicate", "200 duplicate"),
            ),
        ),
        verdicts={HEDGE: YES},
        proofs=("one_order",),
    ),
    Step(
        name="own id",
        title="An exit with an id of its own",
        expect="accepted, and closed",
        do=(
            Post(
                alert=_exit(
                    "scalper", "scalper-0.9.1", "EURUSD", "1", sized_by="strategy",
                    sender_id="exit-0001",
                ),
            ),
        ),
        verdicts={HEDGE: YES},
        proofs=("flat",),
    ),
    _at_door(
        "other content", "The same id with other content", "409: it is a conflict, not a duplicate",
        Alert(
            strategy="scalper", bot_version="scalper-0.9.1", sized_by="strategy", contracts=Decimal(2),
            after=("long", Decimal(2)), sender_id="exit-0001",
        ),
        "409 conflict",
    ),
)  # fmt: skip

TROUBLE = (
    Step(
        name="no answer",
        title="The broker fills an order, and its answer never comes",
        expect="nobody knows: the order is neither sent again nor called refused",
        do=(
            Misbehave(account=HEDGE, fault="answer_lost", params={"mode": "hang"}),
            Post(alert=CABLE),
        ),
        wait=Wait.UNANSWERED,
    ),
    Step(
        name="kill",
        title="At this moment the operator kills the fleet",
        expect="the reply gives the log position, and names the order that is under way",
        do=(Kill(),),
        wait=Wait.NOTHING,
        proofs=("named_under_way",),
    ),
    Step(
        name="entry during the kill",
        title="An entry during the kill",
        expect="accepted at the door, refused by risk",
        do=(Post(alert=TREND),),
        verdicts={HEDGE: NO, NET: NO},
        because="killed",
    ),
    Step(
        name="exit during the kill",
        title="An exit during the kill",
        expect="let through: a kill never keeps risk on",
        do=(
            Post(alert=_exit("stacker", "stacker-2.0.0", "BTCUSD", "0.05", exchange="COINBASE")),
        ),
        verdicts={SPOT: YES},
        proofs=("flat",),
    ),
)  # fmt: skip

DOOR = (
    _at_door(
        "malformed", "Not JSON", "400 with the place of the mistake",
        Alert(raw='{"strategy": "trend", "action": "buy",}'), "400 malformed",
    ),
    _at_door(
        "twice the same key", "A key that appears twice", "422: which of them would count?",
        Alert(raw='{"strategy": "trend", "contracts": 1, "contracts": 100}'), "422 duplicate_key",
    ),
    _at_door(
        "unauthorised", "A wrong token", "401, and not a word about why",
        Alert(wrong_token=True), "401 unauthorised",
    ),
    _at_door(
        "stale", "An alert that fired two minutes ago", "422: too old to trade",
        Alert(fired_ago_s=120), "422 stale",
    ),
    _at_door(
        "delayed data", "A chart on delayed data", "422: TradingView marks the exchange with _DL",
        Alert(exchange="FX_DL"), "422 delayed_data",
    ),
    _at_door(
        "unknown symbol", "A symbol that is not mapped", "422 with the name of the table to add to",
        Alert(ticker="USDTRY", symbol="EURUSD"), "422 unknown_symbol",
    ),
    _at_door(
        "unregistered version", "A version of the strategy that nobody registered", "422",
        Alert(bot_version="trend-9.9.9"), "422 unknown_bot_version",
    ),
    _at_door(
        "leftover placeholder", "A placeholder that TradingView did not fill in",
        "refused: an alert of the wrong kind must not trade",
        Alert(unfilled="strategy.market_position"), "422 placeholder",
    ),
)  # fmt: skip

RECOVERY = (
    Step(
        name="resume",
        title="The operator opens the latch again",
        expect="on record, and entries pass from here on",
        do=(Resume(),),
        wait=Wait.NOTHING,
    ),
    Step(
        name="adopted",
        title="What became of the order without an answer",
        expect="in doubt, then found at the broker by its tag and adopted; one order, not two",
        of="no answer",
        proofs=("adopted_from_evidence", "one_order", "venue_ready_again"),
    ),
    Step(
        name="over a limit",
        title="Five bitcoin",
        expect="accepted at the door; risk names every limit it exceeds",
        do=(
            Post(
                alert=Alert(
                    strategy="stacker",
                    bot_version="stacker-2.0.0",
                    exchange="COINBASE",
                    ticker="BTCUSD",
                    contracts=Decimal(5),
                    after=("long", Decimal(5)),
                    stop_away=None,
                ),
            ),
        ),
        verdicts={SPOT: NO},
        because="more than the limit|above the limit|limit",
        proofs=("two_rules_failed",),
    ),
    Step(
        name="no stop",
        title="An entry without a protective stop",
        expect="refused on both accounts",
        do=(Post(alert=Alert(stop_away=None)),),
        verdicts={HEDGE: NO, NET: NO},
        because="stop",
    ),
    Step(
        name="crash",
        title="kill -9 of the bridge, the moment an entry has been accepted",
        expect="the supervisor starts it again, and the trade is finished once",
        do=(Post(alert=TREND), KillProcess("bridge")),
        verdicts=BOTH,
        proofs=("restarted", "one_order_each"),
    ),
    Step(
        name="flatten",
        title="The operator closes everything that is left",
        expect="the fleet is flat, in the log and at the broker",
        do=(Flatten(),),
        proofs=("all_flat",),
    ),
)

STORY: tuple[Step, ...] = (*TRADING, *DUPLICATES, *TROUBLE, *DOOR, *RECOVERY)
