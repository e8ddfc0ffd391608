"""What a kill's reply says: from which log position on, and what was already under way.

A kill is final on an account once its node has confirmed the new epoch, or one lease has passed:
until then only the orders named here can still add risk.
"""

from __future__ import annotations

from collections.abc import Sequence

from argos_risk.core.state import RiskState, under_way

__all__ = ["kill_sequences", "kill_sentence", "under_way"]


def kill_sequences(state: RiskState, accounts: Sequence[str], request_id: str) -> dict[str, int]:
    """Account -> log position of this very kill, for those that have folded it."""
    found = {}
    for account, risk in state.accounts.items():
        if account in accounts and request_id in risk.requests:
            found[str(account)] = risk.requests[request_id]
    return found


def kill_sentence(state: RiskState, sequences: dict[str, int], request_id: str) -> str:
    """The reply to a kill that is on record."""
    where = ", ".join(f"{account} at {at}" for account, at in sequences.items())
    named = []
    for account, risk in state.accounts.items():
        kill = risk.kills.get(request_id)
        if account in sequences and kill is not None:
            named += [f"{order_id} ({account})" for order_id in kill.under_way]
    under = f"already under way: {', '.join(named)}" if named else "nothing was under way"
    return (
        f"Killed: {where}. No new risk is submitted after these log positions; {under}."
        " Final when each node has confirmed, at the latest after one lease (2 s)."
    )
