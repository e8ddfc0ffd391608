"""What of a seed's run is left in when it is run again, to find how little of it still fails.

A seed draws its alerts and its faults; a cut keeps some of them and changes none. So whatever is
left of a run plays as it did, until it meets what was left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from argos_common.domain.errors import BadInput

Firing = tuple[str, int]
"""A fault, and how often it had fired before in this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Which parts are kept; None: all of them, and the whole span.

    `alerts`: the numbers of those that are sent. `firings`: those that happen. `until_s`: virtual
    seconds after which faults heal.
    """

    alerts: frozenset[int] | None = None
    firings: frozenset[Firing] | None = None
    until_s: float | None = None

    def options(self) -> str:
        """As the command takes it; empty if nothing is cut."""
        said = []
        if self.until_s is not None:
            said.append(f"--until {self.until_s:g}")
        if self.alerts is not None:
            said.append(f"--alerts {','.join(map(str, sorted(self.alerts))) or 'none'}")
        if self.firings is not None:
            kept = ",".join(f"{name}:{at}" for name, at in sorted(self.firings))
            said.append(f"--firings {kept or 'none'}")
        return " ".join(said)


WHOLE = Cut()
NONE = "none"


def alerts_of(text: str) -> frozenset[int] | None:
    """`3,7` as numbers of alerts; empty text: all. Raises BadInput."""
    if not text:
        return None
    parts = [] if text == NONE else text.split(",")
    if not all(part.isdigit() for part in parts):
        raise BadInput(f"--alerts {text!r} is not a list of numbers: write for instance 0,3,7")
    return frozenset(int(part) for part in parts)


def firings_of(text: str, known: tuple[str, ...]) -> frozenset[Firing] | None:
    """`node-slow:0,node-slow:4` as firings; empty text: all. Raises BadInput."""
    if not text:
        return None
    found = []
    for part in [] if text == NONE else text.split(","):
        name, _, at = part.partition(":")
        if name not in known or not at.isdigit():
            raise BadInput(
                f"--firings has {part!r}, which is not FAULT:NUMBER: write for instance"
                f" {known[0]}:0"
            )
        found.append((name, int(at)))
    return frozenset(found)
