"""What waits for a person's word: a discrepancy, a configuration that raises a limit. With a real risk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from argos_cli.fleet.plan import Process, processes
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.control import ConfigApplied
from argos_common.domain.ids import Account, Symbol
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.settings import account_document, load_fleet
from argos_common.wire import subjects

from cli.tests.conftest import Argos, Record

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"
ACCOUNT = Account("mt5-hedge")
FOUND = DiscrepancyFound(
    discrepancy_id="unknown_position-9_0",
    account=ACCOUNT,
    symbol=Symbol("GBPUSD"),
    kind=DiscrepancyKind.UNKNOWN_POSITION,
    expected="0",
    actual="-0.2",
    sentence="-0.2 GBPUSD is held that nobody here opened",
    since_ns=1,
    found_at_ns=2,
)


def smaller() -> ConfigApplied:
    """The account with a smaller limit than fleet.toml has: fleet.toml raises it."""
    account = load_fleet(FLEET_TOML).accounts[ACCOUNT]
    document = account_document(
        replace(account, limits=replace(account.limits, open_positions_max=3))
    )
    return ConfigApplied(
        account=ACCOUNT,
        config_hash=document.config_hash,
        document=document.document,
        tightening=True,
        actor="test",
        reason="first",
        asked_at_ns=1,
    )


def only_risk(
    fleet: Fleet, state: Path, env: dict[str, str], ports: Mapping[str, int]
) -> tuple[Process, ...]:
    return tuple(each for each in processes(fleet, state, env, ports) if each.name == "risk")


def test_an_operator_ends_what_only_a_person_can(record: Record, argos: Argos) -> None:
    state = record(
        [
            (subjects.control(ACCOUNT), smaller()),
            (subjects.reconcile(ACCOUNT, "discrepancy", FOUND.discrepancy_id), FOUND),
        ]
    )

    def said(words: str, code: int = 0) -> str:
        result = argos(*words.split(), "--state", str(state))
        assert result.exit_code == code, result.output
        return str(result.stdout + result.stderr)

    def at_the_desk() -> None:
        assert FOUND.sentence in said("discrepancy list")
        assert "see `argos discrepancy list`" in said("discrepancy resolve x --reason y", 2)
        assert "is resolved" in said("discrepancy resolve unknown_pos --reason mine")
        assert json.loads(said("discrepancy list --json")) == []

        assert "use one of" in said("config approve --account nobody --reason y", 2)
        assert "nothing waits" in said("config approve --account paper-spot --reason y", 1)
        approved = said(f"config approve --account {ACCOUNT} --reason tested")
        assert "open_positions_max rises from 3 to 20" in approved
        assert "is in force" in approved

        assert "nothing called EURSUD" in said("flatten --reason y --symbol EURSUD", 1)
        assert "use one of" in said("flatten --reason y --account nobody", 2)
        assert "use one of" in said("resume --yes --reason y --account nobody", 2)

    async def with_risk() -> None:
        free = {"gateway": 0, "monitor": 0}
        async with EmbeddedFleet(FLEET_TOML, state, ports=free, planner=only_risk):
            await asyncio.to_thread(at_the_desk)

    asyncio.run(with_risk())
