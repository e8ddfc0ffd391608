"""What the exchange node takes from the fleet's configuration: its paper accounts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import ConfigMistake
from argos_common.domain.ids import Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet, NodeSettings

from argos_exchange_node.core.account import PaperAccount
from argos_exchange_node.core.exchange import FeeHabit, Fees
from argos_exchange_node.core.market import Market

FEES = Fees(Decimal("0.001"), FeeHabit.BASE)


def _market(name: str, base: str, quote: str, price: str, spread: str, step: str) -> Market:
    return Market(
        symbol=Symbol(name),
        venue_symbol=name,
        base=base,
        quote=quote,
        base_price=Decimal(price),
        spread=Decimal(spread),
        price_tick=Decimal("0.01"),
        quantity_min=Decimal(step) * 10,
        quantity_max=Decimal(1_000),
        quantity_step=Decimal(step),
    )


MARKETS = (
    _market("BTCUSD", "BTC", "USD", "60000", "4", "0.00001"),
    _market("ETHUSD", "ETH", "USD", "3000", "0.5", "0.0001"),
    _market("BTCUSDT", "BTC", "USDT", "60000", "4", "0.00001"),
    _market("ETHUSDT", "ETH", "USDT", "3000", "0.5", "0.0001"),
)
"""What the paper venue trades, by its own names."""


def paper_accounts(fleet: Fleet, environment: Environment) -> tuple[PaperAccount, ...]:
    """The accounts of this node. Raises ConfigMistake."""
    name = environment.node
    node = fleet.nodes.get(name)
    if node is None:
        known = ", ".join(sorted(fleet.nodes)) or "none"
        raise ConfigMistake(f"ARGOS_NODE is {name!r}; the nodes of fleet.toml are {known}")
    if node.kind != "paper":
        raise ConfigMistake(f"node {name} is of kind {node.kind}; this program hosts paper nodes")
    return tuple(_account(node, each) for each in fleet.node_accounts(name))


def listen_port(fleet: Fleet, environment: Environment) -> int:
    """Where to listen on the loopback interface; 0: a free port."""
    if environment.node_port is not None:
        return environment.node_port
    address = fleet.nodes[environment.node].address
    return int(address.rpartition(":")[2]) if address else 0


def _account(node: NodeSettings, config: AccountConfig) -> PaperAccount:
    if config.kind is not AccountKind.SPOT:
        raise ConfigMistake(f'account {config.account} must have kind = "spot" on a paper node')
    if config.live:
        raise ConfigMistake(f"account {config.account} cannot be live on a paper node")
    known = {market.venue_symbol: market for market in MARKETS if market.quote == config.currency}
    markets = []
    for route in config.symbols:
        market = known.get(route.venue_symbol)
        if market is None:
            offered = ", ".join(sorted(known)) or "nothing"
            raise ConfigMistake(
                f"account {config.account} names {route.venue_symbol}; in {config.currency} the"
                f" paper venue trades {offered}"
            )
        markets.append(replace(market, symbol=route.symbol))
    return PaperAccount(
        account=config.account,
        currency=config.currency,
        markets=tuple(markets),
        fees=FEES,
        seed=node.seed,
        balances={config.currency: Decimal(node.balance)},
    )
