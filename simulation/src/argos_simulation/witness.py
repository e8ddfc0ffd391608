"""The witness: sees every entry of the log and every call to a venue, truthfully, as it happens.

It believes no service. It reads the bytes of the log, the venues' own records, what senders and
operators were told, and the journals as they lie on disk; each part of it holds one kind against
the invariants.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from argos_common.domain.control import Control
from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Command, CommandReply, Submission
from argos_common.domain.order import OrderEvent
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved, OrderMatched
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import VerdictGiven
from argos_common.lasthop.journal import Journal
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import Answer, Append, Busy, Entry
from argos_common.testing.memory_log import MemoryStore
from argos_common.wire import codec, subjects
from argos_exchange_node.adapters.memory_store import MemoryStore as PaperStore
from argos_mt5_node.simulator.broker import SimulatedBroker

from argos_simulation import fleet
from argos_simulation.invariants import Court
from argos_simulation.process import Process
from argos_simulation.truth import VenueTruth
from argos_simulation.witness_calls import CallWitness
from argos_simulation.witness_control import ControlWitness
from argos_simulation.witness_orders import OrderWitness
from argos_simulation.witness_risk import RiskWitness

NOT_RECORDED = (401, 413, 415, 429)
"""Refusals at the door that need no record of their own."""


@dataclass(slots=True)
class Witness:
    """`routes`: signal -> the accounts it concerns, by the configurations in force when it came."""

    court: Court
    truth: VenueTruth
    control: ControlWitness
    calls: CallWitness
    orders: OrderWitness
    risk: RiskWitness
    signals: dict[str, SignalAccepted] = field(default_factory=dict)
    refused: dict[str, SignalRefused] = field(default_factory=dict)
    routes: dict[str, tuple[Account, ...]] = field(default_factory=dict)
    matched: dict[OrderId, None] = field(default_factory=dict)
    events: list[tuple[Entry, Event | None]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @classmethod
    def of(
        cls,
        court: Court,
        broker: SimulatedBroker,
        paper: PaperStore,
        journals: Mapping[Account, Journal],
    ) -> Witness:
        """One that has seen nothing yet."""
        truth = VenueTruth(broker, paper, {})
        control = ControlWitness(court, journals)
        calls = CallWitness(court, control, truth, {})
        orders = OrderWitness(court, control, calls, truth)
        risk = RiskWitness(court, control, orders.at_stake)
        return cls(court, truth, control, calls, orders, risk)

    # --- the log

    def entry(self, entry: Entry) -> None:
        """An entry was stored."""
        self._look()
        event = _read(entry)
        self.events.append((entry, event))
        self.entries.append(entry)
        self.digest.update(line_of(entry))
        self.court.tell(lambda: _line(entry, event))
        self.court.check(
            33, f"entry {entry.sequence}", holds=fleet.SECRET.encode() not in entry.data
        )
        match event:
            case SignalAccepted():
                self.signals[event.signal_id] = event
                self.routes[event.signal_id] = self._concerned(event)
            case SignalRefused():
                self.refused[event.signal_id] = event
            case None:
                kind, _, name = entry.subject.removeprefix(subjects.PREFIX).partition(".")
                if kind == "control":
                    self.control.unreadable(entry, Account(name))
            case VerdictGiven():
                self.risk.verdict(event, self.signals.get(event.cause_id))
                self.orders.verdict(entry.sequence, event)
            case DealRecorded():
                self.orders.deal(event)
            case NodeConfirmed():
                self.control.confirmation(event)
            case DiscrepancyFound() | DiscrepancyResolved():
                self.risk.discrepancy(entry.sequence, event)
            case OrderMatched():
                self.matched[event.order_id] = None
            case _ if isinstance(event, Control):
                self._control(entry, event)
            case _ if isinstance(event, OrderEvent):
                self.orders.event(entry, event)
            case _:
                pass

    def _concerned(self, signal: SignalAccepted) -> tuple[Account, ...]:
        return tuple(
            account
            for account in fleet.routed(signal.strategy)
            if self.control.now(account).config_hash
        )

    def _control(self, entry: Entry, event: Control) -> None:
        self.control.event(entry, event)
        for signal in self.signals.values():
            if not self.routes[signal.signal_id]:  # it waited for the first account that lists it
                self.routes[signal.signal_id] = self._concerned(signal)

    # --- the venues

    def placing(self, submission: Submission, process: Process, node_now_ns: int) -> None:
        """A last hop begins to call its venue; `node_now_ns` is the node's own wall clock."""
        self._look()
        self.calls.begins(submission, process, node_now_ns)
        self.control.look_at_epochs()

    def placed(self, order_id: OrderId) -> None:
        """The call has returned."""
        self._look()
        self.calls.ends(order_id)

    def _look(self) -> None:
        for claim in self.calls.look():
            self.orders.reserved(claim)

    # --- senders, operators, and what people read

    def answered(self, status: int, body: Mapping[str, str]) -> None:
        """A sender was told something."""
        self.said(" ".join(str(each) for each in body.values()))
        signal_id = body.get("signal_id", "")
        if status == 200:
            self.court.check(9, f"signal {signal_id}", holds=signal_id in self.signals)
        elif 400 <= status < 500 and status not in NOT_RECORDED:
            self.court.check(
                34,
                f"{body.get('code')} {signal_id}",
                holds=any(
                    signal_id in (each.signal_id, *each.sentence.split())
                    for each in self.refused.values()
                ),
            )

    def asked(self, command: Command) -> None:
        """An operator sends a command."""
        self.control.asked(command)

    def replied(self, command: Command, reply: CommandReply) -> None:
        """And is answered."""
        self.said(reply.sentence)
        self.control.answered(command, reply, self.entries, self.calls.opened)

    def said(self, text: str) -> None:
        """A line for people: of a log, or an answer."""
        self.court.check(33, f"said: {text[:200]}", holds=fleet.SECRET not in text)


class WitnessedStore(MemoryStore):
    """A log server whose every stored entry is seen by the witness at once."""

    def __init__(
        self,
        clock: Clock,
        seen: Callable[[Entry], None],
        *,
        generation: str = "sim",
        replicas: int = 1,
    ) -> None:
        self.seen = seen
        self.retired = False
        super().__init__(clock, generation=generation, replicas=replicas)

    def apply(self, appends: Sequence[Append]) -> Answer:
        """As the log; of what is meant for a generation that is over nothing is stored."""
        return Busy("another stream") if self.retired else super().apply(appends)

    def _store(self, entry: Entry) -> None:
        super()._store(entry)
        self.seen(entry)


def line_of(entry: Entry) -> bytes:
    """All of an entry, as the running digest takes it."""
    head = f"{entry.sequence} {entry.subject} {entry.appended_ns} {len(entry.data)} "
    return head.encode() + entry.data


def _read(entry: Entry) -> Event | None:
    """None if no program here can read it."""
    try:
        return codec.decode(entry.data)
    except WireError:
        return None


def _line(entry: Entry, event: Event | None) -> str:
    brief = "unreadable" if event is None else _brief(event)
    return f"log {entry.sequence} {entry.subject.removeprefix(subjects.PREFIX)} {brief}"


def _brief(event: Event) -> str:
    """The part of an event that a story needs."""
    words = [type(event).__name__]
    for name in ("decision", "change", "effect", "side", "quantity", "code", "cause", "evidence",
                 "filled_quantity", "done", "never_sent", "why", "reason", "kind", "sentence"):  # fmt: skip
        value = getattr(event, name, None)
        if value not in (None, ""):
            words.append(f"{name}={getattr(value, 'name', value)}")
    if isinstance(event, VerdictGiven):
        words += [f"{leg.effect.name}:{leg.trade_id[:8]}.{leg.leg}" for leg in event.legs]
    if isinstance(event, DealRecorded):
        deal = event.deal
        words += [deal.entry.name, deal.reason.name, str(deal.position_delta), str(deal.order_id),
                  event.trade_id[:8], event.how, deal.venue_position_id]  # fmt: skip
    return " ".join(words)
