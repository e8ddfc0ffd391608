"""The parts of Argos without one of their safeguards: what an ablation puts in the place of the real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from argos_bridge.core import entry, retry
from argos_bridge.core.restore import Asked, NodeJournal
from argos_bridge.core.retry import Rule
from argos_bridge.core.state import AccountState
from argos_bridge.core.step import Moment, once_id
from argos_bridge.runner.claims import Claims
from argos_common.domain.book import LegView, OrderView
from argos_common.domain.control import AccountControl, KillReleased, Scope
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Journaled, Outcome, Result, Seal, Submission
from argos_common.domain.order import OrderDeclined, OrderState, OrderSubmitting, RefusalClass
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.lasthop.gates import BOTH, GATES, Gate
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, Entry, Journal, Kept, MemoryJournal, digest
from argos_common.lasthop.lease import Leases
from argos_common.lasthop.ports import Offload, direct
from argos_common.runtime.log import (
    Answer,
    Append,
    CreateOnce,
    Exists,
    Fence,
    Mine,
    Unknown,
)
from argos_common.testing.memory_log import MemoryStore
from argos_common.wire import subjects
from argos_common.wire.codec import encode
from argos_mt5_node.core import request
from argos_risk.core import exposure
from argos_risk.core import state as risk_state
from argos_risk.core.exposure import Exposure
from argos_risk.core.rule import OpenRule
from argos_risk.core.rules import OPEN_RULES
from argos_risk.core.state import AccountRisk

from argos_simulation.network import SimLog

# --- the log

_holds: Callable[[MemoryStore, Append], bool] = MemoryStore._holds  # noqa: SLF001  # wrapped below


def without_condition(*kinds: type) -> Callable[[MemoryStore, Append], bool]:
    """A log server that does not look at conditions of these kinds."""

    def holds(self: MemoryStore, append: Append) -> bool:
        return isinstance(append.condition, kinds) or _holds(self, append)

    return holds


def no_id_is_known(self: MemoryStore, once_id: str) -> bool:
    del self, once_id
    return False


_append = SimLog.append


async def silence_is_yes(self: SimLog, append: Append) -> Answer:
    """For signals."""
    answer = await _append(self, append)
    signal = ".signal." in append.subject
    return Mine(0) if signal and isinstance(answer, Unknown) else answer


# --- the bridge

_send = Claims._send  # noqa: SLF001  # wrapped below


async def doubt_is_refusal(self: Claims, event: OrderSubmitting) -> Outcome:
    outcome = await _send(self, event)
    if outcome.result is not Result.IN_DOUBT:
        return outcome
    return replace(outcome, result=Result.REFUSED, refusal=RefusalClass.VENUE_ERROR, code="none")


def no_turn(self: Claims, event: OrderSubmitting) -> tuple[Append, ...]:
    del self, event
    return ()


async def decline_without_id(self: Claims, event: OrderDeclined) -> None:
    desk = self._desk
    subject = subjects.order(desk.account, event.order_id, 1)
    await desk.append(subject, event, CreateOnce())


async def any_claim_is_ours(self: Claims, event: OrderSubmitting) -> None:
    """Sends whatever claim or decline stands on record."""
    desk = self._desk
    claim = Append(
        subject=subjects.order(desk.account, event.order_id, 1),
        data=encode(event),
        condition=Fence(subjects.control(desk.account), event.control_sequence),
        once_id=once_id(event.order_id),
    )
    answer = await desk.append_together(*self._turn(event), claim)
    if isinstance(answer, Mine | Exists):
        self._sending[event.order_id] = None
        desk.group.create_task(self._submit(event))
    else:
        await desk.clock.sleep(0.25)


_rule_for = retry.rule_for


def doubt_may_be_retried(order: OrderView, effect: Effect) -> Rule | None:
    if order.state is OrderState.IN_DOUBT:
        return retry.NEVER_LEFT
    return _rule_for(order, effect)


_not_yet = entry._not_yet  # noqa: SLF001  # wrapped below
_BLOCKED = "the outcome of another order"


def doubt_blocks_nothing(state: AccountState, view: LegView, moment: Moment) -> str:
    waits = _not_yet(state, view, moment)
    if waits.startswith(_BLOCKED):
        return "" if moment.lease else "no lease"
    return waits


def only_a_kill_bars(state: AccountControl, approved_on: int) -> bool:
    del approved_on
    return state.killed


def never_overdue(*_: object) -> None:
    """No submission is ever given up."""


def a_pass_at_once(*_: object) -> int:
    return 0


# --- the last hop

_begin = Journal.begin
_answer = AsyncJournal.answer
_seal = LastHop.seal
_stashed: WeakKeyDictionary[AsyncJournal, dict[OrderId, Entry]] = WeakKeyDictionary()


def always_fresh(self: Journal, submission: Submission, *, received_ns: int, now_ns: int) -> Kept:
    kept = _begin(self, submission, received_ns=received_ns, now_ns=now_ns)
    return replace(kept, fresh=True)


async def begin_in_memory(
    self: AsyncJournal, submission: Submission, *, received_ns: int, now_ns: int
) -> Kept:
    """The entry is kept in this life's memory; the disk sees it with the answer."""
    known = self._journal.entry(submission.order_id)
    mine = _stashed.setdefault(self, {})
    if known is not None or submission.order_id in mine:
        return Kept(known or mine[submission.order_id], fresh=False)
    kept = mine[submission.order_id] = Entry(
        order_id=submission.order_id,
        state=Journaled.SENDING,
        digest=digest(submission),
        submission=submission,
        received_ns=received_ns,
        journaled_ns=now_ns,
    )
    return Kept(kept, fresh=True)


async def store_with_answer(
    self: AsyncJournal, outcome: Outcome, *, positions: bool, now_ns: int
) -> Kept:
    kept = _stashed.get(self, {}).pop(outcome.order_id, None)
    if kept is not None:
        self._journal._store(kept)  # noqa: SLF001  # below its own rules, on purpose
    return await _answer(self, outcome, positions=positions, now_ns=now_ns)


def refuse_in_passing(
    self: Journal, submission: Submission, outcome: Outcome, *, received_ns: int, now_ns: int
) -> Kept:
    """A refusal that nobody writes down."""
    known = self.entry(submission.order_id)
    if known is not None:
        return Kept(known, fresh=False)
    del received_ns, now_ns
    refused = Entry(order_id=submission.order_id, state=Journaled.REFUSED, outcome=outcome)
    return Kept(refused, fresh=True)


def journal_of_its_own(self: AsyncJournal, journal: Journal, offload: Offload = direct) -> None:
    """Every life of a node, and every copy, begins without the entries of the others."""
    own = MemoryJournal()
    own.epoch, own._store_epoch = journal.epoch, journal._store_epoch  # type: ignore[method-assign]  # noqa: SLF001  # only the entries are its own
    self._journal = own
    self._offload = offload


async def seal_says_never(self: LastHop, order_id: OrderId) -> Seal:
    return replace(await _seal(self, order_id), sealed=True, never_sent=True)


def gates_without(*codes: str) -> tuple[Gate, ...]:
    return tuple(gate for gate in GATES if gate.code not in codes)


def gates_for_exits_too() -> tuple[Gate, ...]:
    limits = ("epoch_old", "lease_not_live")
    return tuple(replace(gate, stops=BOTH) if gate.code in limits else gate for gate in GATES)


def raised_without_dropping(leases: Leases, epoch: int) -> Leases:
    return replace(leases, epoch=max(epoch, leases.epoch))


_build = request.build


def built_without_stop(submission: Submission, symbol: Any, **how: Any) -> Any:  # as `build`
    return _build(replace(submission, stop_price=None), symbol, **how)


# --- a restore


def nothing_put_back(self: Any, *about: Any) -> None:  # as `_Writing.put_back`
    del self, about


def release_for_kill(account: Account, asked: Asked) -> KillReleased:
    """What changes nothing, in the kill's place."""
    return KillReleased(
        account=account,
        scope=Scope.FLEET,
        actor=asked.actor,
        reason=asked.reason,
        request_id="",
        asked_at_ns=asked.now_ns,
    )


def nobody_remembers(journal: NodeJournal) -> int:
    del journal
    return 0


def no_answer(*about: Any) -> None:  # as `of_outcome`
    del about


_fold_verdict = risk_state._verdict  # noqa: SLF001  # wrapped below


def verdict_not_remembered(risk: AccountRisk, sequence: int, verdict: VerdictGiven) -> None:
    _fold_verdict(risk, sequence, verdict)
    risk.put_back.clear()


# --- risk

_measure = exposure.measure


def measured_by_deals(risk: Any, *about: Any, **more: Any) -> Exposure:  # as `measure`
    """Only what deals show as held."""
    found = _measure(risk, *about, **more)
    held = sum(1 for trade in risk.book.trades.values() if trade.position)
    return replace(found, reserved_value=exposure.ZERO, open_trades=held)


def rules_without(*names: str) -> tuple[OpenRule, ...]:
    return tuple(rule for rule in OPEN_RULES if rule.name not in names)
