"""The broker's entries as MT5 record rows: exact field order, floats, the server's wall clock."""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.times import NS_PER_MS

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.market import Market
from argos_mt5_node.simulator.records import Deal, Order, Position, TradeRequest, TradeResult
from argos_mt5_node.simulator.symbols import SymbolSpec
from argos_mt5_node.simulator.valuation import Standing, cents, position_profit, profit, rate

Row = list[int | float | str]

_SYMBOL_TEXTS = frozenset(
    "basis category currency_base currency_profit currency_margin bank description exchange "
    "formula isin name page path".split()
)
_SYMBOL_INTS = frozenset(
    "session_deals session_buy_orders session_sell_orders volume volumehigh volumelow "
    "start_time expiration_time chart_mode option_mode option_right margin_hedged_use_leg "
    "custom swap_rollover3days".split()
)


def _times(market: Market, at_ns: int) -> tuple[int, int]:
    """(seconds, milliseconds) of an instant on the server's wall clock; 0 stays 0."""
    if not at_ns:
        return 0, 0
    msc = market.clock.server_ns(at_ns) // NS_PER_MS
    return msc // 1000, msc


def tick_row(market: Market, symbol: str, now_ns: int) -> Row:
    """A Tick."""
    quote = market.quote(symbol, now_ns)
    seconds, msc = _times(market, quote.time_ns)
    return [seconds, float(quote.bid), float(quote.ask), 0.0, 0, msc, 6, 0.0]


def position_row(market: Market, book: Book, position: Position, now_ns: int) -> Row:
    """A TradePosition."""
    price, floating = position_profit(market, book.spec.currency, position, now_ns)
    opened, updated = _times(market, position.time_ns), _times(market, position.time_update_ns)
    return [
        position.ticket,
        *opened,
        *updated,
        position.type,
        position.magic,
        position.identifier,
        position.reason,
        float(position.volume),
        float(position.price_open),
        float(position.sl),
        float(position.tp),
        float(price),
        float(position.swap),
        float(floating),
        position.symbol,
        position.comment,
        "",
    ]


def order_row(market: Market, order: Order, now_ns: int) -> Row:
    """A TradeOrder, working or done."""
    quote = market.quote(order.symbol, now_ns)
    price = quote.ask if order.type in c.BUYING else quote.bid
    return [
        order.ticket,
        *_times(market, order.time_setup_ns),
        *_times(market, order.time_done_ns),
        order.expiration,
        order.type,
        order.type_time,
        order.type_filling,
        order.state,
        order.magic,
        order.position_id,
        order.position_by_id,
        order.reason,
        float(order.volume_initial),
        float(order.volume_current),
        float(order.price_open),
        float(order.sl),
        float(order.tp),
        float(price),
        float(order.price_stoplimit),
        order.symbol,
        order.comment,
        "",
    ]


def deal_row(market: Market, deal: Deal) -> Row:
    """A TradeDeal."""
    return [
        deal.ticket,
        deal.order,
        *_times(market, deal.time_ns),
        deal.type,
        deal.entry,
        deal.magic,
        deal.position_id,
        deal.reason,
        float(deal.volume),
        float(deal.price),
        float(deal.commission),
        float(deal.swap),
        float(deal.profit),
        float(deal.fee),
        deal.symbol,
        deal.comment,
        "",
    ]


def result_row(result: TradeResult) -> Row:
    """An OrderSendResult without its last field: the request is the client's own."""
    return [
        result.retcode,
        result.deal,
        result.order,
        float(result.volume),
        float(result.price),
        float(result.bid),
        float(result.ask),
        result.comment,
        result.request_id,
        result.retcode_external,
    ]


def check_row(retcode: int, standing: Standing, added: Decimal) -> Row:
    """An OrderCheckResult without its last field; ``added`` is the margin the request needs."""
    used = standing.margin + added
    level = standing.equity / used * 100 if used else Decimal(0)
    comment = c.RETCODE_TEXT.get(retcode, "Done" if not retcode else "")
    return [
        retcode,
        float(standing.balance),
        float(standing.equity),
        float(standing.floating),
        float(used),
        float(standing.equity - used),
        float(level),
        comment,
    ]


def account_row(book: Book, standing: Standing, *, trade: bool, expert: bool) -> Row:
    """An AccountInfo. While disconnected the balance is the last known one."""
    spec = book.spec
    balance = standing.balance if book.frozen is None else book.frozen.balance
    equity = balance + standing.floating
    return [
        spec.login,
        spec.trade_mode,
        spec.leverage,
        spec.limit_orders,
        0,
        trade,
        expert,
        spec.margin_mode,
        2,
        False,
        float(balance),
        0.0,
        float(standing.floating),
        float(equity),
        float(standing.margin),
        float(equity - standing.margin),
        float(standing.level),
        float(spec.margin_call_percent),
        float(spec.stop_out_percent),
        *([0.0] * 5),
        spec.name,
        spec.server,
        spec.currency,
        spec.company,
    ]


def terminal_row(path: str, *, connected: bool, trade: bool, api_disabled: bool) -> Row:
    """A TerminalInfo."""
    return [
        *(False, False, connected, False, trade, api_disabled, False, False, False, False),
        c.TERMINAL_BUILD,
        100_000,
        0,
        18_500 if connected else 0,
        0.0,
        0.0,
        "Argos Simulated Broker",
        "MetaTrader 5 (simulated)",
        "English",
        path,
        f"{path}/data",
        f"{path}/common",
    ]


def symbol_row(
    market: Market, spec: SymbolSpec, currency: str, now_ns: int, *, selected: bool
) -> Row:
    """A SymbolInfo; fields the simulation has no use for are zero or empty."""
    quote = market.quote(spec.name, now_ns)
    tick_value = spec.point * spec.contract_size
    tick_value *= rate(market, spec.profit_currency, currency, now_ns)
    known: dict[str, int | float | str] = {
        "select": selected,
        "visible": selected,
        "time": _times(market, quote.time_ns)[0],
        "digits": spec.digits,
        "spread": quote.ask_points - quote.bid_points,
        "spread_float": True,
        "ticks_bookdepth": len(spec.depth),
        "trade_calc_mode": 0 if spec.is_forex else 4,
        "trade_mode": spec.trade_mode,
        "trade_stops_level": spec.stops_level,
        "trade_freeze_level": spec.freeze_level,
        "trade_exemode": spec.exemode,
        "swap_mode": 1,
        "swap_rollover3days": 3,
        "expiration_mode": 15,
        "filling_mode": spec.filling_mode,
        "order_mode": 127,
        "order_gtc_mode": 0,
        "bid": float(quote.bid),
        "ask": float(quote.ask),
        "point": float(spec.point),
        "trade_tick_value": float(cents(tick_value)),
        "trade_tick_value_profit": float(cents(tick_value)),
        "trade_tick_value_loss": float(cents(tick_value)),
        "trade_tick_size": float(spec.point),
        "trade_contract_size": float(spec.contract_size),
        "volume_min": float(spec.volume_min),
        "volume_max": float(spec.volume_max),
        "volume_step": float(spec.volume_step),
        "volume_limit": float(spec.volume_limit),
        "swap_long": float(spec.swap_long),
        "swap_short": float(spec.swap_short),
        "currency_base": spec.base_currency,
        "currency_profit": spec.profit_currency,
        "currency_margin": spec.margin_currency,
        "description": f"{spec.base_currency} vs {spec.profit_currency}",
        "name": spec.name,
        "path": f"Simulated\\{spec.name}",
    }
    row: Row = []
    for name in c.STRUCTS["SymbolInfo"]:
        if name in known:
            row.append(known[name])
        elif name in _SYMBOL_TEXTS:
            row.append("")
        else:
            row.append(0 if name in _SYMBOL_INTS else 0.0)
    return row


def calc_profit(market: Market, book: Book, request: TradeRequest, now_ns: int) -> float:
    """Profit of ``volume`` from ``price`` to ``stoplimit`` (used as the closing price)."""
    amount = profit(
        market,
        market.symbols[request.symbol],
        book.spec.currency,
        request.type,
        request.volume,
        request.price,
        request.stoplimit,
        now_ns,
    )
    return float(amount)
