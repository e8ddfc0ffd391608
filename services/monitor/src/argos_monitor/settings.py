"""Whom the monitor expects, how often strategies speak, and where the ledger is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.environment import Environment
from argos_common.runtime.fleet import Fleet

SERVICES = ("gateway", "risk", "bridge", "reconciler", "monitor")
LEDGER_FILE = "ledger.db"


def ledger_url(environment: Environment, fleet: Fleet) -> str:
    """ARGOS_LEDGER_URL, else what the fleet's file says, else SQLite in the state folder."""
    named = environment.ledger_url or fleet.ledger_url
    return named or f"sqlite:///{environment.state.resolve() / LEDGER_FILE}"


def token_file(environment: Environment) -> Path:
    """Where the token is that Alertmanager must show: ARGOS_ALERTS_TOKEN_FILE, else with the secrets."""
    return Path(environment.alerts_token_file or environment.state / "secrets/alertmanager.token")


def watched_files(environment: Environment) -> tuple[Path | None, tuple[Path, ...]]:
    """The folder of backups, if there is one, and the certificates that will expire."""
    folder, files = environment.backup_folder, environment.certificates
    return Path(folder) if folder else None, tuple(map(Path, filter(None, files.split(":"))))


def strategy_periods(fleet: Fleet) -> Mapping[str, int]:
    """Strategy -> nanoseconds within which it should speak: its heartbeat's, else its bar's."""
    periods = {}
    for name, strategy in fleet.strategies.items():
        seconds = strategy.heartbeat_every_s or strategy.bar_s
        if seconds:
            periods[str(name)] = seconds * NS_PER_S
    return periods
