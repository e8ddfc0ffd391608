"""The witness of risk's verdicts: one per cause, decided on what was in force, and on facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from argos_common.domain.config import AccountConfig
from argos_common.domain.ids import Account, Symbol
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.domain.verdict import Change, Effect, VerdictGiven

from argos_simulation.invariants import Court
from argos_simulation.witness_control import ControlWitness

TradesAtStake = Callable[[Account], set[str]]
"""Trades of an account that hold something, or may yet, whatever the services believe."""
CLOSE_RULES = frozenset({"something_to_close"})
"""The only rules that may stop an exit."""


@dataclass(slots=True)
class _Held:
    """An open discrepancy, from which log entry to which (None: still open)."""

    account: Account
    symbol: Symbol
    since: int
    until: int | None = None


@dataclass(slots=True)
class RiskWitness:
    """`verdicts`: how many each cause has on each account."""

    court: Court
    control: ControlWitness
    at_stake: TradesAtStake
    verdicts: dict[tuple[str, Account], int] = field(default_factory=dict)
    discrepancies: dict[str, _Held] = field(default_factory=dict)

    def verdict(self, event: VerdictGiven, signal: SignalAccepted | None) -> None:
        """A verdict was stored. `signal`: its cause, if it was one. Before anything folds it."""
        key = (event.cause_id, event.account)
        self.verdicts[key] = self.verdicts.get(key, 0) + 1
        self.court.check(
            7, f"cause {event.cause_id} on {event.account}", holds=self.verdicts[key] == 1
        )
        if signal is not None and signal.action is Action.EXIT:
            failed = [each.rule for each in event.rules if not each.passed]
            self.court.check(
                28,
                lambda: f"exit {event.cause_id} on {event.account}: {event.reason}",
                holds=CLOSE_RULES.issuperset(failed),
            )
        opening = [leg for leg in event.legs if leg.effect is Effect.OPEN]
        if event.legs:
            self._in_force(event, opens=bool(opening))
        if opening:
            config = self.control.configs.get(event.config_hash)
            self._seeing(event, config)
            self._within(event, config)
            self._free(event)

    def _in_force(self, event: VerdictGiven, *, opens: bool) -> None:
        control = self.control.at(event.account, event.folded_sequence)
        same = (event.config_hash, event.control_sequence, event.epoch) == (
            control.config_hash,
            control.sequence,
            control.epoch,
        )
        self.court.check(
            35,
            lambda: f"verdict on {event.cause_id} on {event.account} was not given under {control}",
            holds=same and not (opens and control.killed),
        )

    def _seeing(self, event: VerdictGiven, config: AccountConfig | None) -> None:
        facts = event.facts
        ages = (facts.account_age_ns, facts.quote_age_ns)
        fresh = config is not None and all(
            age is not None and age <= config.limits.facts_age_max_ns for age in ages
        )
        known = None not in (facts.bid, facts.ask, facts.equity, facts.balance, facts.instrument)
        sane = known and facts.bid is not None and facts.ask is not None
        if sane and facts.bid is not None and facts.ask is not None:
            sane = 0 < facts.bid <= facts.ask
        self.court.check(
            30,
            lambda: f"{event.cause_id} on {event.account}: {facts}",
            holds=fresh and sane and facts.venue_ready,
        )

    def _within(self, event: VerdictGiven, config: AccountConfig | None) -> None:
        if event.change not in (Change.ENTRY, Change.REVERSAL) or config is None:
            return
        closing = {leg.trade_id for leg in event.legs if leg.effect is Effect.CLOSE}
        trades = self.at_stake(event.account) - closing
        limit = config.limits.open_positions_max
        self.court.check(
            24,
            lambda: f"{event.cause_id} on {event.account} beside {sorted(trades)}, limit {limit}",
            holds=len(trades) + 1 <= limit,
        )

    def _free(self, event: VerdictGiven) -> None:
        holding = [
            each
            for each in self.discrepancies.values()
            if each.account == event.account
            and each.symbol in ("", event.symbol)
            and each.since <= event.folded_sequence
            and (each.until is None or each.until > event.folded_sequence)
        ]
        self.court.check(
            37,
            lambda: f"{event.cause_id} on {event.account} {event.symbol} beside {holding}",
            holds=not holding,
        )

    def discrepancy(self, sequence: int, event: DiscrepancyFound | DiscrepancyResolved) -> None:
        """The reconciler found something, or found it gone."""
        if isinstance(event, DiscrepancyFound):
            self.discrepancies[event.discrepancy_id] = _Held(event.account, event.symbol, sequence)
            return
        found = self.discrepancies.get(event.discrepancy_id)
        if found is not None and found.until is None:
            found.until = sequence
