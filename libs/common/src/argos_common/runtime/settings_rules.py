"""The rules of `fleet.toml` that look at more than one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath

from argos_common.domain.instrument import AccountKind
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.toml_reader import Findings

_REAL_ONLY = ("login", "server", "password_file", "password_env", "path")


def arming_phrase(account: str) -> str:
    """What must be written to let an account trade real money."""
    return f"trade real money on {account}"


def check_across(fleet: Fleet, values: Mapping[str, object], findings: Findings) -> None:
    """Add every mistake that shows only when tables are compared."""
    _tokens(fleet, findings)
    _strategies(fleet, findings)
    _accounts(fleet, findings)
    _sharing(fleet, findings)
    _nodes(fleet, findings)
    _arming(fleet, values, findings)
    ours = {route.symbol for each in fleet.accounts.values() for route in each.symbols}
    for theirs, symbol in fleet.symbols.items():
        if symbol not in ours:
            findings.add(
                ("symbols", theirs), f"means {symbol!r}, which no account trades: add it to one"
            )


def _tokens(fleet: Fleet, findings: Findings) -> None:
    seen: dict[str, str] = {}
    for name, source in fleet.sources.items():
        for key, tokens in (
            ("token_hashes", source.token_hashes),
            ("token_files", source.token_files),
        ):
            for token in tokens:
                other = seen.setdefault(str(PurePath(token)), name)
                if other != name:
                    findings.add(
                        ("sources", name, key),
                        f"has a token that {other} has, too: give each source its own",
                    )


def _strategies(fleet: Fleet, findings: Findings) -> None:
    mapped = set(fleet.symbols.values())
    for name, strategy in fleet.strategies.items():
        path = ("strategies", name)
        for source in strategy.sources:
            if source not in fleet.sources:
                findings.add((*path, "sources"), f"names {source!r}, which is no source")
        for symbol in strategy.symbols:
            if symbol not in mapped:
                findings.add(
                    (*path, "symbols"), f"names {symbol!r}, which [symbols] maps nothing to"
                )
        for account in strategy.accounts:
            config = fleet.accounts.get(account)
            if config is None:
                findings.add((*path, "accounts"), f"names {account!r}, which is no account")
                continue
            traded = {route.symbol for route in config.symbols}
            for symbol in strategy.symbols:
                if symbol not in traded:
                    findings.add(
                        (*path, "symbols"),
                        f"names {symbol!r}, which account {account} does not trade: add it to"
                        f" accounts.{account}.symbols",
                    )


def _accounts(fleet: Fleet, findings: Findings) -> None:
    for name, config in fleet.accounts.items():
        path = ("accounts", name)
        node = fleet.nodes.get(config.node)
        if node is None:
            findings.add((*path, "node"), f"names {config.node!r}, which is no node")
        elif node.kind == "paper" and config.kind is not AccountKind.SPOT:
            findings.add((*path, "kind"), "must be spot on a paper node")
        elif node.kind == "mt5" and config.kind is AccountKind.SPOT:
            findings.add((*path, "kind"), "must be hedging or netting on an mt5 node")
        venue_symbols = [route.venue_symbol for route in config.symbols]
        for route in config.symbols:
            if venue_symbols.count(route.venue_symbol) > 1:
                findings.add(
                    (*path, "symbols", route.symbol),
                    f"means {route.venue_symbol!r}, as another symbol does: use one of them",
                )
        if config.live and config.settling_ns < 60_000_000_000:  # 60 s
            findings.add((*path, "settling_s"), "must be at least 60 where real money is at stake")


def _sharing(fleet: Fleet, findings: Findings) -> None:
    """One net position cannot be told apart between two strategies."""
    for name, config in fleet.accounts.items():
        if config.kind is AccountKind.HEDGING:
            continue
        owner: dict[str, str] = {}
        for route in config.strategies:
            for symbol in route.symbols:
                other = owner.setdefault(symbol, route.strategy)
                if other != route.strategy:
                    findings.add(
                        ("strategies", route.strategy, "accounts"),
                        f"shares {symbol} on {name} with {other}, but a {config.kind.name.lower()}"
                        " account has one position per symbol: use another account or symbol",
                    )


def _nodes(fleet: Fleet, findings: Findings) -> None:
    for name, node in fleet.nodes.items():
        path = ("nodes", name)
        served = fleet.node_accounts(name)
        real = node.kind == "mt5" and node.terminal == "real"
        if not served:
            findings.add(path, "serves no account: remove it, or name it as an account's node")
        for key in _REAL_ONLY:
            if getattr(node, key) and not real:
                findings.add((*path, key), 'is for a real terminal: write terminal = "real"')
        if not real:
            live = next((each.account for each in served if each.live), None)
            if live:
                findings.add(
                    ("accounts", live, "live"), f"is true, but node {name} is a simulation"
                )
            continue
        if len(served) > 1:
            findings.add(path, "a real terminal serves one account: add a node for the other")
        for key in ("login", "server"):
            if not getattr(node, key):
                findings.add((*path, key), "is missing: a real terminal needs it")
        if bool(node.password_file) == bool(node.password_env):
            findings.add(
                (*path, "password_file"), "give either password_file or password_env for the login"
            )


def _arming(fleet: Fleet, values: Mapping[str, object], findings: Findings) -> None:
    section = values.get("arming")
    armed: Mapping[str, object] = section if isinstance(section, dict) else {}
    for name, config in fleet.accounts.items():
        entry = armed.get(name)
        phrase = entry.get("phrase") if isinstance(entry, dict) else None
        if config.live and phrase != arming_phrase(name):
            findings.add(
                ("accounts", name, "live"),
                f"is true: real money also needs [arming.{name}] with"
                f' phrase = "{arming_phrase(name)}"',
            )
    live = {str(name) for name, config in fleet.accounts.items() if config.live}
    for armed_name in armed:
        if armed_name not in live:
            findings.add(("arming", armed_name), "arms no live account: remove it")
