"""What the node needs from the world outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol


class TerminalRecord(Protocol):
    """One MT5 record. Not picklable: turn it into a plain dict before it crosses a process."""

    def _asdict(self) -> dict[str, Any]:  # fields of mixed types, as in the C module
        """Field names to values; a nested TradeRequest stays a record."""


class TerminalModule(Protocol):
    """The functions of the MetaTrader5 module that the node uses, real or simulated.

    Every call blocks, possibly forever. None means that the outcome or the state is unknown and
    that ``last_error`` says why; it never means "nothing there", which is an empty sequence.
    """

    def initialize(
        self,
        path: str = ...,
        /,
        *,
        login: int = ...,
        password: str = ...,
        server: str = ...,
        timeout: int = ...,
        portable: bool = ...,
    ) -> bool:
        """Connect to the terminal at ``path``; ``timeout`` in ms bounds only the last phase."""

    def login(
        self, login: int, /, *, password: str = ..., server: str = ..., timeout: int = ...
    ) -> bool:
        """Switch the terminal's account, for every client of that terminal."""

    def shutdown(self) -> bool:
        """Close the connection; always True."""

    def last_error(self) -> tuple[int, str]:
        """(code, text) of the last call of any thread."""

    def terminal_info(self) -> TerminalRecord | None:
        """TerminalInfo."""

    def account_info(self) -> TerminalRecord | None:
        """AccountInfo."""

    def symbol_info(self, symbol: str, /) -> TerminalRecord | None:
        """SymbolInfo."""

    def symbol_info_tick(self, symbol: str, /) -> TerminalRecord | None:
        """Tick; times are the server's wall clock."""

    def symbol_select(self, symbol: str, enable: bool = ..., /) -> bool:  # noqa: FBT001 - MT5's signature
        """Put a symbol into Market Watch or remove it."""

    def orders_get(
        self, *, symbol: str = ..., group: str = ..., ticket: int = ...
    ) -> Sequence[TerminalRecord] | None:
        """TradeOrder records; ticket beats symbol beats group."""

    def positions_get(
        self, *, symbol: str = ..., group: str = ..., ticket: int = ...
    ) -> Sequence[TerminalRecord] | None:
        """TradePosition records; ticket beats symbol beats group."""

    def history_orders_get(
        self,
        *dates: int | float | datetime,
        group: str = ...,
        ticket: int = ...,
        position: int = ...,
    ) -> Sequence[TerminalRecord] | None:
        """TradeOrder records between two server times, or by ticket or position."""

    def history_deals_get(
        self,
        *dates: int | float | datetime,
        group: str = ...,
        ticket: int = ...,
        position: int = ...,
    ) -> Sequence[TerminalRecord] | None:
        """TradeDeal records between two server times, or by deal ticket or position."""

    def order_check(self, request: dict[str, Any], /) -> TerminalRecord | None:
        """OrderCheckResult; retcode 0 is good."""

    def order_send(self, request: dict[str, Any], /) -> TerminalRecord | None:
        """OrderSendResult."""

    def order_calc_margin(
        self, action: int, symbol: str, volume: float, price: float, /
    ) -> float | None:
        """Margin in the account's currency."""

    def order_calc_profit(
        self, action: int, symbol: str, volume: float, price_open: float, price_close: float, /
    ) -> float | None:
        """Profit in the account's currency."""
