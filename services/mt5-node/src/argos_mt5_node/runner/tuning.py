"""How closely an account is watched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How often the terminal is read, in seconds, and how far it is trusted.

    `poll_s`: deals; `poll_hot_s`: for `hot_for_s` after a send. `facts_every_s`: how often quotes
    and how the account stands are read and passed on. `specs_every_s`: symbols are described anew. `scan_every_s`:
    deals are looked for further back. `history_settles_s`: how long after connecting the history
    may still be incomplete. `deviation_points`: how far the price may have moved, where it counts.
    """

    poll_s: float = 0.2
    poll_hot_s: float = 0.03
    hot_for_s: float = 0.5
    facts_every_s: float = 0.25
    specs_every_s: float = 10.0
    scan_every_s: float = 5.0
    history_settles_s: float = 60.0
    deviation_points: int = 20
