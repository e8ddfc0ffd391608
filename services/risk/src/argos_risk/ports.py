"""What the runner needs from outside besides the log, the bus, the clock and chance."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from argos_common.domain.config import AccountConfig
from argos_common.domain.node import LeaseAnswer
from argos_common.domain.verdict import VerdictGiven


class Proposals(Protocol):
    """Where configurations are proposed."""

    def changed(self) -> tuple[AccountConfig, ...] | None:
        """What is proposed if it changed since the last call; None if not. Raises ConfigMistake."""
        ...


class Report(Protocol):
    """Who is told what happened. Never decides anything."""

    def verdict(
        self, verdict: VerdictGiven, sequence: int, took_ns: int, trace_id: str = ""
    ) -> None:
        """A verdict of ours is on record; `took_ns` from receipt of its signal, 0 without one."""
        ...

    def lease(self, answer: LeaseAnswer) -> None:
        """A lease was granted or not."""
        ...

    def killed(self, account: str, *, engaged: bool) -> None:
        """An account's latch is as said, as far as the log is folded."""
        ...

    def log_used(self, percent: int) -> None:
        """How full the log is."""
        ...

    def limits_used(self, account: str, used: Mapping[str, Decimal]) -> None:
        """How much of an account's limits is used, by rule; 1 is all."""
        ...

    def oddity(self, sentence: str) -> None:
        """Something that a person should know."""
        ...

    def note(self, sentence: str) -> None:
        """Something that happened in the ordinary course."""
        ...


class NoProposals:
    """Proposes nothing: the log's configuration stands."""

    def changed(self) -> tuple[AccountConfig, ...] | None:
        return None


class FixedProposals:
    """Proposes the same once: for a simulation."""

    def __init__(self, *configs: AccountConfig) -> None:
        self._configs: tuple[AccountConfig, ...] | None = configs

    def changed(self) -> tuple[AccountConfig, ...] | None:
        configs, self._configs = self._configs, None
        return configs


class QuietReport:
    """Tells nobody, keeps the oddities: for simulations and tests."""

    def __init__(self) -> None:
        self.oddities: list[str] = []

    def verdict(
        self, verdict: VerdictGiven, sequence: int, took_ns: int, trace_id: str = ""
    ) -> None:
        pass

    def lease(self, answer: LeaseAnswer) -> None:
        pass

    def killed(self, account: str, *, engaged: bool) -> None:
        pass

    def log_used(self, percent: int) -> None:
        pass

    def limits_used(self, account: str, used: Mapping[str, Decimal]) -> None:
        pass

    def oddity(self, sentence: str) -> None:
        self.oddities.append(sentence)

    def note(self, sentence: str) -> None:
        pass
