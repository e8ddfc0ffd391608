"""``python -m argos_mt5_node.simulator``: run the simulated terminal and broker as a process."""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.settings import load_fleet

from argos_mt5_node.core.simulated_accounts import world as simulated_world
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.server import SimulatorServer
from argos_mt5_node.simulator.store import BrokerStore, StateMismatchError
from argos_mt5_node.simulator.symbols import (
    AccountSpec,
    ServerClock,
    SymbolSpec,
    default_accounts,
    default_symbols,
    spec_from_json,
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="argos_mt5_node.simulator", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="books and port file")
    parser.add_argument("--seed", type=int, help="seed of prices and faults; else the node's")
    parser.add_argument("--port", type=int, default=0, help="the port, 0 for any free one")
    parser.add_argument("--listen", default="127.0.0.1", help="the address, loopback by default")
    parser.add_argument("--fleet", type=Path, help="fleet.toml, for the accounts of --node")
    parser.add_argument("--node", default="", help="which node of it this terminal belongs to")
    parser.add_argument("--accounts", type=Path, help="JSON: accounts, symbols, server_offset_s")
    parser.add_argument("--parent-pid", type=int, help="exit when this process is gone")
    return parser.parse_args()


def _told(arguments: argparse.Namespace) -> tuple[int, dict[str, Any]]:
    """The seed and the world: those of a node of the fleet, or as the arguments name them.

    Raises OSError, ValueError or ConfigMistake.
    """
    if arguments.fleet is None:
        if arguments.seed is None:
            raise ValueError("name --seed, or --fleet and --node")
        text = "{}" if arguments.accounts is None else arguments.accounts.read_text("utf-8")
        return arguments.seed, json.loads(text)
    fleet = load_fleet(arguments.fleet)
    node = fleet.nodes.get(arguments.node)
    if node is None or node.kind != "mt5" or node.terminal != "simulated":
        raise ValueError(f"{arguments.node!r} is no mt5 node with a simulated terminal")
    return node.seed, simulated_world(fleet.node_accounts(node.name), node.balance)


def _world(
    world: dict[str, Any],
) -> tuple[list[AccountSpec], list[SymbolSpec], ServerClock]:
    """Accounts, symbols and server clock; what is left out has defaults.

    The world is ``{"accounts": [...], "symbols": [...], "server_offset_s": 7200}``; a symbol
    replaces the default of the same name or adds one.
    """
    accounts = [spec_from_json(AccountSpec, item) for item in world.get("accounts", ())]
    symbols = {spec.name: spec for spec in default_symbols()}
    for item in world.get("symbols", ()):
        symbol = spec_from_json(SymbolSpec, item)
        if isinstance(symbol, SymbolSpec):
            symbols[symbol.name] = symbol
    known = [account for account in accounts if isinstance(account, AccountSpec)]
    clock = ServerClock(offset_s=int(world.get("server_offset_s", 2 * 3600)))
    return known or list(default_accounts()), list(symbols.values()), clock


def main() -> int:
    """Restore the books, serve until SIGTERM; 2 if the settings cannot be used."""
    arguments = _arguments()
    try:
        seed, world = _told(arguments)
        accounts, symbols, server_clock = _world(world)
    except (OSError, ValueError, TypeError, ConfigMistake) as error:
        named = arguments.fleet or arguments.accounts
        print(f"cannot use {named}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    clock = SystemClock()
    now_ns = clock.now_ns()
    broker = SimulatedBroker(
        seed, accounts, symbols, now_ns=now_ns, clock=server_clock, deposit=False
    )
    try:
        store = BrokerStore(arguments.state_dir)
        store.restore(broker)
    except sqlite3.DatabaseError as error:
        print(f"cannot open the books in {arguments.state_dir}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    except StateMismatchError as error:
        print(f"cannot use {arguments.state_dir}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    for login, book in broker.state.books.items():
        if not book.deals:
            broker.deposit(login, book.spec.balance, now_ns)
    store.save(broker, force=True)
    asyncio.run(_serve(broker, store, clock, arguments))
    store.close()
    return 0


async def _serve(
    broker: SimulatedBroker, store: BrokerStore, clock: SystemClock, arguments: argparse.Namespace
) -> None:
    server = SimulatorServer(
        broker,
        store,
        clock,
        arguments.state_dir,
        parent_pid=arguments.parent_pid,
        host=arguments.listen,
    )
    await server.run(arguments.port)


if __name__ == "__main__":
    sys.exit(main())
