"""The simulated fleet: three accounts of three kinds, four strategies, and who may send."""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.config import AccountConfig, Limits, StrategyRoute, SymbolRoute
from argos_common.domain.ids import Account, Source, Strategy, Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.domain.signal import QuantityRule
from argos_common.domain.times import NS_PER_S
from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.core.exchange import FeeHabit, Fees
from argos_exchange_node.core.market import Market
from argos_gateway.core.access import Access
from argos_gateway.core.intake import Door, KnownSource, KnownStrategy
from argos_mt5_node.core.standing import Expected

D = Decimal
SOURCE = Source("desk")
VERSION = "sim-1"
SECRET = "canary-7f3a-never-to-be-seen"  # noqa: S105  # a canary, no secret of anybody
"""The source's secret: every alert carries it, nothing may show it."""
HEDGE, NET, SPOT = Account("hedge"), Account("net"), Account("spot")
MT5_NODE, PAPER_NODE = "mt5", "paper"
LOGINS = {HEDGE: 10_001, NET: 10_002}
STRATEGIES: dict[str, str] = {
    "trend": "EURUSD",
    "swing": "XAUUSD",
    "cable": "GBPUSD",
    "stacker": "BTCUSD",
}
"""Strategy -> the symbol it trades: on a netting account one strategy per symbol."""

_QUANTITY = {"trend": D("0.20"), "swing": D("0.10"), "cable": D("0.10"), "stacker": D("0.02")}
_ROUTES: dict[Account, tuple[str, ...]] = {
    HEDGE: ("trend", "swing", "cable", "stacker"),
    NET: ("trend", "swing"),
    SPOT: ("stacker",),
}
_STOP_DISTANCE = {"EURUSD": "0.0040", "XAUUSD": "15", "GBPUSD": "0.0060", "BTCUSD": "900"}


def stop_distance(symbol: str, *, tight: bool) -> str:
    """How far away a protective stop is; a tight one is likely to be hit."""
    distance = D(_STOP_DISTANCE[symbol])
    return str(distance / 10 if tight else distance)


QUANTITY_MAX = D(5)


def configs(*, quantity_max: Decimal = QUANTITY_MAX) -> tuple[AccountConfig, ...]:
    """The accounts' configurations; waits are short, so that a simulation comes to rest."""
    kinds = {HEDGE: AccountKind.HEDGING, NET: AccountKind.NETTING, SPOT: AccountKind.SPOT}
    return tuple(_config(account, kinds[account], quantity_max) for account in _ROUTES)


def _config(account: Account, kind: AccountKind, quantity_max: Decimal) -> AccountConfig:
    routes = tuple(
        StrategyRoute(
            strategy=Strategy(name),
            bot_versions=(VERSION,),
            symbols=(Symbol(STRATEGIES[name]),),
            quantity_rule=QuantityRule.FIXED,
            quantity=_QUANTITY[name],
            require_stop=kind is not AccountKind.SPOT,
        )
        for name in _ROUTES[account]
    )
    return AccountConfig(
        account=account,
        node=PAPER_NODE if kind is AccountKind.SPOT else MT5_NODE,
        kind=kind,
        currency="USD",
        live=False,
        limits=Limits(
            order_quantity_max=quantity_max,
            order_value_max=D(500_000),
            open_positions_max=3,  # below the number of strategies, so that it bites
            daily_loss_max=D(20_000),
            account_value_max=D(2_000_000),
            risk_percent_max=D(5),
        ),
        strategies=routes,
        symbols=tuple(
            SymbolRoute(symbol=Symbol(STRATEGIES[name]), venue_symbol=STRATEGIES[name])
            for name in _ROUTES[account]
        ),
        exit_deadline_ns=30 * NS_PER_S,
        submit_window_ns=8 * NS_PER_S,  # longer than a kill takes, so that late calls tell
        settling_ns=5 * NS_PER_S,  # longer than the latest deal of a late venue
        watch_ns=8 * NS_PER_S,
    )


def routed(strategy: str) -> tuple[Account, ...]:
    """The accounts that a strategy's signals concern."""
    return tuple(account for account, names in _ROUTES.items() if strategy in names)


def access() -> Access:
    """What the gateway's door knows."""
    known = KnownStrategy(sources=(SOURCE,), bot_versions=(VERSION,))
    return Access(
        door=Door(
            strategies=dict.fromkeys(STRATEGIES, known),
            symbols={name: Symbol(name) for name in STRATEGIES.values()},
        ),
        sources={
            SOURCE: KnownSource(
                name=SOURCE,
                dialect="argos",
                max_age_ns=60 * NS_PER_S,
                bucket_ns=10 * NS_PER_S,
                body_secret=SECRET,
            )
        },
        token_hashes={},
        rates={SOURCE: 100_000},
    )


def expected(config: AccountConfig) -> Expected:
    """How the terminal of a MetaTrader account should stand."""
    return Expected(
        login=LOGINS[config.account],
        server="Argos-Sim",
        kind=config.kind,
        live=False,
        currency=config.currency,
    )


def terminal_path(account: Account) -> str:
    """Where the account's terminal is installed."""
    return f"C:\\{account}"


def paper_account(seed: int) -> PaperAccount:
    """The spot account; every other seed the venue takes its fees in the base asset."""
    market = Market(
        symbol=Symbol("BTCUSD"),
        venue_symbol="BTCUSD",
        base="BTC",
        quote="USD",
        base_price=D(67_250),
        spread=D(15),
        price_tick=D("0.01"),
        quantity_min=D("0.0001"),
        quantity_max=D(1_000),
        quantity_step=D("0.0001"),
    )
    habit = FeeHabit.BASE if seed % 2 else FeeHabit.QUOTE
    return PaperAccount(
        account=SPOT,
        currency="USD",
        markets=(market,),
        fees=Fees(rate=D("0.001"), habit=habit),
        seed=seed,
        balances={"USD": D(100_000)},
    )
