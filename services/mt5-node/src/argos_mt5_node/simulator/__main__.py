"""``python -m argos_mt5_node.simulator``: run the simulated terminal and broker as a process."""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from argos_common.runtime.clock import SystemClock

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
    parser.add_argument("--seed", type=int, required=True, help="seed of prices and faults")
    parser.add_argument("--port", type=int, default=0, help="loopback port, 0 for any free one")
    parser.add_argument("--accounts", type=Path, help="JSON: accounts, symbols, server_offset_s")
    parser.add_argument("--parent-pid", type=int, help="exit when this process is gone")
    return parser.parse_args()


def _world(path: Path | None) -> tuple[list[AccountSpec], list[SymbolSpec], ServerClock]:
    """Accounts, symbols and server clock from a file; what it leaves out has defaults.

    The file is ``{"accounts": [...], "symbols": [...], "server_offset_s": 7200}``; a symbol
    replaces the default of the same name or adds one.
    """
    world: dict[str, Any] = {} if path is None else json.loads(path.read_text("utf-8"))
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
        accounts, symbols, server_clock = _world(arguments.accounts)
    except (OSError, ValueError, TypeError) as error:
        print(f"cannot use {arguments.accounts}: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    clock = SystemClock()
    now_ns = clock.now_ns()
    broker = SimulatedBroker(
        arguments.seed, accounts, symbols, now_ns=now_ns, clock=server_clock, deposit=False
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
        broker, store, clock, arguments.state_dir, parent_pid=arguments.parent_pid
    )
    await server.run(arguments.port)


if __name__ == "__main__":
    sys.exit(main())
