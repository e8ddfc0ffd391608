"""What a campaign comes to: a document for machines, tables for people, a folder for what failed."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from argos_common.runtime.log import LogUnavailable
from argos_common.wire.codec import to_plain

from argos_cli.chaos.cycle import Outcome, Run
from argos_cli.chaos.faults import FAULTS
from argos_cli.client.history import read_now, write_recording
from argos_cli.client.opened import open_fleet
from argos_cli.exits import Ended


@dataclass(slots=True, kw_only=True)
class Campaign:
    """`skipped`: fault -> why this machine does not allow it. `asked`: how many cycles were wanted."""

    seed: int
    asked: int
    faults: tuple[str, ...]
    skipped: Mapping[str, str]
    outcomes: list[Outcome] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def held(self) -> bool:
        return len(self.outcomes) == self.asked and all(each.held for each in self.outcomes)


def replay_command(seed: int, faults: Sequence[str]) -> str:
    """Repeats the attack of one cycle."""
    named = "" if tuple(faults) == tuple(FAULTS) else f" --faults {','.join(faults) or 'none'}"
    return f"argos chaos --cycles 1 --seed {seed}{named}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def document(campaign: Campaign) -> dict[str, Any]:
    """Everything, JSON-ready."""
    outcomes = campaign.outcomes
    heals = [each.heal_s for each in outcomes if each.heal_s is not None]
    struck: Counter[str] = sum((each.struck for each in outcomes), Counter())
    answers: Counter[int] = sum((each.answers for each in outcomes), Counter())
    return {
        "chaos": "PASS" if campaign.held else "FAIL",
        "seed": campaign.seed,
        "cycles": len(outcomes),
        "cycles_asked": campaign.asked,
        "seconds": round(campaign.took_s, 1),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform()},
        "faults": {name: struck.get(name, 0) for name in campaign.faults},
        "skipped": dict(campaign.skipped),
        "alerts": sum(each.alerts for each in outcomes),
        "answers": {str(status): count for status, count in sorted(answers.items())},
        "signals": sum(each.signals for each in outcomes),
        "refusals": sum(each.refused for each in outcomes),
        "orders": sum(each.orders for each in outcomes),
        "exits_while_killed": sum(each.exits_in_kill for each in outcomes),
        "heal_s": {
            "p50": round(quantile(heals, 0.5), 1) if heals else None,
            "max": round(max(heals), 1) if heals else None,
        },
        "findings": [
            {
                "cycle": number,
                "seed": each.schedule.seed,
                **asdict(finding),
                "replay": replay_command(each.schedule.seed, campaign.faults),
            }
            for number, each in enumerate(outcomes, start=1)
            for finding in each.findings
        ],
        "outcomes": [_outcome(each) for each in outcomes],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "seed": outcome.schedule.seed,
        "held": outcome.held,
        "strikes": [asdict(strike) for strike in outcome.schedule.strikes],
        "habits": list(outcome.schedule.habits),
        "alerts": outcome.alerts,
        "orders": outcome.orders,
        "heal_s": None if outcome.heal_s is None else round(outcome.heal_s, 2),
        "seconds": round(outcome.took_s, 2),
        "state": outcome.state,
        "notes": list(outcome.notes),
    }


def fault_rows(campaign: Campaign) -> list[list[str]]:
    """One row per fault: how often, how fast the cycles with it healed."""
    rows = []
    for name, fault in FAULTS.items():
        if name in campaign.skipped:
            rows.append([name, "skipped", "", "", campaign.skipped[name]])
            continue
        if name not in campaign.faults:
            continue
        fired = sum(each.struck.get(name, 0) for each in campaign.outcomes)
        heals = [o.heal_s for o in campaign.outcomes if o.struck.get(name) and o.heal_s is not None]
        half, most = (f"{quantile(heals, 0.5):.1f}", f"{max(heals):.1f}") if heals else ("-", "-")
        rows.append([name, str(fired), half, most, fault.what])
    return rows


async def keep_evidence(run: Run, outcome: Outcome, folder: Path) -> None:
    """Everything there is about a cycle that failed; what cannot be read is left out and said."""
    await asyncio.to_thread(_write_evidence, run, outcome, folder)
    try:
        async with open_fleet(run.arena.state, stopped_too=True) as opened:
            write_recording(folder / "events.jsonl", await read_now(opened.log))
    except (Ended, LogUnavailable, OSError) as error:
        (folder / "events.missing").write_text(f"{error}\n", encoding="utf-8")


def _write_evidence(run: Run, outcome: Outcome, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    notes = run.notes
    _write(folder / "cycle.json", _outcome(outcome))
    _write(folder / "findings.json", [asdict(finding) for finding in outcome.findings])
    _write(folder / "status.json", run.status)
    _write(folder / "answers.json", [asdict(answer) for answer in notes.answers])
    _write(folder / "alerts.json", notes.sent)
    _write(folder / "broker.json", run.witness.entries)
    if run.evidence is not None:
        _write(folder / "evidence.json", to_plain(_without_keys(asdict(run.evidence))))
    shutil.copytree(run.arena.state / "logs", folder / "logs", dirs_exist_ok=True)


def _without_keys(evidence: dict[str, Any]) -> dict[str, Any]:
    positions = evidence["positions"].items()
    kills = [kill | {"named": sorted(kill["named"])} for kill in evidence["kills"]]
    return evidence | {
        "positions": [[account, symbol, str(held)] for (account, symbol), held in positions],
        "kills": kills,
    }


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, default=str) + "\n", encoding="utf-8")
