"""The checker says exactly what is wrong with doctored records, and nothing about honest ones.

The honest record: an entry on two accounts, an exit, an entry refused during a kill, and an exit that
went through during it.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from decimal import Decimal

import pytest
from argos_cli.chaos.checker.decide import check, order_tag
from argos_cli.chaos.checker.records import (
    Alert,
    Answer,
    Declared,
    Evidence,
    Kill,
    Lane,
    VenueDeal,
    VenueOrder,
    VenueRequest,
    Verdict,
)
from argos_common.domain import ids

S = 1_000_000_000
D0 = Decimal(0)
LANE = Lane(name="pair", symbol="EURUSD", accounts={"h": Decimal(1), "n": Decimal("0.5")})
DUSTY = Lane(name="stack", symbol="BTCUSD", accounts={"s": Decimal(1)}, dust=Decimal("0.0005"))
SIGNALS = {
    key: str(uuid.UUID(int=number)) for number, key in enumerate(("in", "out", "late", "btc"), 1)
}
TRADE = SIGNALS["in"]
QUANTITY = {"h": Decimal("0.02"), "n": Decimal("0.01")}
KILL = Kill(
    accounts=("h", "n"), replied_ns=20 * S, named=frozenset(), released_ns=30 * S, by="risk"
)


def tag(account: str, leg: int, trade: str = TRADE) -> str:
    return order_tag(trade, account, leg, 1, 1)


def order(account: str, leg: int, at_s: float) -> VenueOrder:
    return VenueOrder(
        account=account, order=f"{account}{leg}", tag=tag(account, leg), symbol="EURUSD",
        received_ns=int(at_s * S),
    )  # fmt: skip


def deal(account: str, leg: int, at_s: float, *, opens: bool) -> VenueDeal:
    quantity = QUANTITY[account]
    return VenueDeal(
        account=account, deal=f"{account}{leg}", tag=tag(account, leg), symbol="EURUSD",
        quantity=quantity, delta=quantity if opens else -quantity, opens=opens, ours=True,
        received_ns=int(at_s * S),
    )  # fmt: skip


def declared(account: str, leg: int, cause: str) -> Declared:
    return Declared(
        order_id=tag(account, leg).removeprefix("a1"), cause_id=SIGNALS[cause], trade_id=TRADE,
        account=account, leg=leg, part=1, attempt=1, effect="open" if leg == 1 else "close",
        state="filled", filled=QUANTITY[account], quantity=QUANTITY[account],
    )  # fmt: skip


def verdict(key: str, account: str, decision: str = "approved") -> Verdict:
    return Verdict(
        signal_id=SIGNALS[key], account=account, decision=decision, trade_id=TRADE, reason="Why."
    )


def answer(key: str, at_s: int, word: str = "accepted", status: int = 200) -> Answer:
    return Answer(
        key=key, sent_ns=at_s * S, answered_ns=at_s * S + 5_000_000, status=status, word=word,
        signal_id=SIGNALS[key] if status == 200 else "",
    )  # fmt: skip


HONEST = Evidence(
    lanes=[LANE, DUSTY],
    alerts=[
        Alert(key="in", lane="pair", action="buy", side=1, quantity=Decimal("0.02")),
        Alert(key="late", lane="pair", action="add", side=1, quantity=Decimal("0.02")),
        Alert(key="out", lane="pair", action="exit"),
    ],
    answers=[
        answer("in", 10, status=503, word="not_confirmed"),
        answer("in", 11),
        answer("in", 11, word="duplicate"),
        replace(answer("in", 12, status=409, word="conflict"), same=False),
        answer("late", 21),
        answer("out", 22),
    ],
    kills=[KILL],
    requests=[VenueRequest(account=a, tag=tag(a, 1), received_ns=12 * S) for a in ("h", "n")],
    orders=[order(a, leg, at_s) for a in ("h", "n") for leg, at_s in ((1, 12), (2, 23))],
    deals=[
        deal(a, leg, at_s, opens=leg == 1) for a in ("h", "n") for leg, at_s in ((1, 12), (2, 23))
    ],
    positions={("h", "EURUSD"): Decimal(0)},
    verdicts=[
        *(verdict(key, a) for key in ("in", "out") for a in ("h", "n")),
        *(verdict("late", a, "refused") for a in ("h", "n")),
    ],
    declared=[
        declared(a, leg, cause) for a in ("h", "n") for leg, cause in ((1, "in"), (2, "out"))
    ],
)


def codes(evidence: Evidence) -> list[str]:
    return [finding.code for finding in check(evidence)]


def test_an_honest_record_has_no_findings() -> None:
    assert check(HONEST) == ()


def test_the_tag_is_the_one_that_the_fleet_makes() -> None:
    assert tag("h", 2) == ids.tag(ids.order_id(ids.TradeId(TRADE), "h", "2.1", 1))


DOCTORED: dict[str, tuple[Evidence, list[str]]] = {
    "an order that the venue has twice": (
        replace(HONEST, orders=[*HONEST.orders, replace(order("h", 1, 13), order="other")]),
        ["order-twice"],
    ),
    "an order that the venue filled twice": (
        replace(
            HONEST,
            orders=[*HONEST.orders, replace(order("h", 1, 13), order="other")],
            deals=[*HONEST.deals, replace(deal("h", 1, 13, opens=True), deal="other")],
            positions={("h", "EURUSD"): Decimal("0.02")},
        ),
        ["order-twice", "too-much", "differs", "exit-not-done"],
    ),
    "a signal that was taken and forgotten": (
        replace(
            HONEST,
            alerts=[*HONEST.alerts, Alert(key="btc", lane="stack", action="buy", side=1, quantity=Decimal(1))],
            answers=[*HONEST.answers, answer("btc", 24)],
        ),
        ["lost"],
    ),
    "a signal that was judged twice": (
        replace(HONEST, verdicts=[*HONEST.verdicts, verdict("late", "h", "refused")]),
        ["lost"],
    ),
    "an approval without an order": (
        replace(HONEST, verdicts=[v if v.signal_id != SIGNALS["late"] else replace(v, decision="approved") for v in HONEST.verdicts]),
        ["lost", "lost"],
    ),
    "a refusal with an order": (
        replace(HONEST, verdicts=[v if (v.signal_id, v.account) != (SIGNALS["in"], "h") else replace(v, decision="refused") for v in HONEST.verdicts]),
        ["lost"],
    ),
    "an order without an end": (
        replace(HONEST, declared=[replace(HONEST.declared[0], state="in doubt"), *HONEST.declared[1:]]),
        ["lost"],
    ),
    "an order that the venue does not know": (
        replace(
            HONEST,
            orders=[o for o in HONEST.orders if o.tag != tag("n", 1)],
            deals=[d for d in HONEST.deals if d.tag != tag("n", 1)],
        ),
        ["differs", "exit-not-done", "position"],
    ),
    "an order that nobody declared": (
        replace(HONEST, orders=[*HONEST.orders, replace(order("h", 1, 14), tag=tag("h", 9))]),
        ["unasked"],
    ),
    "an order under another trade's tag": (
        replace(HONEST, declared=[replace(HONEST.declared[0], trade_id=SIGNALS["out"]), *HONEST.declared[1:]]),
        ["unasked"],
    ),
    "an order of a signal that was never taken": (
        replace(HONEST, answers=[a for a in HONEST.answers if a.key != "out"]),
        ["unasked", "unasked", "position", "position"],
    ),
    "an order of an alert that was refused": (
        replace(
            HONEST,
            answers=[
                *(a for a in HONEST.answers if a.key != "late"),
                replace(answer("late", 21, status=422, word="stale"), signal_id=SIGNALS["late"]),
            ],
            declared=[*HONEST.declared, replace(declared("h", 3, "late"), state="declined", filled=Decimal(0))],
        ),
        ["refused-traded"],
    ),
    "a risk put on after a kill": (
        replace(HONEST, deals=[replace(d, received_ns=25 * S) if d.tag == tag("h", 1) else d for d in HONEST.deals]),
        ["after-kill"],
    ),
    "a risk that reached the venue after a kill and was refused there": (
        replace(
            HONEST,
            requests=[*HONEST.requests, VenueRequest(account="n", tag=tag("n", 1), received_ns=29 * S)],
        ),
        ["after-kill"],
    ),
    "an exit that was refused while something was held": (
        replace(
            HONEST,
            orders=[o for o in HONEST.orders if o.tag != tag("h", 2)],
            deals=[d for d in HONEST.deals if d.tag != tag("h", 2)],
            declared=[d for d in HONEST.declared if (d.account, d.leg) != ("h", 2)],
            verdicts=[v if (v.signal_id, v.account) != (SIGNALS["out"], "h") else replace(v, decision="refused") for v in HONEST.verdicts],
            positions={("h", "EURUSD"): Decimal("0.02")},
        ),
        ["exit-not-done"],
    ),
    "a position that no alert explains": (
        replace(HONEST, positions={("h", "EURUSD"): Decimal("-0.02")}),
        ["position"],
    ),
    "an id that stands for two things": (
        replace(HONEST, answers=[replace(a, status=200, word="accepted") if not a.same else a for a in HONEST.answers]),
        ["conflict", "copies"],
    ),
    "two copies that became two signals": (
        replace(HONEST, answers=[*HONEST.answers, replace(answer("in", 13), signal_id=SIGNALS["btc"], word="duplicate")]),
        ["copies"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_record_is_found_out(name: str) -> None:
    evidence, wanted = DOCTORED[name]
    assert codes(evidence) == wanted


def test_what_a_kill_names_may_still_fill_and_before_and_after_it_risk_may_be_added() -> None:
    def entered_at(at_s: int, kill: Kill) -> Evidence:
        late = [
            replace(d, received_ns=at_s * S) if d.tag == tag("h", 1) else d for d in HONEST.deals
        ]
        return replace(HONEST, deals=late, kills=[kill])

    order_id = tag("h", 1).removeprefix("a1")
    assert codes(entered_at(25, KILL)) == ["after-kill"]
    assert codes(entered_at(25, replace(KILL, named=frozenset({order_id})))) == []
    assert codes(entered_at(25, replace(KILL, accounts=("n",)))) == []
    assert codes(entered_at(19, KILL)) == []
    assert codes(entered_at(31, KILL)) == []
    assert codes(entered_at(31, replace(KILL, released_ns=0))) == ["after-kill"]


def test_an_exit_that_the_venue_never_got_leaves_the_position_for_the_next_one() -> None:
    gone = ("h", 2)
    presumed = [
        replace(d, state="presumed absent", filled=D0) if (d.account, d.leg) == gone else d
        for d in HONEST.declared
    ]
    left = replace(
        HONEST,
        declared=presumed,
        orders=[o for o in HONEST.orders if o.tag != tag(*gone)],
        deals=[d for d in HONEST.deals if d.tag != tag(*gone)],
        positions={("h", "EURUSD"): Decimal("0.02")},
    )
    assert codes(left) == []

    def again(at_s: int) -> Evidence:
        refused = verdict("btc", "h", "refused")
        return replace(
            left,
            alerts=[*left.alerts, Alert(key="btc", lane="pair", action="exit")],
            answers=[*left.answers, answer("btc", at_s)],
            verdicts=[*left.verdicts, refused, replace(refused, account="n")],
        )

    # Refused as flat while the first was still under way, or long after it was known to be lost.
    assert codes(again(26)) == []
    assert codes(again(40)) == ["exit-not-done"]


def spot(left: str) -> Evidence:
    """A spot account whose exit leaves something behind."""
    bought, sold = Decimal("0.01"), Decimal("0.01") - Decimal(left)
    trade = SIGNALS["btc"]

    def traded(leg: int, delta: Decimal) -> tuple[VenueOrder, VenueDeal, Declared]:
        found = order_tag(trade, "s", leg, 1, 1)
        return (
            replace(order("h", leg, 12), account="s", tag=found, symbol="BTCUSD"),
            replace(
                deal("h", leg, 12, opens=leg == 1), account="s", tag=found, symbol="BTCUSD",
                quantity=abs(delta), delta=delta,
            ),
            replace(
                declared("h", leg, "btc" if leg == 1 else "out"), account="s", trade_id=trade,
                order_id=found.removeprefix("a1"), filled=abs(delta),
            ),
        )  # fmt: skip

    parts = traded(1, bought), traded(2, -sold)
    return Evidence(
        lanes=[DUSTY],
        alerts=[
            Alert(key="btc", lane="stack", action="buy", side=1, quantity=bought),
            Alert(key="out", lane="stack", action="exit"),
        ],
        answers=[answer("btc", 11), answer("out", 22)],
        orders=[part[0] for part in parts],
        deals=[part[1] for part in parts],
        declared=[part[2] for part in parts],
        verdicts=[verdict("btc", "s"), verdict("out", "s")],
        positions={("s", "BTCUSD"): Decimal(left)},
    )


def test_an_exit_may_leave_dust_on_a_spot_account_and_no_more() -> None:
    assert codes(spot("0.0001")) == []
    assert codes(spot("0.001")) == ["exit-not-done"]
