"""Reading `fleet.toml`: every mistake at once, each with its line and a sentence with the fix.

The file only proposes. `account_documents` gives what enters the log for each account; what is
decided with is the newest document there.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from argos_common.domain.config import AccountConfig, Limits, StrategyRoute, SymbolRoute
from argos_common.domain.errors import ConfigMistake
from argos_common.domain.ids import Account, Source, Strategy, Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.domain.signal import QuantityRule
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.fleet import (
    Endpoint,
    Fleet,
    NodeSettings,
    SourceSettings,
    StrategySettings,
)
from argos_common.runtime.settings_rules import check_across
from argos_common.runtime.toml_lines import TomlLines
from argos_common.runtime.toml_reader import Findings, Mistake, Table
from argos_common.wire.codec import to_json

DIALECTS = ("argos", "tradingview")
KINDS = {kind.name.lower(): kind for kind in AccountKind}
QUANTITY_RULES = {
    rule.name.lower(): rule
    for rule in QuantityRule
    if rule not in {QuantityRule.STRATEGY, QuantityRule.POSITION_PERCENT}
}
TOKENS_MAX = 2

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class AccountDocument:
    """What enters the log for one account: canonical JSON, and its SHA-256 in hex."""

    config_hash: str
    document: str


def load_fleet(path: Path) -> Fleet:
    """The fleet in a file. Raises ConfigMistake with every mistake of it, one per line."""
    fleet, mistakes = _read(path)
    if mistakes:
        many = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise ConfigMistake(f"{path} has {many}:\n" + "\n".join(f"  {each}" for each in mistakes))
    return fleet


def check_fleet(path: Path) -> list[Mistake]:
    """Every mistake of a file, by line; empty if it can be used."""
    try:
        return _read(path)[1]
    except ConfigMistake as error:
        return [Mistake(1, "", str(error))]


def account_documents(fleet: Fleet) -> dict[Account, AccountDocument]:
    """What the log should hold as each account's configuration."""
    return {name: account_document(config) for name, config in fleet.accounts.items()}


def account_document(config: AccountConfig) -> AccountDocument:
    """The document of one account. The same configuration always has the same hash."""
    document = to_json(config)
    return AccountDocument(hashlib.sha256(document.encode()).hexdigest(), document)


def _read(path: Path) -> tuple[Fleet, list[Mistake]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigMistake(
            f"there is no {path}: name the file with --config or ARGOS_CONFIG"
        ) from None
    except UnicodeDecodeError:
        raise ConfigMistake(
            f"{path} cannot be read (it is not UTF-8 text): save it as UTF-8"
        ) from None
    except OSError as error:
        raise ConfigMistake(
            f"{path} cannot be read ({error.strerror}): name a file that can be, with --config or"
            " ARGOS_CONFIG"
        ) from None
    try:
        # Decimal, so that what is written is what counts; `nan` and `inf` are found out later.
        values = tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, ArithmeticError) as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at.group(1)) if at else max(1, text.count("\n"))
        raise ConfigMistake(f"{path} is not TOML: {error}; correct line {line}") from None
    findings = Findings(TomlLines(text))
    fleet = _fleet(Table(values, (), findings))
    findings.settle()
    check_across(fleet, values, findings)
    return fleet, sorted(findings.mistakes)


def _fleet(root: Table) -> Fleet:
    strategies = root.table("strategies", required=True)
    routes: dict[str, list[StrategyRoute]] = {}
    known = {name: _strategy(Strategy(name), t, routes) for name, t in _named(strategies)}
    accounts = root.table("accounts", required=True)
    nats, ledger = root.table("nats"), root.table("ledger")
    fleet = Fleet(
        name=root.text("name", "argos"),
        nats_url=nats.text("url", ""),
        ledger_url=ledger.text("url", ""),
        gateway=_endpoint(root.table("gateway"), 8700),
        monitor=_endpoint(root.table("monitor"), 8701),
        sources={Source(n): _source(Source(n), t) for n, t in _named(root.table("sources"))},
        strategies={Strategy(name): each for name, each in known.items()},
        accounts={
            Account(n): _account(Account(n), t, tuple(routes.get(n, ())))
            for n, t in _named(accounts)
        },
        nodes={n: _node(n, t) for n, t in _named(root.table("nodes", required=True))},
        symbols={
            theirs: Symbol(ours)
            for theirs, ours in root.table("symbols", required=True).entries().items()
        },
    )
    for table in (nats, ledger):
        table.done()
    for table in root.table("arming").tables().values():
        table.text("phrase", "")
        table.done()
    root.done()
    return fleet


def _named(parent: Table) -> list[tuple[str, Table]]:
    tables = list(parent.tables().items())
    for name, _ in tables:
        if not _NAME.match(name):
            parent.add(name, "is no name: use up to 40 of a-z, 0-9, - and _")
    return tables


def _endpoint(table: Table, port: int) -> Endpoint:
    found = Endpoint(
        host=table.text("host", "127.0.0.1"), port=table.integer("port", port, high=65_535)
    )
    table.done()
    return found


def _source(name: Source, table: Table) -> SourceSettings:
    source = SourceSettings(
        name=name,
        dialect=table.text("dialect", choices=DIALECTS),
        token_hashes=table.texts("token_hashes", required=False, most=TOKENS_MAX),
        token_files=table.texts("token_files", required=False, most=TOKENS_MAX),
        body_secret_file=table.text("body_secret_file", ""),
        body_secret_env=table.text("body_secret_env", ""),
        rate_per_minute=table.integer("rate_per_minute", 600, low=1, high=1_000_000),
        receipt_bucket_s=table.integer("receipt_bucket_s", 10, low=1, high=3600),
        max_age_s=table.integer("max_age_s", 30, low=1, high=_DAY_S),
    )
    for each in source.token_hashes:
        if not _HASH.match(each):
            table.add("token_hashes", "holds a text that is not a SHA-256 in 64 hex digits")
    if not 1 <= len(source.token_hashes) + len(source.token_files) <= TOKENS_MAX:
        table.add("", "needs one or two tokens, as token_files or token_hashes")
    if source.body_secret_file and source.body_secret_env:
        table.add("body_secret_env", "give either body_secret_file or body_secret_env, not both")
    table.done()
    return source


def _strategy(
    name: Strategy, table: Table, routes: dict[str, list[StrategyRoute]]
) -> StrategySettings:
    found = StrategySettings(
        name=name,
        sources=tuple(Source(each) for each in table.texts("sources")),
        bot_versions=table.texts("bot_versions"),
        symbols=tuple(Symbol(each) for each in table.texts("symbols")),
        accounts=tuple(Account(each) for each in table.texts("accounts")),
        heartbeat_every_s=table.integer("heartbeat_every_s", 0, high=_DAY_S),
        bar_s=table.integer("bar_s", 0, high=31 * _DAY_S),
    )
    rule = QUANTITY_RULES[table.text("quantity_rule", choices=tuple(QUANTITY_RULES))]
    quantity = table.number("quantity")
    require_stop = table.flag("require_stop", default=True)
    multipliers = table.table("multipliers")
    for account in found.accounts:
        routes.setdefault(account, []).append(
            StrategyRoute(
                strategy=name,
                bot_versions=found.bot_versions,
                symbols=found.symbols,
                quantity_rule=rule,
                quantity=quantity,
                multiplier=multipliers.number(account, Decimal(1)),
                require_stop=require_stop,
            )
        )
    multipliers.done()
    if rule in {QuantityRule.RISK_PERCENT, QuantityRule.RISK_AMOUNT} and not require_stop:
        table.add("require_stop", "must be true where the size comes from the stop's distance")
    table.done()
    return found


def _account(name: Account, table: Table, routes: tuple[StrategyRoute, ...]) -> AccountConfig:
    symbols = table.table("symbols", required=True)
    limits = table.table("limits", required=True)
    config = AccountConfig(
        account=name,
        node=table.text("node"),
        kind=KINDS[table.text("kind", choices=tuple(KINDS))],
        currency=table.text("currency"),
        live=table.flag("live", default=False),
        limits=_limits(limits),
        strategies=routes,
        symbols=tuple(
            SymbolRoute(symbol=Symbol(ours), venue_symbol=theirs)
            for ours, theirs in sorted(symbols.entries().items())
        ),
        entry_deadline_ns=_seconds(table, "entry_deadline_s", "10"),
        exit_deadline_ns=_seconds(table, "exit_deadline_s", "600"),
        submit_window_ns=_seconds(table, "submit_window_s", "5"),
        doubt_grace_ns=_seconds(table, "doubt_grace_s", "2"),
        settling_ns=_seconds(table, "settling_s", "60"),
        watch_ns=_seconds(table, "watch_s", "86400"),
    )
    table.done()
    return config


def _limits(table: Table) -> Limits:
    limits = Limits(
        order_quantity_max=table.number("order_quantity_max"),
        order_value_max=table.number("order_value_max"),
        open_positions_max=table.integer("open_positions_max", low=1, high=10_000),
        daily_loss_max=table.number("daily_loss_max"),
        account_value_max=table.number("account_value_max"),
        risk_percent_max=table.number("risk_percent_max"),
        signal_age_max_ns=_seconds(table, "signal_age_max_s", "30"),
        facts_age_max_ns=_seconds(table, "facts_age_max_s", "3"),
    )
    if limits.risk_percent_max > 100:  # percent
        table.add("risk_percent_max", "is a percentage of equity, at most 100")
    table.done()
    return limits


def _seconds(table: Table, key: str, default: str) -> int:
    return int(table.number(key, Decimal(default)) * NS_PER_S)


def _node(name: str, table: Table) -> NodeSettings:
    node = NodeSettings(
        name=name,
        kind=table.text("kind", choices=("mt5", "paper")),
        address=table.text("address", ""),
        terminal=table.text("terminal", "simulated", choices=("simulated", "real")),
        login=table.integer("login", 0),
        server=table.text("server", ""),
        path=table.text("path", ""),
        password_file=table.text("password_file", ""),
        password_env=table.text("password_env", ""),
        seed=table.integer("seed", 1),
        balance=str(table.number("balance", Decimal(100_000))),
    )
    if node.address and not re.fullmatch(r"(tls://)?[^:/\s]+:\d{1,5}", node.address):
        table.add("address", f"is {node.address!r}, must be host:port or tls://host:port")
    table.done()
    return node
