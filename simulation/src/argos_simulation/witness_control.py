"""The witness of control: latches, epochs, what tightened when, and what operators were told.

It keeps every account's control as it stood after each control event, so that a decision can be
held against what its writer had folded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from argos_common.domain.config import AccountConfig
from argos_common.domain.control import (
    AccountControl,
    ConfigApplied,
    Control,
    KillEngaged,
    KillReleased,
    Scope,
    fold_control,
    fold_unreadable,
    tightens,
)
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Command, CommandKind, CommandReply
from argos_common.domain.venue import NodeConfirmed
from argos_common.lasthop.journal import Journal
from argos_common.runtime.log import Entry
from argos_common.wire.documents import read_config

from argos_simulation.invariants import Court


@dataclass(slots=True)
class _History:
    """One account's control after each of its events; `tightened`: (sequence, true time)."""

    sequences: list[int] = field(default_factory=lambda: [0])
    states: list[AccountControl] = field(default_factory=lambda: [AccountControl()])
    tightened: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class ControlWitness:
    """`journals`: each account's own, as it lies on its node's disk."""

    court: Court
    journals: Mapping[Account, Journal]
    configs: dict[str, AccountConfig] = field(default_factory=dict)
    confirmed: dict[Account, int] = field(default_factory=dict)
    """The newest epoch that the account's node has confirmed."""
    replied: dict[Account, tuple[int, str]] = field(default_factory=dict)
    """(sequence of a kill, the sentence that answered it), until the kill is released."""
    _accounts: dict[Account, _History] = field(default_factory=dict)
    _released: dict[str, Command] = field(default_factory=dict)
    _epochs: dict[Account, int] = field(default_factory=dict)

    def again(self, court: Court) -> ControlWitness:
        """One for another log: it knows what operators asked and what is on disks, no event."""
        return ControlWitness(
            court, self.journals, _released=dict(self._released), _epochs=dict(self._epochs)
        )

    def now(self, account: Account) -> AccountControl:
        """The account's control as the log has it."""
        return self._history(account).states[-1]

    def at(self, account: Account, sequence: int) -> AccountControl:
        """The account's control as of a log entry."""
        history = self._history(account)
        return history.states[bisect_right(history.sequences, sequence) - 1]

    def barred_since_ns(self, account: Account, epoch: int) -> int | None:
        """True time of the first event that tightened the account after `epoch`; None: none did."""
        for sequence, at_ns in self._history(account).tightened:
            if sequence > epoch:
                return at_ns
        return None

    def event(self, entry: Entry, event: Control) -> None:
        """A control event was stored."""
        history = self._history(event.account)
        before = history.states[-1]
        after = fold_control(before, entry.sequence, event)
        history.sequences.append(entry.sequence)
        history.states.append(after)
        if tightens(event):
            history.tightened.append((entry.sequence, self.court.now_ns()))
        if isinstance(event, ConfigApplied):
            config = read_config(event.document)
            if config is not None:
                self.configs[event.config_hash] = config
        if isinstance(event, KillReleased):
            self._release(event)
        if not after.killed:
            self.replied.pop(event.account, None)
        if before.killed and not isinstance(event, KillReleased):
            self.court.check(31, f"{event.account} by {event}", holds=after.killed)

    def unreadable(self, entry: Entry, account: Account) -> None:
        """A control event was stored that nobody can read: it counts as a kill."""
        history = self._history(account)
        history.sequences.append(entry.sequence)
        history.states.append(fold_unreadable(history.states[-1], entry.sequence))
        history.tightened.append((entry.sequence, self.court.now_ns()))

    def _release(self, event: KillReleased) -> None:
        command = self._released.get(event.request_id)
        fleet_wide = event.scope is Scope.FLEET
        meant = command is not None and (
            fleet_wide if not command.accounts else event.account in command.accounts
        )
        self.court.check(
            31,
            f"{event.account} was released for {event.request_id!r}, which nobody asked",
            holds=meant and command is not None and event.actor == command.actor,
        )

    def confirmation(self, event: NodeConfirmed) -> None:
        """A node says on record that it has remembered an epoch for good."""
        self.confirmed[event.account] = max(self.confirmed.get(event.account, 0), event.epoch)
        self.look_at_epochs()

    def look_at_epochs(self) -> None:
        """Whether each node's disk still holds what it held."""
        for account, journal in self.journals.items():
            kept, known = journal.epoch(), self._epochs.get(account, 0)
            self.court.check(
                32,
                lambda at=account, now=kept, was=known: f"{at} keeps epoch {now}, had {was}",  # type: ignore[misc]  # bound now
                holds=kept >= max(known, self.confirmed.get(account, 0)),
            )
            self._epochs[account] = max(kept, known)

    # --- operators

    def asked(self, command: Command) -> None:
        """An operator sends a command."""
        if command.kind is CommandKind.RELEASE and command.actor and command.reason:
            self._released[command.request_id] = command

    def answered(
        self,
        command: Command,
        reply: CommandReply,
        entries: list[Entry],
        called: Mapping[OrderId, tuple[Account, int]],
    ) -> None:
        """A kill was answered. `called`: OPEN orders -> account and true time of their call."""
        if command.kind is not CommandKind.KILL or not reply.ok:
            return
        for sequence in reply.sequences:
            account = Account(entries[sequence - 1].subject.rpartition(".")[2])
            if not self.now(account).killed:
                continue  # released again before the answer came
            self.replied[account] = (sequence, reply.sentence)
            since_ns = entries[sequence - 1].appended_ns
            begun = [o for o, (at, at_ns) in called.items() if at == account and at_ns >= since_ns]
            unnamed = [order_id for order_id in begun if order_id not in reply.sentence]
            self.court.check(
                29,
                f"the kill at {sequence} came before {unnamed}: {reply.sentence}",
                holds=not unnamed,
            )

    def named(self, account: Account, order_id: OrderId) -> None:
        """An OPEN call begins, or began, after a kill whose reply is known."""
        found = self.replied.get(account)
        if found is not None:
            self.court.check(
                29,
                f"order {order_id} on {account}, the kill at {found[0]} was answered: {found[1]}",
                holds=order_id in found[1],
            )

    def _history(self, account: Account) -> _History:
        found = self._accounts.get(account)
        if found is None:
            found = self._accounts[account] = _History()
        return found


def kill_request(event: Control) -> str:
    """The request of a kill; empty for other events."""
    return event.request_id if isinstance(event, KillEngaged) else ""
