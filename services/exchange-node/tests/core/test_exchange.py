"""The rules of the paper venue."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from argos_common.domain.ids import Symbol
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import DealReason
from argos_exchange_node.core.books import Books, Execution, OrderStatus
from argos_exchange_node.core.exchange import (
    FeeHabit,
    Fees,
    Rejection,
    Request,
    place,
    trigger,
)
from argos_exchange_node.core.market import Market, Touch, touch

D = Decimal
MARKET = Market(
    symbol=Symbol("BTCUSD"),
    venue_symbol="BTCUSD",
    base="BTC",
    quote="USD",
    base_price=D(100),
    spread=D(1),
    price_tick=D("0.01"),
    quantity_min=D("0.01"),
    quantity_max=D(100),
    quantity_step=D("0.001"),
)
NOW = Touch(D(99), D(100))
IN_QUOTE = Fees(D("0.01"), FeeHabit.QUOTE)
IN_BASE = Fees(D("0.01"), FeeHabit.BASE)
BUY = Request(client_id="c1", side=Side.BUY, quantity=D(2))
SELL = Request(client_id="c2", side=Side.SELL, quantity=D(1))


def books(**balances: str) -> Books:
    made = Books()
    made.apply(Books.opened_with({asset: D(total) for asset, total in balances.items()}))
    return made


def done(made: Execution | Rejection | None, into: Books) -> Execution:
    assert isinstance(made, Execution), made
    into.apply(made)
    return made


def test_a_buy_with_the_fee_in_the_base_asset_receives_less() -> None:
    account = books(USD="1000")

    made = done(place(account, MARKET, NOW, IN_BASE, BUY, 7), account)

    assert account.balances == {"BTC": D("1.98"), "USD": D(800)}
    (trade,) = made.trades
    assert (trade.quantity, trade.fee, trade.fee_asset) == (D(2), D("0.02"), "BTC")
    assert (trade.base_delta, trade.price, trade.at_ns) == (D("1.98"), D(100), 7)


def test_a_buy_with_the_fee_in_the_quote_asset_pays_more() -> None:
    account = books(USD="1000")

    made = done(place(account, MARKET, NOW, IN_QUOTE, BUY, 7), account)

    assert account.balances == {"BTC": D(2), "USD": D(798)}
    assert (made.trades[0].fee, made.trades[0].fee_asset) == (D(2), "USD")


@pytest.mark.parametrize("fees", [IN_BASE, IN_QUOTE])
def test_a_sell_pays_its_fee_from_what_it_brings(fees: Fees) -> None:
    account = books(BTC="3", USD="0")

    done(place(account, MARKET, NOW, fees, SELL, 7), account)

    assert account.balances == {"BTC": D(2), "USD": D("98.01")}


@pytest.mark.parametrize(
    ("held", "request_", "refusal", "code"),
    [
        ({"USD": "199"}, BUY, RefusalClass.NO_MONEY, "insufficient_balance"),
        ({"BTC": "0.5"}, SELL, RefusalClass.NO_MONEY, "insufficient_balance"),
        ({"BTC": "0.009"}, SELL, RefusalClass.NOTHING_TO_CLOSE, "insufficient_balance"),
        ({"USD": "1000"}, replace(BUY, quantity=D("0.005")), RefusalClass.FINAL, "quantity"),
        ({"USD": "1000"}, replace(BUY, quantity=D(-1)), RefusalClass.FINAL, "quantity"),
        ({"USD": "1000"}, replace(BUY, quantity=D("0.0105")), RefusalClass.FINAL, "step"),
        ({"USD": "1000"}, replace(BUY, stop_price=D(99)), RefusalClass.FINAL, "stop"),
        ({"USD": "1000"}, replace(BUY, take_profit_price=D(100)), RefusalClass.FINAL, "target"),
        ({"BTC": "2"}, replace(SELL, stop_price=D(1)), RefusalClass.FINAL, "stop"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    held: dict[str, str], request_: Request, refusal: RefusalClass, code: str
) -> None:
    made = place(books(**held), MARKET, NOW, IN_BASE, request_, 7)

    assert isinstance(made, Rejection)
    assert (made.refusal, made.code) == (refusal, code)


def test_a_client_id_may_come_again_after_its_fill_and_is_executed_again() -> None:
    account = books(USD="1000")

    first = done(place(account, MARKET, NOW, IN_BASE, BUY, 7), account)
    second = done(place(account, MARKET, NOW, IN_BASE, BUY, 8), account)

    assert first.orders[0].client_id == second.orders[0].client_id
    assert len({order.venue_order_id for order in account.orders.values()}) == 2
    assert len(account.trades) == 2


def test_a_client_id_of_an_open_order_is_refused() -> None:
    account = books(USD="1000")
    done(place(account, MARKET, NOW, IN_BASE, replace(BUY, stop_price=D(90)), 7), account)

    again = place(account, MARKET, NOW, IN_BASE, replace(BUY, client_id="c1s"), 8)

    assert isinstance(again, Rejection)
    assert again.code == "duplicate_client_id"


def test_a_stop_sells_what_was_received_once_the_bid_is_there() -> None:
    account = books(USD="1000")
    done(place(account, MARKET, NOW, IN_BASE, replace(BUY, stop_price=D(90)), 7), account)

    above = trigger(account, MARKET, Touch(D("90.01"), D(91)), IN_BASE, 8)
    made = done(trigger(account, MARKET, Touch(D(90), D(91)), IN_BASE, 9), account)

    assert above is None
    assert (made.trades[0].reason, made.trades[0].quantity) == (DealReason.STOP_LOSS, D("1.98"))
    assert account.held("BTC") == 0
    assert trigger(account, MARKET, Touch(D(80), D(81)), IN_BASE, 10) is None


def test_a_target_sells_too_and_ends_the_stop_with_it() -> None:
    account = books(USD="1000")
    entry = replace(BUY, stop_price=D(90), take_profit_price=D(110))
    done(place(account, MARKET, NOW, IN_BASE, entry, 7), account)

    made = done(trigger(account, MARKET, Touch(D(110), D(111)), IN_BASE, 9), account)

    assert made.trades[0].reason is DealReason.TAKE_PROFIT
    assert account.open_orders == {}


def test_what_is_sold_is_not_protected_any_more() -> None:
    account = books(USD="1000")
    for client in ("c1", "c3"):
        entry = replace(BUY, client_id=client, stop_price=D(90))
        done(place(account, MARKET, NOW, IN_QUOTE, entry, 7), account)

    done(place(account, MARKET, NOW, IN_QUOTE, replace(SELL, quantity=D(3)), 8), account)

    left = [(order.client_id, order.quantity) for order in account.open_orders.values()]
    assert left == [("c3s", D(1))]
    ended = [o for o in account.orders.values() if o.status is OrderStatus.CANCELLED]
    assert [order.client_id for order in ended] == ["c1s"]


def test_a_stop_never_sells_more_than_is_held() -> None:
    account = books(USD="1000")
    done(place(account, MARKET, NOW, IN_QUOTE, replace(BUY, stop_price=D(90)), 7), account)
    account.apply(Execution(balances=(("BTC", D("0.5005")),)))

    made = done(trigger(account, MARKET, Touch(D(80), D(81)), IN_QUOTE, 9), account)

    assert made.trades[0].quantity == D("0.500")
    assert account.held("BTC") == D("0.0005")


def test_a_price_depends_on_seed_and_time_alone() -> None:
    second = 1_000_000_000
    large = replace(MARKET, base_price=D(60_000))
    path = [touch(large, 1, number * second) for number in range(600)]

    assert path == [touch(large, 1, number * second) for number in range(600)]
    assert path != [touch(large, 2, number * second) for number in range(600)]
    assert all(now.ask - now.bid == large.spread for now in path)
    assert len({now.bid for now in path}) > 300
    assert all(abs(now.bid - 60_000) < 600 for now in path)
    assert {touch(replace(MARKET, swing=D(0)), 1, n * second) for n in range(9)} == {
        Touch(D("99.50"), D("100.50"))
    }
