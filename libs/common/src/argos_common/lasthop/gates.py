"""The gates an order passes immediately before the venue is called.

Rules:
1. A gate is one row: a code, whom it stops, and a function that says in one sentence why it is
   closed, or nothing. The first closed gate refuses.
2. Time is checked twice: the deadline on the wall clock, and the budget from receipt on the node's
   own monotonic clock, which no clock skew can revive.
3. Epoch and lease stop only what adds risk. What takes risk away passes without either.
4. An id whose outcome is unknown stops new risk on its symbol, and stops a CLOSE on its symbol
   unless that CLOSE is self-limiting: it names a position, at a venue where such an order can
   never do more than close it.
5. Refusals here are final for the id: they are journalled before they are answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argos_common.domain.ids import Account, OrderId, Symbol
from argos_common.domain.node import Submission
from argos_common.domain.verdict import Effect
from argos_common.lasthop.lease import Leases, live


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now on both clocks, and when this submission was received on the monotonic one."""

    now_ns: int
    monotonic_ns: int
    received_monotonic_ns: int


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An id whose call was begun and of which nobody knows what became."""

    order_id: OrderId
    symbol: Symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the node knows when it decides. `leases.epoch` is the durable epoch."""

    account: Account
    leases: Leases
    unresolved: tuple[Unresolved, ...]
    self_limiting_close: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which gate is closed, and why."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Gate:
    """`why` gives the sentence if the gate is closed, else nothing; it is asked for `stops`."""

    code: str
    stops: tuple[Effect, ...]
    why: Callable[[Submission, Moment, Standing], str]


BOTH = (Effect.OPEN, Effect.CLOSE)
NEW_RISK = (Effect.OPEN,)
REDUCTIONS = (Effect.CLOSE,)


def refuse(submission: Submission, moment: Moment, standing: Standing) -> Refusal | None:
    """The first closed gate, or None: the venue may be called now."""
    for gate in GATES:
        if submission.effect in gate.stops:
            sentence = gate.why(submission, moment, standing)
            if sentence:
                return Refusal(gate.code, sentence)
    return None


def _other_account(submission: Submission, _moment: Moment, standing: Standing) -> str:
    if submission.account == standing.account:
        return ""
    return f"the order is for account {submission.account}, this is {standing.account}"


def _past_deadline(submission: Submission, moment: Moment, _standing: Standing) -> str:
    late_ns = moment.now_ns - submission.deadline_ns
    return f"the deadline passed {_ms(late_ns)} ms ago" if late_ns > 0 else ""


def _budget_spent(submission: Submission, moment: Moment, _standing: Standing) -> str:
    waited_ns = moment.monotonic_ns - moment.received_monotonic_ns
    if waited_ns <= submission.budget_ns:
        return ""
    return f"it waited {_ms(waited_ns)} ms here, allowed are {_ms(submission.budget_ns)} ms"


def _old_epoch(submission: Submission, _moment: Moment, standing: Standing) -> str:
    epoch = standing.leases.epoch
    if submission.epoch >= epoch:
        return ""
    return f"it was claimed under epoch {submission.epoch}, and epoch {epoch} tightened since"


def _no_lease(submission: Submission, moment: Moment, standing: Standing) -> str:
    if live(standing.leases, submission.lease, moment.monotonic_ns):
        return ""
    return "the lease it relies on is not live: risk has not confirmed in the last two seconds"


def _unresolved(submission: Submission, _moment: Moment, standing: Standing) -> str:
    other = _other_unresolved(submission, standing)
    if other is None:
        return ""
    return f"the outcome of order {other} on {submission.symbol} is unknown"


def _unlimited_close(submission: Submission, _moment: Moment, standing: Standing) -> str:
    if submission.position_ref and standing.self_limiting_close:
        return ""
    other = _other_unresolved(submission, standing)
    if other is None:
        return ""
    return (
        f"the outcome of order {other} on {submission.symbol} is unknown, and this exit could do"
        " more than close"
    )


def _other_unresolved(submission: Submission, standing: Standing) -> OrderId | None:
    for item in standing.unresolved:
        if item.symbol == submission.symbol and item.order_id != submission.order_id:
            return item.order_id
    return None


def _ms(nanoseconds: int) -> int:
    return nanoseconds // 1_000_000


GATES: tuple[Gate, ...] = (
    Gate("account_other", BOTH, _other_account),
    Gate("deadline_passed", BOTH, _past_deadline),
    Gate("budget_spent", BOTH, _budget_spent),
    Gate("epoch_old", NEW_RISK, _old_epoch),
    Gate("lease_not_live", NEW_RISK, _no_lease),
    Gate("unresolved_open", NEW_RISK, _unresolved),
    Gate("unresolved_close", REDUCTIONS, _unlimited_close),
)
