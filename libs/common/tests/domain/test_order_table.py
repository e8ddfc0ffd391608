"""The life of an order: every (state, kind) is a row written out here, or illegal."""

from __future__ import annotations

import pytest
from argos_common.domain.order import ENDED, LATE, LIVE, TABLE, UNRESOLVED, Kind, OrderState

# One line per state, one column per kind, in the order of `Kind`. "." is illegal.
EXPECTED = """
                 SUBMITTING  DECLINED  ACKNOWLEDGED  PART           DONE    REFUSED  IN_DOUBT  SEALED    PRESUMED_ABSENT  ABSENT
NEW              SUBMITTING  DECLINED  .             .              .       .        .         .         .                .
SUBMITTING       .           .         WORKING       PARTLY_FILLED  FILLED  REFUSED  IN_DOUBT  .         .                .
WORKING          .           .         .             PARTLY_FILLED  FILLED  REFUSED  .         .         .                .
PARTLY_FILLED    .           .         .             PARTLY_FILLED  FILLED  .        .         .         .                .
FILLED           .           .         .             .              FILLED  .        .         .         .                .
REFUSED          .           .         .             PARTLY_FILLED  FILLED  .        .         .         .                .
IN_DOUBT         .           .         WORKING       PARTLY_FILLED  FILLED  REFUSED  .         IN_DOUBT  PRESUMED_ABSENT  ABSENT
PRESUMED_ABSENT  .           .         WORKING       PARTLY_FILLED  FILLED  .        .         .         .                ABSENT
ABSENT           .           .         .             PARTLY_FILLED  FILLED  .        .         .         .                .
DECLINED         .           .         .             .              .       .        .         .         .                .
"""
ROWS = {line.split()[0]: line.split()[1:] for line in EXPECTED.splitlines()[2:]}
PAIRS = [(state, kind) for state in OrderState for kind in Kind]


@pytest.mark.parametrize(("state", "kind"), PAIRS, ids=lambda each: each.name)
def test_every_pair_is_a_row_or_illegal(state: OrderState, kind: Kind) -> None:
    cell = ROWS[state.name][kind.value - 1]
    assert TABLE.get((state, kind)) == (None if cell == "." else OrderState[cell])


def test_the_columns_are_in_the_order_of_the_kinds() -> None:
    assert EXPECTED.splitlines()[1].split() == [kind.name for kind in Kind]
    assert sorted(ROWS) == sorted(state.name for state in OrderState)


def test_doubt_and_presumed_absence_are_left_by_evidence_only() -> None:
    evidence = {Kind.ACKNOWLEDGED, Kind.PART, Kind.DONE, Kind.REFUSED, Kind.SEALED}
    concluded = {Kind.PRESUMED_ABSENT, Kind.ABSENT}
    for state in (OrderState.IN_DOUBT, OrderState.PRESUMED_ABSENT):
        assert {kind for from_, kind in TABLE if from_ is state} <= evidence | concluded


def test_a_declined_order_never_becomes_anything_else() -> None:
    assert not [pair for pair in TABLE if pair[0] is OrderState.DECLINED]


def test_every_state_is_new_or_live_or_ended() -> None:
    assert LIVE | ENDED | {OrderState.NEW} == set(OrderState)
    assert not LIVE & ENDED
    assert UNRESOLVED < LIVE
    assert {OrderState.PRESUMED_ABSENT} | (LATE & ENDED) == LATE
