"""The words in which the demo's story is told: what a step does, and what it must come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from argos_common.domain.verdict import Decision

from argos_cli.demo.alerts import Alert


class Wait(Enum):
    """How long a step lasts."""

    FINISHED = 1  # every verdict is there, every order is over and reconciled
    UNANSWERED = 2  # the broker has executed the order, and nobody was told
    NOTHING = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Send an alert; `copies` at once. Answers are compared in any order."""

    alert: Alert
    answers: tuple[str, ...] = ("200 accepted",)
    copies: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehave:
    """Let the simulated broker do something, the next time it is asked by this account."""

    account: str
    fault: str
    params: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePrice:
    """Let a price jump by a share of itself, at the simulated broker."""

    symbol: str
    by: Decimal


@dataclass(frozen=True, slots=True)
class Kill:
    """The operator kills the fleet: `argos kill`."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The operator opens the latch again: `argos resume`."""


@dataclass(frozen=True, slots=True)
class Flatten:
    """The operator closes whatever is held: `argos flatten`."""


@dataclass(frozen=True, slots=True)
class KillProcess:
    """kill -9 of one service."""

    name: str


Do = Post | Misbehave | MovePrice | Kill | Resume | Flatten | KillProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    `verdicts`: account -> decision for the alert that was accepted. `because`: what the reasons
    must mention, alternatives separated by |. `of`: the step whose alert is waited for, if not this
    one's. `proofs`: further checks by name, see `proofs`.
    """

    name: str
    title: str
    expect: str
    do: tuple[Do, ...] = ()
    verdicts: Mapping[str, Decision] = field(default_factory=dict)
    because: str = ""
    wait: Wait = Wait.FINISHED
    of: str = ""
    proofs: tuple[str, ...] = ()
