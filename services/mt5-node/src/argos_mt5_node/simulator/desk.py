"""The terminals that stand in front of the broker: sessions, permissions to read, MT5 rows.

One terminal (an installation path) is logged in to one account at a time, for all its clients.
``TerminalDesk.call`` takes one operation and answers with a last_error code, a JSON-ready value
and the delay of the answer; it never blocks. Operations and their arguments:

    initialize, login   login, password, server (all optional for initialize)
    ready               login (optional)
    terminal_info, account_info, symbols, symbols_total, positions, orders    -
    symbol_info, symbol_info_tick, symbol_select                              symbol [, enable]
    history_orders, history_deals     from, to (server seconds) | ticket | position
    order_send, order_check           request
    calc_margin                       action, symbol, volume, price
    calc_profit                       action, symbol, volume, open, close
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from argos_common.domain.times import NS_PER_MS, NS_PER_S

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator import views
from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.records import Deal, Order, TradeRequest
from argos_mt5_node.simulator.symbols import DAY_S
from argos_mt5_node.simulator.valuation import cents, margin

# JSON values; the shape of each is the operation's own.
Args = Mapping[str, Any]
MARKET_WATCH = ("EURUSD", "GBPUSD", "USDJPY")
FIRST_TICK_NS = 150 * NS_PER_MS
_DECIMALS = frozenset(f.name for f in fields(TradeRequest) if f.type == "Decimal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``code`` is a last_error code; ``after_ms`` None means that the call never returns."""

    code: int = c.RES_OK
    value: Any = None  # JSON value of the operation
    after_ms: int | None = 0


@dataclass(slots=True)
class Session:
    """One terminal: the account it shows, and its Market Watch with the selection times."""

    login: int | None = None
    selected: dict[str, int] = field(default_factory=dict)


def request_from_json(data: Args) -> TradeRequest:
    """A request from JSON; decimals may be strings or numbers. Raises ValueError."""
    values: dict[str, Any] = {}
    for key, value in data.items():
        values[key] = Decimal(str(value)) if key in _DECIMALS else value
    try:
        return TradeRequest(**values)
    except TypeError as error:
        message = f"not a trade request: {error}"
        raise ValueError(message) from None


def _deal_ns(deal: Deal) -> int:
    return deal.time_ns


def _done_ns(order: Order) -> int:
    return order.time_done_ns


class TerminalDesk:
    """All terminals of one broker."""

    def __init__(self, broker: SimulatedBroker) -> None:
        """No terminal is logged in at first."""
        self.broker = broker
        self.sessions: dict[str, Session] = {}
        self._operations: dict[str, Callable[[Session, Book, Args, int], Answer]] = {
            "account_info": self._account_info,
            "symbols": self._symbols,
            "symbols_total": self._symbols_total,
            "symbol_info": self._symbol_info,
            "symbol_info_tick": self._symbol_info_tick,
            "symbol_select": self._symbol_select,
            "positions": self._positions,
            "orders": self._orders,
            "history_orders": self._history_orders,
            "history_deals": self._history_deals,
            "order_check": self._order_check,
            "calc_margin": self._calc_margin,
            "calc_profit": self._calc_profit,
        }

    def call(self, path: str, operation: str, args: Args, now_ns: int) -> Answer:
        """Answer one operation of a client of the terminal at ``path``."""
        self.broker.advance(now_ns)
        session = self.sessions.get(path)
        if session is None:
            session = self.sessions[path] = Session()
        login = int(args.get("login") or session.login or 0)
        board = self.broker.state.switchboard
        if board.active(login, "frozen_terminal") is not None:
            return Answer(after_ms=None)
        if operation in {"initialize", "login"}:
            return self._login(session, args, now_ns)
        if operation == "ready":
            return Answer(value=board.active(login, "not_ready") is None)
        if session.login is None:
            return Answer(code=c.RES_AUTH_FAILED)
        book = self.broker.book(session.login)
        if operation == "terminal_info":
            return Answer(value=self._terminal_info(path, session.login))
        if operation == "order_send":
            return self._order_send(book, args, now_ns)
        handler = self._operations.get(operation)
        if handler is None:
            return Answer(code=c.RES_UNSUPPORTED)
        if not board.any_armed(session.login):
            return handler(session, book, args, now_ns)
        failed = board.take(session.login, "read_error")
        if failed is not None:
            return Answer(code=int(failed["error"]))
        answer = handler(session, book, args, now_ns)
        slow = board.take(session.login, "slow_read")
        if slow is None:
            return answer
        return Answer(code=answer.code, value=answer.value, after_ms=board.between(slow))

    def _login(self, session: Session, args: Args, now_ns: int) -> Answer:
        login = args.get("login") or session.login
        if not login:
            return Answer(code=c.RES_AUTH_FAILED)
        if self.broker.state.switchboard.active(int(login), "frozen_terminal") is not None:
            return Answer(after_ms=None)
        book = self.broker.state.books.get(int(login))
        if book is None:
            return Answer(code=c.RES_AUTH_FAILED)
        password, server = args.get("password"), args.get("server")
        known = session.login == login and password is None
        if not known and password != book.spec.password:
            return Answer(code=c.RES_AUTH_FAILED)
        if server and server != book.spec.server:
            return Answer(code=c.RES_AUTH_FAILED)
        session.login = int(login)
        for symbol in MARKET_WATCH:
            if symbol in self.broker.market.symbols:
                session.selected.setdefault(symbol, now_ns - FIRST_TICK_NS)
        return Answer(value=True)

    def _terminal_info(self, path: str, login: int) -> views.Row:
        board = self.broker.state.switchboard
        return views.terminal_row(
            path,
            connected=board.active(login, "disconnected") is None,
            trade=board.active(login, "autotrading_off") is None,
            api_disabled=board.active(login, "api_disabled") is not None,
        )

    def _account_info(self, _session: Session, book: Book, _args: Args, now_ns: int) -> Answer:
        board, login = self.broker.state.switchboard, book.spec.login
        row = views.account_row(
            book,
            self.broker.standing(login, now_ns),
            trade=board.active(login, "trade_disabled") is None,
            expert=board.active(login, "expert_off") is None,
        )
        return Answer(value=row)

    def _names(self, book: Book) -> list[str]:
        return [name for name in self.broker.market.symbols if self._has(book, name)]

    def _has(self, book: Book, name: str) -> bool:
        offered = book.spec.symbols
        return name in self.broker.market.symbols and (not offered or name in offered)

    def _symbols(self, session: Session, book: Book, _args: Args, now_ns: int) -> Answer:
        return Answer(
            value=[self._symbol_row(session, book, name, now_ns) for name in self._names(book)]
        )

    def _symbols_total(self, _session: Session, book: Book, _args: Args, _now_ns: int) -> Answer:
        return Answer(value=len(self._names(book)))

    def _symbol_row(self, session: Session, book: Book, name: str, now_ns: int) -> views.Row:
        market = self.broker.market
        return views.symbol_row(
            market,
            market.symbols[name],
            book.spec.currency,
            self._tick_ns(book, now_ns),
            selected=name in session.selected,
        )

    def _symbol_info(self, session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        if not self._has(book, args["symbol"]):
            return Answer(code=c.RES_NOT_FOUND)
        return Answer(value=self._symbol_row(session, book, args["symbol"], now_ns))

    def _tick_ns(self, book: Book, now_ns: int) -> int:
        """A disconnected terminal shows the last tick it got."""
        return now_ns if book.frozen is None else book.frozen.since_ns

    def _symbol_info_tick(self, session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        symbol = args["symbol"]
        if not self._has(book, symbol):
            return Answer(code=c.RES_NOT_FOUND)
        since_ns = session.selected.get(symbol)
        if since_ns is None or now_ns - since_ns < FIRST_TICK_NS:
            return Answer(value=[0, 0.0, 0.0, 0.0, 0, 0, 0, 0.0])
        row = views.tick_row(self.broker.market, symbol, self._tick_ns(book, now_ns))
        return Answer(value=row)

    def _symbol_select(self, session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        symbol = args["symbol"]
        if not self._has(book, symbol):
            return Answer(code=c.RES_NOT_FOUND, value=False)
        if args.get("enable", True):
            session.selected.setdefault(symbol, now_ns)
        elif any(p.symbol == symbol for p in book.positions.values()):
            return Answer(code=c.RES_FAIL, value=False)
        else:
            session.selected.pop(symbol, None)
        return Answer(value=True)

    def _positions(self, _session: Session, book: Book, _args: Args, now_ns: int) -> Answer:
        market = self.broker.market
        rows = [views.position_row(market, book, p, now_ns) for p in book.shown_positions(now_ns)]
        return Answer(value=rows)

    def _orders(self, _session: Session, book: Book, _args: Args, now_ns: int) -> Answer:
        market = self.broker.market
        return Answer(value=[views.order_row(market, o, now_ns) for o in book.shown_orders()])

    def _history_orders(self, _session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        found: list[Order]
        if "position" in args:
            found = book.history_of.get(args["position"], [])
        elif "ticket" in args:
            one = book.done_orders.get(args["ticket"])
            found = [] if one is None else [one]
        else:
            start = bisect_left(book.history, self._earliest_ns(args), key=_done_ns)
            recent = book.history[start:]
            found = [o for o in recent if self._is_between(o.time_done_ns, args)]
        market = self.broker.market
        shown = [o for o in found if book.is_visible(o.visible_ns, o.time_done_ns, now_ns)]
        return Answer(value=[views.order_row(market, o, now_ns) for o in shown])

    def _history_deals(self, _session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        found: list[Deal]
        if "position" in args:
            found = book.deals_of.get(args["position"], [])
        elif "ticket" in args:
            one = book.deal_by_ticket.get(args["ticket"])
            found = [] if one is None else [one]
        else:
            start = bisect_left(book.deals, self._earliest_ns(args), key=_deal_ns)
            found = [d for d in book.deals[start:] if self._is_between(d.time_ns, args)]
        market = self.broker.market
        shown = [d for d in found if book.is_visible(d.visible_ns, d.time_ns, now_ns)]
        return Answer(value=[views.deal_row(market, d) for d in shown])

    @staticmethod
    def _earliest_ns(args: Args) -> int:
        """An instant surely before the range's start, whatever the server's offset."""
        return (int(args["from"]) - DAY_S) * NS_PER_S

    def _is_between(self, at_ns: int, args: Args) -> bool:
        return bool(args["from"] <= self.broker.market.clock.server_s(at_ns) <= args["to"])

    def _order_send(self, book: Book, args: Args, now_ns: int) -> Answer:
        request = request_from_json(args["request"])
        reply = self.broker.send(book.spec.login, request, now_ns)
        row = None if reply.result is None else views.result_row(reply.result)
        return Answer(code=reply.error, value=row, after_ms=reply.after_ms)

    def _order_check(self, _session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        request = request_from_json(args["request"])
        code, standing = self.broker.check(book.spec.login, request, now_ns)
        added = Decimal(0)
        spec = self.broker.market.symbols.get(request.symbol)
        if spec is not None and request.action == c.ACTION_DEAL and not request.position:
            added = cents(margin(self.broker.market, book, spec, request.volume, now_ns))
        return Answer(value=views.check_row(code, standing, added))

    def _calc_margin(self, _session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        if not self._has(book, args["symbol"]):
            return Answer(code=c.RES_NOT_FOUND)
        spec = self.broker.market.symbols[args["symbol"]]
        needed = margin(self.broker.market, book, spec, Decimal(str(args["volume"])), now_ns)
        return Answer(value=float(cents(needed)))

    def _calc_profit(self, _session: Session, book: Book, args: Args, now_ns: int) -> Answer:
        if not self._has(book, args["symbol"]):
            return Answer(code=c.RES_NOT_FOUND)
        request = TradeRequest(
            symbol=args["symbol"],
            type=args["action"],
            volume=Decimal(str(args["volume"])),
            price=Decimal(str(args["open"])),
            stoplimit=Decimal(str(args["close"])),
        )
        return Answer(value=views.calc_profit(self.broker.market, book, request, now_ns))
