"""What the broker's books are made of.

Money, prices and volumes are Decimal; times are nanoseconds since the Unix epoch, UTC (``_ns``).
The server's wall clock appears only in ``views``. All entries are immutable: a change replaces
the entry, so an older view of the books (a lagging terminal) can simply keep the old object.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from argos_mt5_node.simulator.constants import RES_OK

ZERO = Decimal(0)

Origin = Literal["expert", "manual", "broker"]
"""Who caused an entry: our requests, a human at the same account, or the broker itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRequest:
    """One request as MT5 sees it; absent keys are zero. ``expiration`` is in server seconds."""

    action: int = 0
    magic: int = 0
    order: int = 0
    symbol: str = ""
    volume: Decimal = ZERO
    price: Decimal = ZERO
    stoplimit: Decimal = ZERO
    sl: Decimal = ZERO
    tp: Decimal = ZERO
    deviation: int = 0
    type: int = 0
    type_filling: int = 0
    type_time: int = 0
    expiration: int = 0
    comment: str = ""
    position: int = 0
    position_by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order, working or done."""

    ticket: int
    symbol: str
    type: int
    type_filling: int
    type_time: int
    expiration: int
    state: int
    magic: int
    comment: str
    reason: int
    volume_initial: Decimal
    volume_current: Decimal
    price_open: Decimal
    price_stoplimit: Decimal
    sl: Decimal
    tp: Decimal
    position_id: int
    position_by_id: int
    time_setup_ns: int
    time_done_ns: int
    visible_ns: int
    close_ticket: int = 0  # hedging: the position ticket this order closes
    triggered: bool = False  # a stop-limit whose stop was reached and that now rests as a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One execution, or a balance operation (type 2). Profit, commission, swap, fee are signed."""

    ticket: int
    order: int
    symbol: str
    type: int
    entry: int
    magic: int
    position_id: int
    reason: int
    volume: Decimal
    price: Decimal
    commission: Decimal
    swap: Decimal
    profit: Decimal
    fee: Decimal
    comment: str
    time_ns: int
    visible_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position. ``ticket`` may change (reversal, swap); ``identifier`` never does."""

    ticket: int
    identifier: int
    symbol: str
    type: int
    magic: int
    comment: str
    reason: int
    volume: Decimal
    price_open: Decimal
    sl: Decimal
    tp: Decimal
    swap: Decimal
    time_ns: int
    time_update_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeResult:
    """The trade server's answer to one request."""

    retcode: int
    deal: int = 0
    order: int = 0
    volume: Decimal = ZERO
    price: Decimal = ZERO
    bid: Decimal = ZERO
    ask: Decimal = ZERO
    comment: str = ""
    request_id: int = 0
    retcode_external: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the client gets to see of a send.

    ``result`` None means the call returns None with ``error`` in the error slot.
    ``after_ms`` is the delay of the answer; None means the call never returns.
    """

    result: TradeResult | None
    error: int = RES_OK
    after_ms: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerEntry:
    """One line of the broker's own append-only record, the independent witness for tests.

    ``kind`` is ``request`` (a request reached the broker; ``retcode`` is its true outcome,
    whatever was answered), ``order`` (an order was accepted) or ``deal`` (an execution).
    ``comment`` and ``magic`` are as sent; ``comment_stored`` is what the books show.
    ``received_ns`` is when the causing request arrived; ``time_ns`` when this happened.
    """

    seq: int
    kind: Literal["request", "order", "deal"]
    login: int
    origin: Origin
    time_ns: int
    received_ns: int
    action: int
    retcode: int
    order: int
    deal: int
    position_id: int
    symbol: str
    type: int
    entry: int
    reason: int
    volume: Decimal
    price: Decimal
    magic: int
    comment: str
    comment_stored: str
