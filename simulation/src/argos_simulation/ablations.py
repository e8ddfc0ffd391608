"""Safeguards that can be taken away, in the simulation only: each must then be missed.

`without(name)` removes one for as long as the context lasts. A safeguard whose absence no seed
notices is either not needed or not tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from argos_bridge.runner.claims import Claims
from argos_common.domain.errors import BadInput
from argos_common.domain.node import Outcome, Result, Seal
from argos_common.domain.order import OrderSubmitting, RefusalClass
from argos_common.lasthop import gates
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import Journal, Kept
from argos_common.runtime.log import Append, CreateOnce, Fence, Head, Mine, Unknown
from argos_common.testing.memory_log import MemoryStore

from argos_simulation.network import SimLog


@dataclass(frozen=True, slots=True)
class Ablation:
    """`what` is missing; `patches` are (owner, attribute, replacement); `faults` make it matter."""

    what: str
    patches: tuple[tuple[Any, str, Any], ...]  # owners of any kind
    faults: tuple[str, ...]


_holds: Callable[[MemoryStore, Append], bool] = MemoryStore._holds  # noqa: SLF001  # wrapped below
_begin = Journal.begin
_send = Claims._send  # noqa: SLF001  # wrapped below
_seal = LastHop.seal
_append = SimLog.append


def _without_condition(*kinds: type) -> Callable[[MemoryStore, Append], bool]:
    def holds(self: MemoryStore, append: Append) -> bool:
        return isinstance(append.condition, kinds) or _holds(self, append)

    return holds


def _always_fresh(self: Journal, *args: Any, **keywords: Any) -> Kept:  # as `begin`
    return replace(_begin(self, *args, **keywords), fresh=True)


async def _doubt_is_refusal(self: Claims, event: OrderSubmitting) -> Outcome:
    outcome = await _send(self, event)
    if outcome.result is not Result.IN_DOUBT:
        return outcome
    return replace(outcome, result=Result.REFUSED, refusal=RefusalClass.VENUE_ERROR, code="none")


async def _seal_says_never(self: LastHop, order_id: Any) -> Seal:  # as `seal`
    return replace(await _seal(self, order_id), sealed=True, never_sent=True)


async def _silence_is_yes(self: SimLog, append: Append) -> Any:  # as `append`
    answer = await _append(self, append)
    signal = ".signal." in append.subject
    return Mine(0) if signal and isinstance(answer, Unknown) else answer


def _unknown_id(self: MemoryStore, once_id: str) -> bool:
    del self, once_id
    return False


def _no_turn(self: Claims, event: Any) -> tuple[Append, ...]:
    del self, event
    return ()


_OPEN_GATES = tuple(
    gate for gate in gates.GATES if gate.code not in {"lease_not_live", "epoch_old"}
)

ABLATIONS: dict[str, Ablation] = {
    "fence": Ablation(
        "claims are not fenced with the account's control",
        ((MemoryStore, "_holds", _without_condition(Fence)),),
        ("kill-switch", "append-ghost"),
    ),
    "head": Ablation(
        "verdicts are appended whatever the head is",
        ((MemoryStore, "_holds", _without_condition(Head)),),
        ("two-risks",),
    ),
    "create-once": Ablation(
        "facts are appended again and again",
        ((MemoryStore, "_holds", _without_condition(CreateOnce)),),
        ("two-bridges", "append-ack-lost"),
    ),
    "once-only": Ablation(
        "a claim's once-only id is not looked at",
        ((MemoryStore, "_known", _unknown_id),),
        ("two-bridges",),
    ),
    "journal": Ablation(
        "the node calls the venue for an id that its journal knows",
        ((Journal, "begin", _always_fresh),),
        ("node-request-duplicated", "kill-switch"),
    ),
    "doubt": Ablation(
        "an unknown outcome counts as a refusal",
        ((Claims, "_send", _doubt_is_refusal),),
        ("venue-answer-lost", "node-answer-lost"),
    ),
    "seal": Ablation(
        "every seal says that the order was never sent",
        ((LastHop, "seal", _seal_says_never),),
        ("venue-answer-lost", "venue-request-lost", "venue-late-fill", "crash-mt5-node"),
    ),
    "turn": Ablation(
        "exits that could do more than close are claimed without a turn",
        ((Claims, "_turn", _no_turn),),
        ("two-bridges", "venue-late-deals"),
    ),
    "confirmed-append": Ablation(
        "the gateway takes silence of the log for a yes",
        ((SimLog, "append", _silence_is_yes),),
        ("append-request-lost", "append-ghost"),
    ),
    "lease-and-epoch": Ablation(
        "the node asks for neither lease nor epoch",
        ((gates, "GATES", _OPEN_GATES),),
        ("kill-switch", "node-slow", "pause-bridge"),
    ),
}


@contextmanager
def without(name: str) -> Iterator[Ablation]:
    """One safeguard away for as long as the context lasts. Raises BadInput for an unknown name."""
    ablation = ABLATIONS.get(name)
    if ablation is None:
        raise BadInput(f"there is no safeguard {name!r}; known are: {', '.join(ABLATIONS)}")
    patches = [patch.object(*each) for each in ablation.patches]
    for each in patches:
        each.start()
    try:
        yield ablation
    finally:
        for each in patches:
            each.stop()
