"""What the checker is given: only what somebody outside the fleet could write down.

Times are nanoseconds since the epoch, all of one machine's clock. Quantities are in the venue's
unit; a signed quantity is positive for long. This package imports nothing of the fleet's code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What was sent under one id first. `action`: buy, sell, add or exit; `side` of an entry +1, -1."""

    key: str
    lane: str
    action: str
    side: int = 0
    quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer, or none (`status` 0). `same`: it carried what was first sent under the id."""

    key: str
    sent_ns: int
    answered_ns: int
    status: int
    word: str = ""
    signal_id: str = ""
    same: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One stream of alerts, strictly one after the other. `accounts`: each with its multiplier.

    No other lane trades its symbol on any of its accounts. `dust`: what an exit may leave, because
    the venue takes its fee out of what is bought and sells whole steps only.
    """

    name: str
    symbol: str
    accounts: Mapping[str, Decimal]
    dust: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order that a venue accepted from us. `tag` is what it carries of ours."""

    account: str
    order: str
    tag: str
    symbol: str
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueDeal:
    """An execution. `opens`: it put risk on; `ours`: a request of ours caused it.

    `delta` is what it did to the position, signed, net of a fee that is taken out of it.
    """

    account: str
    deal: str
    tag: str
    symbol: str
    quantity: Decimal
    delta: Decimal
    opens: bool
    ours: bool
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRequest:
    """A request of ours that reached a venue, whatever it answered."""

    account: str
    tag: str
    received_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A kill that was confirmed. `named`: the orders its reply says were under way.

    `released_ns`: when its release was first asked for; 0 while it stands.
    """

    accounts: tuple[str, ...]
    replied_ns: int
    named: frozenset[str]
    released_ns: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the fleet publicly says of one order. `quantity`: what it asked for."""

    order_id: str
    cause_id: str
    trade_id: str
    account: str
    leg: int
    part: int
    attempt: int
    effect: str
    state: str
    filled: Decimal
    quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the fleet publicly says it decided on a signal for one account."""

    signal_id: str
    account: str
    decision: str
    trade_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything, from the first alert on. `positions`: (account, symbol) -> signed quantity."""

    lanes: Sequence[Lane]
    alerts: Sequence[Alert]
    answers: Sequence[Answer]
    kills: Sequence[Kill] = ()
    requests: Sequence[VenueRequest] = ()
    orders: Sequence[VenueOrder] = ()
    deals: Sequence[VenueDeal] = ()
    positions: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    verdicts: Sequence[Verdict] = ()
    declared: Sequence[Declared] = ()


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A promise that was not kept. `code` names the rule, `subject` what it is about."""

    code: str
    subject: str
    sentence: str
