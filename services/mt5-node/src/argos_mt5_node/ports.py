"""What the node needs from the world outside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from argos_mt5_node.core.calls import Answer, Call


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


class TerminalDown(Exception):
    """The terminal cannot be asked now; none of the calls was begun. The text says why."""


class CallLost(Exception):
    """A call was begun and no answer came: what it did is unknown. The text says why."""


class Terminal(Protocol):
    """The terminal of one account, however it is reached. One batch of calls at a time."""

    async def ask(self, *calls: Call) -> list[Answer]:
        """The answers in order; fewer if the `must` of one did not hold. Bounded in time.

        Raises TerminalDown or CallLost. Cancelling the caller does not stop the calls.
        """
        ...

    async def kill(self) -> None:
        """End whatever call is under way by ending what runs it. It is dead when this returns."""
        ...

    async def alone(self) -> bool:
        """Whether nothing that an earlier process left behind can still be calling."""
        ...

    @property
    def life(self) -> int:
        """Counts how often the connection to the terminal was made anew."""
        ...
