"""What this node takes from the fleet's configuration, with the password read in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import ConfigMistake
from argos_common.runtime.credentials import read_secret
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet, NodeSettings

from argos_mt5_node.core import simulated_accounts
from argos_mt5_node.core.standing import Expected

SETTLES_SIMULATED_S = 4.0
SETTLES_REAL_S = 60.0
LOOPBACK = ("", "127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedAccount:
    """One account of this node, and how to reach its terminal. `journal` and `lock` are files.

    `settles_s`: how long after connecting its history may still be incomplete. `send_s`, `read_s`,
    `start_s`: how long a send, a read, a start of the terminal may take.
    """

    config: AccountConfig
    expected: Expected
    module: str
    path: str
    address: str
    journal: Path
    lock: Path
    settles_s: float
    send_s: float
    read_s: float
    start_s: float
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt5NodeSettings:
    """`port` 0: a free one."""

    name: str
    port: int
    accounts: tuple[HostedAccount, ...]


def node_settings(
    fleet: Fleet, environment: Environment, variables: Mapping[str, str]
) -> Mt5NodeSettings:
    """Which node this process is, and its accounts. Raises ConfigMistake."""
    name = environment.node
    node = fleet.nodes.get(name)
    mine = [each for each, found in fleet.nodes.items() if found.kind == "mt5"]
    if node is None or node.kind != "mt5":
        known = ", ".join(mine) or "none"
        raise ConfigMistake(f"ARGOS_NODE is {name!r}, which is no mt5 node; there are: {known}")
    accounts = fleet.node_accounts(name)
    if node.terminal == "real" and environment.listen not in LOOPBACK and not environment.node_tls:
        raise ConfigMistake(
            f"node {name} has a real terminal and would listen on {environment.listen} to everyone:"
            " name certificates with ARGOS_NODE_CA_FILE, ARGOS_NODE_CERT_FILE and"
            " ARGOS_NODE_CERT_KEY_FILE"
        )
    if node.terminal == "real":
        hosted = _real(node, accounts, environment.state, variables)
    else:
        hosted = _simulated(node, accounts, environment)
    port = environment.node_port
    if port is None:
        port = int(node.address.rpartition(":")[2] or 0)
    return Mt5NodeSettings(name=name, port=port, accounts=hosted)


def _real(
    node: NodeSettings,
    accounts: tuple[AccountConfig, ...],
    state: Path,
    variables: Mapping[str, str],
) -> tuple[HostedAccount, ...]:
    secret = read_secret(node.password_file, node.password_env, state, variables)
    return tuple(
        HostedAccount(
            config=account,
            expected=_expected(account, node.login, node.server),
            module="real",
            path=node.path,
            address="",
            journal=_journal(state, account),
            lock=_lock(state, account),
            settles_s=SETTLES_REAL_S,
            send_s=20.0,
            read_s=10.0,
            start_s=180.0,
            password=secret.reveal() if secret else "",
        )
        for account in accounts
    )


def _simulated(
    node: NodeSettings, accounts: tuple[AccountConfig, ...], environment: Environment
) -> tuple[HostedAccount, ...]:
    state = environment.state
    address = environment.mt5_simulator or str(state / "simulator" / node.name / "port")
    logins = simulated_accounts.logins(accounts)
    return tuple(
        HostedAccount(
            config=account,
            expected=_expected(account, logins[account.account], simulated_accounts.SERVER),
            module="simulated",
            path=f"C:\\Argos\\{account.account}",
            address=address,
            journal=_journal(state, account),
            lock=_lock(state, account),
            settles_s=SETTLES_SIMULATED_S,
            send_s=3.0,
            read_s=3.0,
            start_s=15.0,
            password=simulated_accounts.PASSWORD,
        )
        for account in accounts
    )


def _expected(account: AccountConfig, login: int, server: str) -> Expected:
    return Expected(
        login=login,
        server=server,
        kind=account.kind,
        live=account.live,
        currency=account.currency,
    )


def _journal(state: Path, account: AccountConfig) -> Path:
    return state / "journals" / f"{account.account}.sqlite"


def _lock(state: Path, account: AccountConfig) -> Path:
    return state / "journals" / f"{account.account}.worker.lock"
