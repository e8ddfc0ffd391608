"""Symbol and account specifications of the simulated broker, and its server clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from argos_common.domain.times import NS_PER_S

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.records import ZERO

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSpec:
    """One tradable symbol. Prices are integers of ``point`` inside the market.

    ``depth`` is the book as (lots, points away from best) levels; empty means unlimited.
    ``noise_millipoints`` scales the price path; ``path_key`` lets "EURUSD.r" share the path
    of "EURUSD". ``weekend_closed`` closes the session on server-time Saturday and Sunday.
    """

    name: str
    digits: int
    contract_size: Decimal
    base_currency: str
    profit_currency: str
    margin_currency: str
    start_points: int
    spread_points: int
    spread_noise_points: int = 4
    noise_millipoints: int = 600
    path_key: str = ""
    volume_min: Decimal = Decimal("0.01")
    volume_max: Decimal = Decimal(500)
    volume_step: Decimal = Decimal("0.01")
    volume_limit: Decimal = ZERO
    stops_level: int = 0
    freeze_level: int = 0
    filling_mode: int = c.FILLING_FOK_BIT | c.FILLING_IOC_BIT
    exemode: int = c.EXECUTION_MARKET
    trade_mode: int = c.TRADE_MODE_FULL
    swap_long: Decimal = ZERO
    swap_short: Decimal = ZERO
    depth: tuple[tuple[Decimal, int], ...] = ()
    weekend_closed: bool = False

    @property
    def point(self) -> Decimal:
        """The smallest price step as a price."""
        return Decimal(1).scaleb(-self.digits)

    @property
    def is_forex(self) -> bool:
        """Margin is counted in the base currency, not on the price."""
        return self.margin_currency != self.profit_currency


def default_symbols() -> tuple[SymbolSpec, ...]:
    """Five liquid symbols and a suffixed alias, always open so that demos run on a Sunday."""

    def forex(name: str, digits: int, start: int, spread: int, swap: str) -> SymbolSpec:
        return SymbolSpec(
            name=name,
            digits=digits,
            contract_size=Decimal(100_000),
            base_currency=name[:3],
            profit_currency=name[3:],
            margin_currency=name[:3],
            start_points=start,
            spread_points=spread,
            swap_long=Decimal(swap),
            swap_short=Decimal("0.4"),
        )

    def metal(name: str, base: str, size: int, start: int, spread: int, noise: int) -> SymbolSpec:
        return SymbolSpec(
            name=name,
            digits=2,
            contract_size=Decimal(size),
            base_currency=base,
            profit_currency="USD",
            margin_currency="USD",
            start_points=start,
            spread_points=spread,
            noise_millipoints=noise,
        )

    eurusd = forex("EURUSD", 5, 108_500, 8, "-6.5")
    return (
        eurusd,
        forex("GBPUSD", 5, 127_200, 11, "-4.1"),
        forex("USDJPY", 3, 151_250, 9, "2.2"),
        replace(metal("XAUUSD", "XAU", 100, 236_400, 22, 4_000), spread_noise_points=8),
        replace(metal("BTCUSD", "BTC", 1, 6_725_000, 1_500, 120_000), spread_noise_points=500),
        replace(eurusd, name="EURUSD.r", path_key="EURUSD", spread_points=2),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """One account. Money is in ``currency``; commissions are positive costs per lot and deal.

    ``symbols`` limits what the account sees; empty means everything. ``deal_lag_ms`` is the
    inclusive range by which deals and position changes trail the answer in the terminal.
    """

    login: int
    password: str = "demo"  # noqa: S105 - a simulated account has no secret
    server: str = "Argos-Sim"
    name: str = "Simulated account"
    company: str = "Argos Simulated Broker"
    currency: str = "USD"
    balance: Decimal = Decimal(100_000)
    leverage: int = 100
    margin_mode: int = c.MARGIN_HEDGING
    trade_mode: int = 0
    limit_orders: int = 200
    limit_positions: int = 0
    commission_per_lot: Decimal = Decimal("3.50")
    fee_per_deal: Decimal = ZERO
    margin_call_percent: Decimal = Decimal(100)
    stop_out_percent: Decimal = Decimal(50)
    deal_lag_ms: tuple[int, int] = (0, 0)
    stop_magic_zero: bool = False
    symbols: tuple[str, ...] = ()

    @property
    def is_hedging(self) -> bool:
        """Hedging accounts hold several positions per symbol."""
        return self.margin_mode == c.MARGIN_HEDGING


def default_accounts() -> tuple[AccountSpec, ...]:
    """A hedging and a netting demo account whose deals trail their answers a little."""
    return (
        AccountSpec(login=10_001, name="Hedging demo", deal_lag_ms=(5, 40)),
        AccountSpec(
            login=10_002, name="Netting demo", margin_mode=c.MARGIN_NETTING, deal_lag_ms=(5, 40)
        ),
    )


def spec_from_json(
    cls: type[AccountSpec] | type[SymbolSpec], data: Mapping[str, Any]
) -> AccountSpec | SymbolSpec:
    """Build a specification from a JSON object; decimals may be strings or numbers.

    Raises ValueError naming the first unknown key.
    """
    known = {f.name: f for f in fields(cls)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known:
            message = f"unknown key {key!r} in {cls.__name__}; known: {', '.join(known)}"
            raise ValueError(message)
        kind = known[key].type
        if kind == "Decimal":
            values[key] = Decimal(str(value))
        elif key == "depth":
            values[key] = tuple((Decimal(str(lots)), int(points)) for lots, points in value)
        else:
            values[key] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerClock:
    """The broker's wall clock: an offset from UTC that may change (daylight saving).

    ``changes`` are (utc_ns, new offset in seconds), ascending.
    """

    offset_s: int = 2 * 3600
    changes: tuple[tuple[int, int], ...] = field(default=())

    def offset_at(self, now_ns: int) -> int:
        """Seconds to add to UTC at an instant."""
        offset = self.offset_s
        for at_ns, changed in self.changes:
            if now_ns >= at_ns:
                offset = changed
        return offset

    def server_ns(self, now_ns: int) -> int:
        """Server wall clock encoded as if it were UTC."""
        return now_ns + self.offset_at(now_ns) * NS_PER_S

    def server_s(self, now_ns: int) -> int:
        """Whole server seconds."""
        return self.server_ns(now_ns) // NS_PER_S

    def day(self, now_ns: int) -> int:
        """Number of the server day; day 0 was a Thursday."""
        return self.server_s(now_ns) // DAY_S
