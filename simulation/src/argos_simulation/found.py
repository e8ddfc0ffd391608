"""Seeds that once found something: what a campaign must never find again."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from argos_simulation.campaign import ALERTS_MANY, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`showed`: what was wrong, in one sentence. `held_by`: the test that holds it by itself."""

    run: Run
    showed: str
    held_by: str


def found_seeds() -> tuple[Found, ...]:
    """All on record."""
    text = files("argos_simulation").joinpath("found_seeds.toml").read_text()
    return tuple(
        Found(
            run=Run(
                seed=row["seed"],
                minutes=row["minutes"],
                alerts_most=row.get("alerts_most", ALERTS_MANY),
                faults=tuple(row["faults"]) if "faults" in row else None,
            ),
            showed=row["showed"],
            held_by=row["held_by"],
        )
        for row in tomllib.loads(text).get("seed", ())
    )
