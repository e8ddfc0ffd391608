"""``SimulatedTerminal``: an object with the call shapes of the MetaTrader5 module.

It stands in for ``import MetaTrader5 as mt5``: the same function names, argument rules, records,
constants and error slot, over a blocking connection to the simulator.

Known differences: numpy is not used, so ``copy_rates_*`` and ``copy_ticks_*`` and the market book
answer None with -7; a call with an empty keyword dictionary cannot be told from one without; a
date of 0 raises ValueError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator import parsing
from argos_mt5_node.simulator.session import TerminalSession
from argos_mt5_node.simulator.structs import RECORDS

# Arguments and results are as untyped as those of the C module this stands in for.


class SimulatedTerminal(TerminalSession):
    """One client process of one simulated terminal."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...

    # Reading

    def terminal_info(self) -> Any:
        """TerminalInfo or None."""
        return self._record("TerminalInfo", "terminal_info")

    def account_info(self) -> Any:
        """AccountInfo or None."""
        return self._record("AccountInfo", "account_info")

    def symbols_total(self) -> Any:
        """Number of symbols or None."""
        return self._guard(lambda: self._call("symbols_total"))

    def symbols_get(self, *args: Any, **kwargs: Any) -> Any:
        """SymbolInfo records, of a group if one is given."""

        def read() -> Any:
            group = kwargs.get("group", args[0] if args else "*")
            if not isinstance(group, str):
                raise parsing.invalid("group")
            found = self._rows("SymbolInfo", "symbols", {})
            return tuple(r for r in found if parsing.is_in_group(r.name, group))

        return self._guard(read)

    def symbol_info(self, symbol: str, /) -> Any:
        """SymbolInfo, or None with -4."""
        return self._record("SymbolInfo", "symbol_info", symbol=symbol)

    def symbol_info_tick(self, symbol: str, /) -> Any:
        """The last Tick; zeros while the symbol is not in Market Watch."""
        return self._record("Tick", "symbol_info_tick", symbol=symbol)

    def symbol_select(self, symbol: str, enable: bool = True, /) -> bool:  # noqa: FBT001, FBT002 - MT5's signature
        """Put a symbol into Market Watch or remove it."""

        def select() -> Any:
            return self._call(
                "symbol_select", {"symbol": parsing.text("symbol", symbol), "enable": bool(enable)}
            )

        return bool(self._guard(select, failed=False))

    def positions_total(self) -> Any:
        """Number of open positions or None."""
        return self._guard(lambda: len(self._call("positions")))

    def positions_get(self, *args: Any, **kwargs: Any) -> Any:
        """Open positions by ticket, else symbol, else group; None is unknown, () is flat."""
        return self._guard(lambda: self._selected("TradePosition", "positions", args, kwargs))

    def orders_total(self) -> Any:
        """Number of working orders or None."""
        return self._guard(lambda: len(self._call("orders")))

    def orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """Working orders by ticket, else symbol, else group."""
        return self._guard(lambda: self._selected("TradeOrder", "orders", args, kwargs))

    def _selected(
        self, record: str, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        kind, wanted = parsing.selection(args, kwargs)
        found = self._rows(record, operation, {})
        if kind == "ticket":
            return tuple(r for r in found if r.ticket == wanted)
        if kind == "symbol":
            return tuple(r for r in found if r.symbol == wanted)
        if kind == "group":
            return tuple(r for r in found if parsing.is_in_group(r.symbol, wanted))
        return found

    def history_orders_total(self, date_from: Any, date_to: Any, /) -> Any:
        """Number of finished orders between two server times, or None."""
        found = self.history_orders_get(date_from, date_to)
        return None if found is None else len(found)

    def history_orders_get(self, *args: Any, **kwargs: Any) -> Any:
        """Finished orders between two server times, or by ticket or position."""
        return self._guard(lambda: self._history("TradeOrder", "history_orders", args, kwargs))

    def history_deals_total(self, date_from: Any, date_to: Any, /) -> Any:
        """Number of deals between two server times, or None."""
        found = self.history_deals_get(date_from, date_to)
        return None if found is None else len(found)

    def history_deals_get(self, *args: Any, **kwargs: Any) -> Any:
        """Deals between two server times, or by deal ticket or position."""
        return self._guard(lambda: self._history("TradeDeal", "history_deals", args, kwargs))

    def _history(
        self, record: str, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        wanted, group = parsing.history(args, kwargs)
        found = self._rows(record, operation, wanted)
        if group is None:
            return found
        return tuple(r for r in found if parsing.is_in_group(r.symbol, group))

    # Trading

    def order_send(self, *args: Any, **kwargs: Any) -> Any:
        """OrderSendResult, or None whose meaning depends on last_error."""
        return self._guard(lambda: self._trade("OrderSendResult", "order_send", args, kwargs))

    def order_check(self, *args: Any, **kwargs: Any) -> Any:
        """OrderCheckResult; retcode 0 means the request would be accepted."""
        return self._guard(lambda: self._trade("OrderCheckResult", "order_check", args, kwargs))

    def _trade(
        self, record: str, operation: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        request = parsing.trade_request(args, kwargs)
        row = self._call(operation, {"request": request})
        echo = RECORDS["TradeRequest"](request.values())
        return RECORDS[record]([*row, echo])

    def order_calc_margin(self, action: int, symbol: str, volume: float, price: float, /) -> Any:
        """Margin in the account's currency, or None."""

        def read() -> Any:
            wanted = {
                "action": parsing.integer("action", action),
                "symbol": parsing.text("symbol", symbol),
                "volume": parsing.real("volume", volume),
                "price": parsing.real("price", price),
            }
            return self._call("calc_margin", wanted)

        return self._guard(read)

    def order_calc_profit(
        self,
        action: int,
        symbol: str,
        volume: float,
        price_open: float,
        price_close: float,
        /,
    ) -> Any:
        """Profit in the account's currency, or None."""

        def read() -> Any:
            wanted = {
                "action": parsing.integer("action", action),
                "symbol": parsing.text("symbol", symbol),
                "volume": parsing.real("volume", volume),
                "open": parsing.real("price_open", price_open),
                "close": parsing.real("price_close", price_close),
            }
            return self._call("calc_profit", wanted)

        return self._guard(read)

    def _record(self, record: str, operation: str, **args: Any) -> Any:
        def read() -> Any:
            for name, value in args.items():
                parsing.text(name, value)
            return RECORDS[record](self._call(operation, args))

        return self._guard(read)

    def _rows(self, record: str, operation: str, args: Mapping[str, Any]) -> tuple[Any, ...]:
        make = RECORDS[record]
        return tuple(make(row) for row in self._call(operation, args))


def _unsupported(name: str) -> Callable[..., None]:
    def call(self: SimulatedTerminal, *_args: Any) -> None:
        self._error = (c.RES_UNSUPPORTED, c.RES_TEXT[c.RES_UNSUPPORTED])

    call.__name__ = name
    call.__doc__ = "Not simulated: None with -7."
    return call


def _furnish() -> None:
    """Constants, record classes, and the functions that are not simulated."""
    for name, value in c.CONSTANTS.items():
        setattr(SimulatedTerminal, name, value)
    for name, record in RECORDS.items():
        setattr(SimulatedTerminal, name, record)
    for name in c.FUNCTIONS:
        if name.startswith(("copy_", "market_book_")):
            setattr(SimulatedTerminal, name, _unsupported(name))


_furnish()
