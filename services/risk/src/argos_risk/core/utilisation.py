"""How much of an account's limits is used now: for whoever watches, nothing is decided by it.

One entry per limit that can be said: used over allowed, 0 is nothing, 1 is all. A limit whose
measure is not known (no facts, something held that has no mark) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from argos_common.domain.ids import Symbol
from argos_common.domain.verdict import Facts

from argos_risk.core.exposure import day_loss, measure
from argos_risk.core.state import AccountRisk


def utilisation(risk: AccountRisk, facts: Facts) -> Mapping[str, Decimal]:
    """Used share by the name of the rule that has the limit."""
    if risk.config is None:
        return {}
    limits, exposure = risk.config.limits, measure(risk, Symbol(""), facts)
    pairs: list[tuple[str, Decimal | None, Decimal]] = [
        ("open_positions", Decimal(exposure.open_trades), Decimal(limits.open_positions_max)),
        ("daily_loss", day_loss(risk, facts), limits.daily_loss_max),
    ]
    if exposure.held_value is not None:
        held = exposure.held_value + exposure.reserved_value
        pairs.append(("account_value", held, limits.account_value_max))
    return {
        name: used / allowed for name, used, allowed in pairs if used is not None and allowed > 0
    }
