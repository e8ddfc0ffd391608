"""The table of `one_order`: whole, and without one safeguard after another."""

from __future__ import annotations

from typing import Any

from tests.model.explore import LIVENESS, Case
from tests.model.one_order import State, machine
from tests.model.one_order_rules import Rules


def _case(name: str, breaks: int, *, only: int = 0, note: str = "", **rules: Any) -> Case[State]:
    return Case(name=name, machine=machine(Rules(**rules), only=only), breaks=breaks, note=note)


def _whole(name: str, **rules: Any) -> Case[State]:
    return Case(name=name, machine=machine(Rules(**rules)), liveness=True)


CASES: tuple[Case[State], ...] = (
    _whole("an entry, two faults", faults=2),
    _whole("an exit, two faults", entry=False, faults=2),
    _whole("an entry, a list that flickers", flickers=True),
    _whole("an entry, the log restored", restore=True),
    _whole("an exit, the log restored", entry=False, restore=True),
    _case("without the fence", 3, fence=False),
    _case("fence on a wildcard, three replicas", 3, literal=False),
    _case("without the once-only id", 2, once=False),
    _case("a decline without the claim's id", 2, shared_id=False),
    _case(
        "a decline without the claim's id, and `Mine` acted on unseen",
        7,
        only=7,
        shared_id=False,
        stands=False,
    ),
    _case(
        "`Exists` taken for `Mine`, one journal",
        0,
        entry=False,
        faults=0,
        own_ack=False,
        note="the node's journal knows the id",
    ),
    _case("`Exists` taken for `Mine`, a journal per bridge", 1, only=1, own_ack=False,
          one_journal=False, entry=False, faults=0),
    _case("a journal per bridge, the log restored, and nothing put back", 1, only=1,
          one_journal=False, entry=False, restore=True, put_back=False),
    _case("the log restored, and nothing put back", 7, only=7, restore=True, put_back=False),
    _case("without the journal", 1, only=1, journal=False),
    _case("the journal after the call", 1, only=1, journal_first=False),
    _case("a journal that forgets", 7, journal_durable=False),
    _case("refusals not journalled", 4, refusals_kept=False),
    _case("without lease", 6, lease=False),
    _case("a lease that counts from receipt", 6, nonce=False),
    _case("without the epoch's gate", 0, epoch=False, note="a raise ends the leases, too"),
    _case("a raise that ends no lease", 0, raise_drops=False, note="the epoch's gate is closed"),
    _case("neither of both", 5, only=5, epoch=False, raise_drops=False),
    _case("an epoch that is forgotten", 0, epoch_durable=False,
          note="a claim relies on one nonce, which a crash forgets"),
    _case("a lease that counts from receipt, by invariant 5", 0, only=5, nonce=False),
    _case("the same, and an epoch that is forgotten", 5, only=5, nonce=False, epoch_durable=False),
    _case("no second look at the gates", 5, only=5, second_look=False),
    _case("exits not exempt from the epoch", 9, entry=False, exits_exempt=False),
    _case("an unknown outcome called a refusal", 7, only=7, doubt=False),
    _case("absence without a seal", 7, seal=False),
    _case("a seal while the call runs", 7, only=7, abandon=False),
    _case("no settling time", 7, only=7, settle=False),
    _case("one pass, a list that flickers", 10, flickers=True, two_passes=False),
    _case("no watcher", LIVENESS, watcher=False),
)  # fmt: skip
