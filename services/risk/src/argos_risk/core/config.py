"""What a proposed configuration would change, and what becomes of the proposal.

- The first configuration of an account is applied.
- One that loosens nothing is applied at once; it tightens if anything in it is narrower than before.
- One that loosens anything, even if it tightens elsewhere, is proposed and waits for an operator.
- What is in force already, or proposed already, is not written again.

Looser: a higher limit, a longer entry window, a new strategy, symbol or bot version, a larger size or
multiplier, an entry without stop, less patience with a venue's silence, real money. What can't be
compared, such as another node or another sizing rule, counts as both looser and tighter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.config import AccountConfig, StrategyRoute
from argos_common.domain.control import AccountControl, ConfigApplied, ConfigProposed
from argos_common.domain.ids import Account
from argos_common.domain.money import plain


@dataclass(slots=True)
class Difference:
    """What would become looser, and what tighter; a sentence each."""

    raises: list[str] = field(default_factory=list)
    tightens: list[str] = field(default_factory=list)

    def number(self, what: str, before: Decimal | int, after: Decimal | int) -> None:
        """A measure of which more is looser."""
        if before == after:
            return
        old, new = _shown(before), _shown(after)
        if after > before:
            self.raises.append(f"{what} rises from {old} to {new}")
        else:
            self.tightens.append(f"{what} falls from {old} to {new}")

    def patience(self, what: str, before: int, after: int) -> None:
        """A measure of which less is looser."""
        if after < before:
            self.raises.append(f"{what} falls from {before} to {after}")
        elif after > before:
            self.tightens.append(f"{what} rises from {before} to {after}")

    def names(self, what: str, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        """A list of what is allowed."""
        self.raises += [f"{what} {name} is added" for name in after if name not in before]
        self.tightens += [f"{what} {name} is removed" for name in before if name not in after]

    def other(self, what: str, before: object, after: object) -> None:
        """Something that has no order."""
        if before != after:
            sentence = f"{what} changes from {before} to {after}"
            self.raises.append(sentence)
            self.tightens.append(sentence)


def compare(before: AccountConfig, after: AccountConfig) -> Difference:
    """What `after` would change."""
    found = Difference()
    found.other("the node", before.node, after.node)
    found.other("the kind", before.kind.name, after.kind.name)
    found.other("the currency", before.currency, after.currency)
    found.number("real money (0 no, 1 yes)", int(before.live), int(after.live))
    _limits(found, before, after)
    _strategies(found, before, after)
    mapped = {route.symbol: route.venue_symbol for route in before.symbols}
    renamed = {route.symbol: route.venue_symbol for route in after.symbols}
    found.names("symbol", tuple(mapped), tuple(renamed))
    for symbol, venue_symbol in mapped.items():
        if symbol in renamed:
            found.other(f"the venue symbol of {symbol}", venue_symbol, renamed[symbol])
    found.number("entry_deadline_ns", before.entry_deadline_ns, after.entry_deadline_ns)
    found.number("submit_window_ns", before.submit_window_ns, after.submit_window_ns)
    found.patience("settling_ns", before.settling_ns, after.settling_ns)
    found.patience("watch_ns", before.watch_ns, after.watch_ns)
    return found


def propose(
    account: Account,
    control: AccountControl,
    in_force: AccountConfig | None,
    proposed: AccountConfig,
    *,
    config_hash: str,
    document: str,
    now_ns: int,
) -> ConfigApplied | ConfigProposed | None:
    """The event to append for a configuration found in a file; None if there is nothing new."""
    if config_hash == control.config_hash:
        return None
    if control.proposal is not None and control.proposal.config_hash == config_hash:
        return None
    found = compare(in_force, proposed) if in_force is not None else None
    if found is not None and found.raises:
        return ConfigProposed(
            account=account,
            config_hash=config_hash,
            document=document,
            raises=tuple(found.raises),
            asked_at_ns=now_ns,
        )
    reason = "the first configuration" if found is None else "nothing in it is looser"
    return ConfigApplied(
        account=account,
        config_hash=config_hash,
        document=document,
        tightening=found is None or bool(found.tightens),
        actor="fleet.toml",
        reason=reason,
        asked_at_ns=now_ns,
    )


def approve(
    proposal: ConfigProposed,
    in_force: AccountConfig | None,
    proposed: AccountConfig,
    *,
    actor: str,
    reason: str,
    now_ns: int,
) -> ConfigApplied:
    """The event that puts an approved proposal in force."""
    tightening = in_force is None or bool(compare(in_force, proposed).tightens)
    return ConfigApplied(
        account=proposal.account,
        config_hash=proposal.config_hash,
        document=proposal.document,
        tightening=tightening,
        actor=actor,
        reason=reason,
        asked_at_ns=now_ns,
    )


def _limits(found: Difference, before: AccountConfig, after: AccountConfig) -> None:
    old, new = before.limits, after.limits
    found.number("order_quantity_max", old.order_quantity_max, new.order_quantity_max)
    found.number("order_value_max", old.order_value_max, new.order_value_max)
    found.number("open_positions_max", old.open_positions_max, new.open_positions_max)
    found.number("daily_loss_max", old.daily_loss_max, new.daily_loss_max)
    found.number("account_value_max", old.account_value_max, new.account_value_max)
    found.number("risk_percent_max", old.risk_percent_max, new.risk_percent_max)
    found.number("signal_age_max_ns", old.signal_age_max_ns, new.signal_age_max_ns)
    found.number("facts_age_max_ns", old.facts_age_max_ns, new.facts_age_max_ns)


def _strategies(found: Difference, before: AccountConfig, after: AccountConfig) -> None:
    old = {route.strategy: route for route in before.strategies}
    new = {route.strategy: route for route in after.strategies}
    found.names("strategy", tuple(old), tuple(new))
    for name, route in old.items():
        if name in new:
            _route(found, name, route, new[name])


def _route(found: Difference, name: str, old: StrategyRoute, new: StrategyRoute) -> None:
    found.names(f"{name}: bot version", old.bot_versions, new.bot_versions)
    found.names(f"{name}: symbol", old.symbols, new.symbols)
    found.number(f"{name}: multiplier", old.multiplier, new.multiplier)
    if old.quantity_rule is new.quantity_rule:
        found.number(f"{name}: quantity", old.quantity, new.quantity)
    else:
        found.other(f"{name}: size rule", old.quantity_rule.name, new.quantity_rule.name)
    if old.require_stop and not new.require_stop:
        found.raises.append(f"{name}: an entry needs no stop any more")
    elif new.require_stop and not old.require_stop:
        found.tightens.append(f"{name}: an entry needs a stop from now on")


def _shown(value: Decimal | int) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
