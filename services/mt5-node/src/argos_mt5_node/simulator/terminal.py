"""``SimulatedTerminal``: an object with the call shapes of the MetaTrader5 module.

It stands in for ``import MetaTrader5 as mt5``: the same function names, argument rules, records,
constants and error slot, over a blocking connection to the simulator.

Known differences: numpy is not used, so ``copy_rates_*`` and ``copy_ticks_*`` and the market book
answer None with -7; a call with an empty keyword dictionary cannot be told from one without; a
date of 0 raises ValueError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator import parsing
from argos_mt5_node.simulator.link import (
    Link,
    LinkEchoError,
    LinkReceiveError,
    LinkSendError,
    LinkUnavailableError,
    SocketLink,
)
from argos_mt5_node.simulator.structs import RECORDS

DEFAULT_PATH = "C:\\Program Files\\MetaTrader 5\\terminal64.exe"
_POLL_S = 0.1
# Arguments and results are as untyped as those of the C module this stands in for.


class _Refused(Exception):  # noqa: N818 - carries an error slot, never leaves this module
    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail or c.RES_TEXT.get(code, "")


class SimulatedTerminal:
    """One client process of one simulated terminal."""

    def __init__(
        self,
        link: Link | Path | tuple[str, int],
        *,
        idle_death: Literal["close", "repeat"] = "close",
        hold_gil: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``link``: a port file, (host, port), or an ``InProcessLink``.

        ``idle_death``: what calls give after the terminal died between two calls, -10004
        (``close``) or -10001 again and again (``repeat``). ``hold_gil``: wait as the real module
        does, with every other thread of the process stopped.
        """
        if isinstance(link, Path | tuple):
            link = SocketLink(link, hold_gil=hold_gil)
        self._link = link
        self._idle_death = idle_death
        self._sleep = sleep
        self._path = DEFAULT_PATH
        self._is_connected = False
        self._error = (0, "")

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> int: ...

    # Session

    def initialize(self, *args: Any, **kwargs: Any) -> bool:
        """Connect to a terminal and log in if asked; the old connection is dropped first."""
        self._drop()
        return bool(self._guard(lambda: self._initialize(args, kwargs), failed=False))

    def _initialize(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        given = parsing.login_arguments(
            args, kwargs, ("path", "login", "password", "server", "timeout")
        )
        self._path = given.get("path", DEFAULT_PATH)
        try:
            self._link.open()
        except LinkUnavailableError as error:
            detail = f"{c.RES_TEXT[c.RES_IPC_INIT]}, {error}"
            raise _Refused(c.RES_IPC_INIT, detail) from None
        self._is_connected = True
        try:
            self._await_ready(int(given.get("timeout", 60_000)))
            self._call("initialize", _credentials(given))
        except _Refused:
            self._drop()
            raise
        return True

    def login(self, *args: Any, **kwargs: Any) -> bool:
        """Switch the terminal to another account, for all its clients."""
        return bool(self._guard(lambda: self._login(args, kwargs), failed=False))

    def _login(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        given = parsing.login_arguments(args, kwargs, ("login", "password", "server", "timeout"))
        if not given.get("login"):
            raise parsing.invalid("login")
        self._call("login", _credentials(given))
        self._await_ready(int(given.get("timeout", 60_000)))
        return True

    def _await_ready(self, timeout_ms: int) -> None:
        for _ in range(max(1, timeout_ms // 100)):
            if self._call("ready"):
                return
            self._sleep(_POLL_S)
        raise _Refused(c.RES_IPC_TIMEOUT)

    def shutdown(self) -> bool:
        """Close the connection; always True."""
        self._error = (c.RES_OK, c.RES_TEXT[c.RES_OK])
        self._drop()
        return True

    def _drop(self) -> None:
        self._link.close()
        self._is_connected = False

    def last_error(self) -> tuple[int, str]:
        """(code, text) of the last call; (0, '') before any; reading does not reset it."""
        return self._error

    def version(self) -> tuple[int, int, str] | None:
        """(500, build, release date)."""
        found = self._guard(lambda: self._call("ready"))
        return None if found is None else (500, c.TERMINAL_BUILD, "1 Jan 2026")

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

    # Plumbing

    def _guard(self, work: Callable[[], Any], *, failed: Any = None) -> Any:
        """Run one call with the module's error slot: reset first, then filled on failure."""
        self._error = (c.RES_OK, c.RES_TEXT[c.RES_OK])
        try:
            return work()
        except parsing.ParseError as error:
            self._error = (c.RES_INVALID_PARAMS, str(error))
        except _Refused as refused:
            self._error = (refused.code, refused.detail)
        return failed

    def _call(self, operation: str, args: Mapping[str, Any] | None = None) -> Any:
        if not self._is_connected:
            raise _Refused(c.RES_IPC_CONNECT)
        if self._link.is_broken():
            if self._idle_death == "repeat":
                raise _Refused(c.RES_IPC_SEND)
            self._drop()
            raise _Refused(c.RES_IPC_CONNECT)
        try:
            code, detail, value = self._link.call(self._path, operation, args or {})
        except LinkSendError:
            raise _Refused(c.RES_IPC_SEND) from None
        except LinkReceiveError:
            self._drop()
            raise _Refused(c.RES_IPC_RECEIVE) from None
        except LinkEchoError:
            raise _Refused(c.RES_IPC_FAIL) from None
        if code != c.RES_OK:
            raise _Refused(code, detail)
        return value

    def _record(self, record: str, operation: str, **args: Any) -> Any:
        def read() -> Any:
            for name, value in args.items():
                parsing.text(name, value)
            return RECORDS[record](self._call(operation, args))

        return self._guard(read)

    def _rows(self, record: str, operation: str, args: Mapping[str, Any]) -> tuple[Any, ...]:
        make = RECORDS[record]
        return tuple(make(row) for row in self._call(operation, args))


def _credentials(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given[key] for key in ("login", "password", "server") if key in given}


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
