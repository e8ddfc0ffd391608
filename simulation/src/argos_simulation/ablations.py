"""Safeguards that can be taken away, in the simulation only: each must then be missed.

`without(name)` removes one for as long as the context lasts. `search(name)` looks for the first of
a row of seeds that notices. A safeguard whose absence no seed notices is either not needed or not
tested.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from argos_bridge.core import doubt, entry, restore, retry
from argos_bridge.runner import watch
from argos_bridge.runner.claims import Claims
from argos_common.domain.errors import BadInput
from argos_common.domain.order import LIVE, OrderState
from argos_common.lasthop import gates, lease
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, Journal
from argos_common.runtime.log import CreateOnce, Fence, Head
from argos_common.testing.memory_log import MemoryStore
from argos_mt5_node.runner import placing
from argos_risk.core import decide, rules
from argos_risk.core import state as risk_state

from argos_simulation import ablated
from argos_simulation.network import SimLog

Patch = tuple[Any, str, Any]
"""Owner of any kind, attribute, replacement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """`what` is missing; `faults`, each with its intensity, make it matter.

    `violates`: the invariants of which one is then broken. `seeds`: within how many seeds, each of
    `minutes`, it has to be found. `first`: where a test begins, so that it takes little time; a
    report begins at 1.
    """

    what: str
    patches: tuple[Patch, ...]
    faults: Mapping[str, float]
    violates: tuple[int, ...]
    minutes: float = 0.25
    first: int = 1
    seeds: int = 40


def _open_gates(*codes: str) -> tuple[Patch, ...]:
    return ((gates, "GATES", ablated.gates_without(*codes)),)


ABLATIONS: dict[str, Ablation] = {
    "fence": Ablation(
        what="claims are not fenced with the account's control",
        patches=((MemoryStore, "_holds", ablated.without_condition(Fence)),),
        faults={"kill-switch": 3, "log-read-slow": 20},
        violates=(5,),
    ),
    "head": Ablation(
        what="verdicts are appended whatever the head is",
        patches=((MemoryStore, "_holds", ablated.without_condition(Head)),),
        faults={"two-risks": 1},
        violates=(7,),
    ),
    "create-once": Ablation(
        what="facts are appended again and again",
        patches=((MemoryStore, "_holds", ablated.without_condition(CreateOnce)),),
        faults={"two-bridges": 1, "append-ack-lost": 2},
        violates=(7, 10, 18, 19),
    ),
    "once-only": Ablation(
        what="a claim's once-only id is not looked at",
        patches=((MemoryStore, "_known", ablated.no_id_is_known),),
        faults={"two-bridges": 1},
        violates=(10, 20),
    ),
    "declined-excludes": Ablation(
        what="a decline does not carry the once-only id of the claim",
        patches=((Claims, "_decline", ablated.decline_without_id),),
        faults={"two-bridges": 1, "kill-switch": 2, "log-read-slow": 20},
        violates=(10,),
    ),
    "own-ack": Ablation(
        what="a bridge sends what stands on record, whoever put it there",
        patches=((Claims, "_claim", ablated.any_claim_is_ours),),
        faults={"two-bridges": 1, "kill-switch": 2, "log-read-slow": 20},
        violates=(1, 3),
    ),
    "confirmed-append": Ablation(
        what="the gateway takes silence of the log for a yes",
        patches=((SimLog, "append", ablated.silence_is_yes),),
        faults={"append-request-lost": 2, "append-ghost": 2},
        violates=(9,),
    ),
    "journal": Ablation(
        what="the node calls the venue for an id that its journal knows",
        patches=((Journal, "begin", ablated.always_fresh),),
        faults={"node-request-duplicated": 2, "kill-switch": 2},
        violates=(1,),
    ),
    "journal-first": Ablation(
        what="the node writes an id down with the answer, not before the call",
        patches=(
            (AsyncJournal, "begin", ablated.begin_in_memory),
            (AsyncJournal, "answer", ablated.store_with_answer),
        ),
        faults={"node-request-duplicated": 8, "crash-mt5-node": 4, "venue-answer-lost": 4},
        violates=(1, 11),
    ),
    "one-journal": Ablation(
        what="every life of a node has a journal of its own",
        patches=((AsyncJournal, "__init__", ablated.journal_of_its_own),),
        faults={"node-request-duplicated": 8, "crash-mt5-node": 4},
        violates=(1, 11),
    ),
    "tombstone": Ablation(
        what="the node does not write its refusals down",
        patches=((Journal, "refuse", ablated.refuse_in_passing),),
        faults={"node-request-duplicated": 8, "node-slow": 6, "bus-slow": 6},
        violates=(1, 11),
    ),
    "lease": Ablation(
        what="the node does not ask for a lease",
        patches=_open_gates("lease_not_live"),
        faults={"kill-switch": 2, "node-slow": 10, "pause-bridge": 8, "crash-bridge": 8},
        violates=(6,),
    ),
    "epoch": Ablation(
        what="the node neither refuses an older epoch nor drops leases when it rises",
        patches=(
            *_open_gates("epoch_old"),
            (lease, "raised", ablated.raised_without_dropping),
        ),
        faults={
            "kill-switch": 6,
            "limits-change": 1,
            "node-request-lost": 8,
            "node-request-duplicated": 8,
            "node-slow": 6,
        },
        violates=(27,),
    ),
    "deadline": Ablation(
        what="the node looks at neither deadline nor budget",
        patches=_open_gates("deadline_passed", "budget_spent"),
        faults={
            "node-request-duplicated": 12,
            "node-request-lost": 8,
            "node-slow": 10,
            "clock-skew": 1,
            "clock-jump": 1,
        },
        violates=(26,),
    ),
    "doubt": Ablation(
        what="an unknown outcome counts as a refusal",
        patches=((Claims, "_send", ablated.doubt_is_refusal),),
        faults={"venue-answer-lost": 2, "node-answer-lost": 2},
        violates=(13, 20, 23),
    ),
    "seal": Ablation(
        what="every seal says that the order was never sent",
        patches=((LastHop, "seal", ablated.seal_says_never),),
        faults={"venue-answer-lost": 2, "venue-request-lost": 2, "venue-late-fill": 2},
        violates=(11,),
    ),
    "settling": Ablation(
        what="a search is a pass as soon as the order is sealed",
        patches=((doubt, "_pass_from_ns", ablated.a_pass_at_once),),
        faults={"venue-answer-lost": 4, "venue-late-deals": 1, "venue-late-fill": 4},
        violates=(22,),
    ),
    "watcher": Ablation(
        what="a submission without an outcome is never put in doubt",
        patches=((watch, "overdue_ns", ablated.never_overdue),),
        faults={"crash-bridge": 2},
        violates=(12,),
    ),
    "attempts": Ablation(
        what="an order in doubt may be followed by another attempt",
        patches=(
            (entry, "LIVE", LIVE - {OrderState.IN_DOUBT}),
            (entry, "_not_yet", ablated.doubt_blocks_nothing),
            (retry, "rule_for", ablated.doubt_may_be_retried),
        ),
        faults={"venue-answer-lost": 4, "node-answer-lost": 4},
        violates=(20,),
    ),
    "unresolved": Ablation(
        what="an unknown outcome blocks nothing on its symbol",
        patches=(
            *_open_gates("unresolved_open"),
            (entry, "_not_yet", ablated.doubt_blocks_nothing),
            (rules, "OPEN_RULES", ablated.rules_without("in_doubt")),
        ),
        faults={"venue-request-lost": 8, "venue-late-deals": 1},
        violates=(44,),
    ),
    "exit-exemption": Ablation(
        what="exits need a lease and the newest epoch too",
        patches=((gates, "GATES", ablated.gates_for_exits_too()),),
        faults={"kill-switch": 2},
        violates=(28,),
    ),
    "turn": Ablation(
        what="exits that could do more than close are claimed without a turn",
        patches=((Claims, "_turn", ablated.no_turn),),
        faults={
            "two-bridges": 1,
            "venue-late-deals": 1,
            "venue-requote": 8,
            "clock-skew": 1,
        },
        violates=(18,),
        minutes=0.15,
        first=175,
        seeds=250,
    ),
    "stop": Ablation(
        what="an entry leaves without its stop",
        patches=((placing, "build", ablated.built_without_stop),),
        faults={},
        violates=(25,),
    ),
    "stale-intent": Ablation(
        what="only a kill makes an intent stale, a tighter limit or a flatten does not",
        patches=((entry, "open_leg_is_stale", ablated.only_a_kill_bars),),
        faults={"kill-switch": 4, "limits-change": 1, "log-read-slow": 10},
        violates=(36,),
    ),
    "reservations": Ablation(
        what="risk counts only what deals show as held",
        patches=((decide, "measure", ablated.measured_by_deals),),
        faults={"venue-late-deals": 1},
        violates=(24,),
    ),
    "put-back": Ablation(
        what="a restore does not put back what only a node's journal knows",
        patches=((restore._Writing, "put_back", ablated.nothing_put_back),),  # noqa: SLF001  # the part
        faults={"restore": 1},
        violates=(12, 13, 39),
    ),
    "judged-once": Ablation(
        what="risk forgets that a restore has put back a cause's verdict",
        patches=((risk_state, "_verdict", ablated.verdict_not_remembered),),
        faults={"restore": 1},
        violates=(7,),
    ),
    "restore-kills": Ablation(
        what="a restore kills no account",
        patches=((restore, "_kill", ablated.release_for_kill),),
        faults={"restore": 1},
        violates=(45,),
    ),
    "kept-places": Ablation(
        what="a restore keeps no place for what is lost",
        patches=((restore, "_highest", ablated.nobody_remembers),),
        faults={"restore": 1, "kill-switch": 2},
        violates=(45,),
    ),
    "journal-answers": Ablation(
        what="a restore puts claims back without the answers that the journal has",
        patches=((restore, "of_outcome", ablated.no_answer),),
        faults={"restore": 1, "venue-requote": 8},
        violates=(20,),
    ),
    "fresh-facts": Ablation(
        what="risk decides without asking how old price and account are",
        patches=((rules, "OPEN_RULES", ablated.rules_without("venue", "quote", "equity")),),
        faults={"terminal-disconnected": 2, "bus-lost": 6},
        violates=(30,),
    ),
}

SHOWN_ELSEWHERE: dict[str, str] = {
    "durable-epoch": "A node that forgets its epoch at a restart is still held by the lease that each"
    " request names, which dies with the node's memory. The model shows both: nothing breaks without"
    " it alone, and a kill is broken without it and the nonce (tests/model/one_order_cases.py: `the"
    " same, and an epoch that is forgotten`).",
    "two-passes": "One pass after the settling time would do while a venue shows everything within"
    " its known lag, which the simulated ones do. The second is for a venue whose list flickers; the"
    " model shows that without it such an order is presumed absent while it lives"
    " (tests/model/one_order_cases.py: `one pass, a list that flickers`).",
}
"""Safeguards that no seed misses, and why they are there all the same."""


def ablation(name: str) -> Ablation:
    """One by its name. Raises BadInput for an unknown one."""
    found = ABLATIONS.get(name)
    if found is None:
        raise BadInput(f"there is no safeguard {name!r}; known are: {', '.join(ABLATIONS)}")
    return found


@contextmanager
def without(name: str) -> Iterator[Ablation]:
    """One safeguard away for as long as the context lasts. Raises BadInput for an unknown name."""
    found = ablation(name)
    patches = [patch.object(*each) for each in found.patches]
    for each in patches:
        each.start()
    try:
        yield found
    finally:
        for each in patches:
            each.stop()
