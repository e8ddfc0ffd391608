"""What `fleet.toml` says, as values. Reading and checking it is in `settings`.

Nothing here is a secret: where a secret is needed, a file or an environment variable is named.
Accounts are the domain's own `AccountConfig`; they only propose, what counts is in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account, Source, Strategy, Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service listens. Port 0: a free one."""

    host: str = "127.0.0.1"
    port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """Who may send signals, in which dialect, how it proves itself.

    `token_hashes`: SHA-256 in hex of tokens; `token_files`: files that hold tokens, relative to the
    state folder. Together at most two, so that a token can be replaced without a gap.
    `receipt_bucket_s`: alerts of the same content without id or time are one within this.
    `max_age_s`: older signals are refused at the door.
    """

    name: Source
    dialect: str
    token_hashes: tuple[str, ...] = ()
    token_files: tuple[str, ...] = ()
    body_secret_file: str = ""
    body_secret_env: str = ""
    rate_per_minute: int = 600
    receipt_bucket_s: int = 10
    max_age_s: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategySettings:
    """A registered strategy. `heartbeat_every_s` 0: it sends none. `bar_s`: length of its bars."""

    name: Strategy
    sources: tuple[Source, ...]
    bot_versions: tuple[str, ...]
    symbols: tuple[Symbol, ...]
    accounts: tuple[Account, ...]
    heartbeat_every_s: int = 0
    bar_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """A venue node. `address` "host:port", empty: the supervisor picks a free one here.

    `kind` is "mt5" or "paper"; `terminal` "simulated" or "real" (mt5 only). The login fields are
    those of a real terminal. `seed` and `balance` are for simulated venues.
    """

    name: str
    kind: str
    address: str = ""
    terminal: str = "simulated"
    login: int = 0
    server: str = ""
    path: str = ""
    password_file: str = ""
    password_env: str = ""
    seed: int = 1
    balance: str = "100000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The whole fleet. `symbols` maps a sender's symbol to ours; `nats_url` empty: embedded.

    `ledger_url` empty: SQLite in the state folder.
    """

    name: str
    sources: Mapping[Source, SourceSettings]
    strategies: Mapping[Strategy, StrategySettings]
    accounts: Mapping[Account, AccountConfig]
    nodes: Mapping[str, NodeSettings]
    symbols: Mapping[str, Symbol]
    nats_url: str = ""
    ledger_url: str = ""
    gateway: Endpoint = field(default_factory=Endpoint)
    monitor: Endpoint = field(default_factory=Endpoint)

    def node_accounts(self, node: str) -> tuple[AccountConfig, ...]:
        """The accounts a node serves, in the order of the file."""
        return tuple(each for each in self.accounts.values() if each.node == node)
