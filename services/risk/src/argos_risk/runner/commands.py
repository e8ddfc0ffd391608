"""An operator's other orders: release, flatten, approve a configuration, resolve a discrepancy.

Each is decided against the folded state and appended on the head of what it was decided from; if
that has moved, it is decided again. A request that is on record already is answered as done, so a
repeated command does nothing twice, and two copies of risk give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argos_common.domain.control import (
    ConfigApplied,
    ConfigProposed,
    Control,
    FlattenOrdered,
    KillReleased,
    Scope,
)
from argos_common.domain.errors import BadInput, WireError
from argos_common.domain.ids import Account, Symbol
from argos_common.domain.node import Command, CommandKind, CommandReply
from argos_common.domain.reconcile import ITSELF, DiscrepancyResolved
from argos_common.runtime.bounded import bounded
from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Proposer
from argos_common.runtime.log import (
    Answer,
    Append,
    CreateOnce,
    Exists,
    Full,
    Head,
    Mine,
    Stale,
    Unknown,
)
from argos_common.wire import codec, subjects

from argos_risk.core.config import approve
from argos_risk.core.state import AccountRisk, ReadConfig, RiskState
from argos_risk.ports import Report

REPLY_S = 3.0
TRIES = 5
REFERENCE_MIN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Serves everything but KILL on the command subject. `latched`: kills not on record yet."""

    state: RiskState
    proposer: Proposer
    clock: Clock
    report: Report
    read_config: ReadConfig
    latched: dict[str, str]

    async def answer(self, subject: str, payload: bytes) -> bytes | None:
        """One message on the command subject."""
        del subject
        try:
            command = codec.unpack(Command, payload)
        except WireError as error:
            return codec.pack(CommandReply(ok=False, sentence=f"Not understood: {error}."))
        if command.kind is CommandKind.KILL:
            return None
        reply = await bounded(self.clock, self._do(command), REPLY_S)
        if reply is None:
            reply = CommandReply(
                ok=False,
                sentence="The log does not answer, so it is not known whether this is on record."
                " Look at the status, then repeat the command.",
            )
        if reply.ok:
            self.report.note(f"{command.kind.name} by {command.actor}: {reply.sentence}")
        return codec.pack(reply)

    async def _do(self, command: Command) -> CommandReply:
        if not command.actor.strip() or not command.reason.strip():
            return _no("this needs an actor and a reason")
        if command.actor.strip() == ITSELF:
            return _no(f"{ITSELF} is a service; name yourself as the actor")
        for _ in range(TRIES):
            try:
                ready = self._prepare(command)
            except BadInput as error:
                return _no(str(error))
            if isinstance(ready, CommandReply):
                return ready
            answer = await self._append(ready)
            match answer:
                case Mine():
                    count = len(ready)
                    first = answer.sequence - count + 1
                    return CommandReply(
                        ok=True,
                        sentence=_done(command, ready),
                        sequences=tuple(range(first, first + count)),
                    )
                case Full():
                    return _no("the log is full; make room first")
                case Stale() | Unknown() | Exists():
                    continue
                case _:
                    return _no("the log is busy; repeat the command")
        return _no("others write to the same accounts at this moment; repeat the command")

    async def _append(self, appends: Sequence[Append]) -> Answer:
        if len(appends) == 1:
            return await self.proposer.append(appends[0])
        return await self.proposer.append_batch(appends)

    def _prepare(self, command: Command) -> list[Append] | CommandReply:
        """What to append for a command as things stand, or the reply if there is nothing to."""
        match command.kind:
            case CommandKind.RELEASE:
                return self._release(command)
            case CommandKind.FLATTEN:
                return self._flatten(command)
            case CommandKind.APPROVE_CONFIG:
                return self._approve(command)
            case CommandKind.RESOLVE_DISCREPANCY:
                return self._resolve(command)
            case CommandKind.KILL:
                raise BadInput("a kill is served elsewhere")

    def _targets(self, command: Command) -> list[AccountRisk]:
        for name in command.accounts:
            if Account(name) not in self.state.accounts:
                raise BadInput(f"account {name} is not known here; check the name")
        return [
            risk
            for name, risk in self.state.accounts.items()
            if not command.accounts or name in command.accounts
        ]

    def _on_record(self, command: Command, targets: list[AccountRisk]) -> CommandReply | None:
        found = tuple(
            risk.requests[command.request_id]
            for risk in targets
            if command.request_id in risk.requests
        )
        if not command.request_id or not found:
            return None
        return CommandReply(ok=True, sentence="Done: on record already.", sequences=found)

    def _release(self, command: Command) -> list[Append] | CommandReply:
        scope = Scope.ACCOUNT if command.accounts else Scope.FLEET
        targets = self._targets(command)
        done = self._on_record(command, targets)
        if done is not None:
            return done
        if any(risk.account in self.latched for risk in targets):
            raise BadInput("a kill is still being recorded; release it when it is on record")
        engaged = [risk for risk in targets if _engaged(risk, scope)]
        if not engaged:
            raise BadInput(_nothing_to_release(targets, scope))
        return [
            _on_head(
                risk,
                KillReleased(
                    account=risk.account,
                    scope=scope,
                    actor=command.actor,
                    reason=command.reason,
                    request_id=command.request_id,
                    asked_at_ns=command.asked_at_ns,
                ),
            )
            for risk in engaged
        ]

    def _flatten(self, command: Command) -> list[Append] | CommandReply:
        targets = self._targets(command)
        if not targets:
            raise BadInput("no account is known here yet")
        if command.symbol and not any(_knows(risk, command.symbol) for risk in targets):
            raise BadInput(
                f"nothing called {command.symbol} is traded or held there; check the name"
            )
        done = self._on_record(command, targets)
        if done is not None:
            return done
        return [
            _on_head(
                risk,
                FlattenOrdered(
                    account=risk.account,
                    symbol=command.symbol,
                    actor=command.actor,
                    reason=command.reason,
                    request_id=command.request_id,
                    asked_at_ns=command.asked_at_ns,
                ),
            )
            for risk in targets
        ]

    def _approve(self, command: Command) -> list[Append] | CommandReply:
        reference = command.reference
        if len(reference) < REFERENCE_MIN:
            raise BadInput(
                f"name the configuration to approve by at least {REFERENCE_MIN} characters of its"
                f" hash; {self._waiting()}"
            )
        targets = self._targets(command)
        if any(risk.control.config_hash.startswith(reference) for risk in targets):
            return CommandReply(ok=True, sentence="Done: this configuration is in force.")
        for risk in targets:
            proposal = risk.control.proposal
            if proposal is not None and proposal.config_hash.startswith(reference):
                return [_on_head(risk, self._approved(risk, proposal, command))]
        raise BadInput(f"no such configuration is proposed; {self._waiting()}")

    def _approved(
        self, risk: AccountRisk, proposal: ConfigProposed, command: Command
    ) -> ConfigApplied:
        config = self.read_config(proposal.document)
        if config is None:
            raise BadInput("the proposed configuration cannot be read; propose it again")
        return approve(
            proposal,
            risk.config,
            config,
            actor=command.actor,
            reason=command.reason,
            now_ns=command.asked_at_ns,
        )

    def _waiting(self) -> str:
        waiting = [
            f"{name} {risk.control.proposal.config_hash[:12]}"
            for name, risk in self.state.accounts.items()
            if risk.control.proposal is not None
        ]
        return f"waiting: {', '.join(waiting)}" if waiting else "nothing waits for approval"

    def _resolve(self, command: Command) -> list[Append] | CommandReply:
        for risk in self._targets(command):
            hold = risk.holds.get(command.reference)
            if hold is not None:
                event = DiscrepancyResolved(
                    discrepancy_id=command.reference,
                    account=risk.account,
                    symbol=Symbol(hold.symbol),
                    how=command.reason,
                    actor=command.actor,
                    resolved_at_ns=command.asked_at_ns,
                )
                subject = subjects.reconcile(risk.account, "resolution", command.reference)
                return [Append(subject=subject, data=codec.encode(event), condition=CreateOnce())]
        raise BadInput(f"there is no open discrepancy {command.reference!r}")


def _no(sentence: str) -> CommandReply:
    return CommandReply(ok=False, sentence=f"Not done: {sentence}.")


def _on_head(risk: AccountRisk, event: Control) -> Append:
    return Append(
        subject=subjects.control(risk.account),
        data=codec.encode(event),
        condition=Head(risk.control.sequence),
    )


def _engaged(risk: AccountRisk, scope: Scope) -> bool:
    control = risk.control
    return control.fleet_killed if scope is Scope.FLEET else control.account_killed


def _knows(risk: AccountRisk, symbol: str) -> bool:
    """Whether the account trades the symbol, or has held it: also what somebody else opened."""
    traded = {route.symbol for route in risk.config.symbols} if risk.config is not None else set()
    return symbol in traded or any(each.symbol == symbol for each in risk.book.trades.values())


def _nothing_to_release(targets: list[AccountRisk], scope: Scope) -> str:
    if scope is Scope.FLEET:
        killed = [risk.account for risk in targets if risk.control.account_killed]
        hint = f"; killed one by one: {', '.join(killed)}, name them" if killed else ""
        return f"the fleet is not killed{hint}"
    if any(risk.control.fleet_killed for risk in targets):
        return "the kill is of the fleet, only a release of the fleet opens it"
    return "the account is not killed"


def _done(command: Command, appends: Sequence[Append]) -> str:
    count = len(appends)
    where = f"on {count} account" + ("s" if count != 1 else "")
    match command.kind:
        case CommandKind.RELEASE:
            return f"Released {where}: new risk is allowed again."
        case CommandKind.FLATTEN:
            what = f"everything in {command.symbol}" if command.symbol else "everything"
            return f"Flatten ordered {where}: {what} is being closed."
        case CommandKind.APPROVE_CONFIG:
            return f"Approved: configuration {command.reference} is in force."
        case CommandKind.RESOLVE_DISCREPANCY | CommandKind.KILL:
            return f"Done: {command.reference} is resolved."
