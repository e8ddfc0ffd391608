"""The kill: leases stop at once in this process, then the log is told, whatever that takes.

The append is unconditional. A kill of the fleet is one atomic batch with an event per account. Its
once-only ids are made of the request, so that two copies of risk, or a repeated try after an unknown
answer, do not write it twice; a second kill would do no harm either. An id that was used before, for
a kill that has been released since, is not taken for this one: it is written again under another id.
With the log away the reply says so after `REPLY_S`, and trying goes on until it is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.errors import WireError
from argos_common.domain.ids import Account
from argos_common.domain.node import Command, CommandKind, CommandReply
from argos_common.runtime.bounded import bounded
from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.follow import Proposer
from argos_common.runtime.log import Append, Exists, Log, Mine, Unconditional
from argos_common.wire import codec, subjects

from argos_risk.core.kill import kill_sentence, kill_sequences
from argos_risk.core.state import RiskState
from argos_risk.ports import Report
from argos_risk.runner.leases import Leases

REPLY_S = 2.0
TRY_AGAIN_S = 0.1
Spawn = Callable[[Coroutine[object, object, None]], None]
Unlatch = Callable[[str, str], None]
"""(account, request_id): the log shows this kill, the latch of this process has done its work."""


class KillSwitch:
    """Serves KILL on the command subject; everything else there is somebody else's."""

    def __init__(  # noqa: PLR0913  # one argument per port
        self,
        *,
        state: RiskState,
        log: Log,
        proposer: Proposer,
        clock: Clock,
        entropy: Entropy,
        leases: Leases,
        report: Report,
        spawn: Spawn,
        unlatch: Unlatch,
    ) -> None:
        self._state = state
        self._log = log
        self._proposer = proposer
        self._clock = clock
        self._entropy = entropy
        self._leases = leases
        self._report = report
        self._spawn = spawn
        self._unlatch = unlatch

    async def answer(self, subject: str, payload: bytes) -> bytes | None:
        """One message on the command subject."""
        del subject
        try:
            command = codec.unpack(Command, payload)
        except WireError:
            return None  # answered by the other commands' handler
        if command.kind is not CommandKind.KILL:
            return None
        return codec.pack(await self._kill(command))

    async def _kill(self, command: Command) -> CommandReply:
        known = tuple(self._state.accounts)
        targets = tuple(Account(each) for each in command.accounts) or known
        strange = [each for each in targets if each not in known]
        if strange or not targets:
            why = f"{', '.join(strange)} is not known here" if strange else "no account is known"
            return CommandReply(ok=False, sentence=f"Nothing is killed: {why}. Check the name.")
        request_id = command.request_id or self._entropy.token(8).hex()
        if self._was_released(targets, request_id):
            request_id = f"{request_id[:80]}-{self._entropy.token(8).hex()}"
        for account in targets:
            self._leases.latched[account] = request_id
        recording = self._record(command, targets, request_id)
        done = await bounded(self._clock, recording, REPLY_S)
        if done is None:
            self._spawn(self._keep_trying(command, targets, request_id))
            return CommandReply(
                ok=False,
                sentence=(
                    "The kill is not on record yet, because the log does not answer. No lease is"
                    " granted from here any more, so no new risk starts later than 2 s from now;"
                    " recording goes on. Repeat the command, or ask for the status, to be sure."
                ),
            )
        sequences = kill_sequences(self._state, targets, request_id)
        return CommandReply(
            ok=True,
            sentence=kill_sentence(self._state, sequences, request_id),
            sequences=tuple(sequences.values()),
        )

    def _was_released(self, targets: tuple[Account, ...], request_id: str) -> bool:
        """Whether a kill of this id is on record for an account that is open again."""
        found = [self._state.accounts[account] for account in targets]
        return any(request_id in each.requests and not each.control.killed for each in found)

    def _append(self, command: Command, account: Account, request_id: str) -> Append:
        event = KillEngaged(
            account=account,
            scope=Scope.ACCOUNT if command.accounts else Scope.FLEET,
            actor=command.actor or "unknown",
            reason=command.reason or "no reason given",
            request_id=request_id,
            asked_at_ns=command.asked_at_ns,
        )
        return Append(
            subject=subjects.control(account),
            data=codec.encode(event),
            condition=Unconditional(),
            once_id=f"kill-{request_id}-{account}"[:200],
        )

    async def _record(
        self, command: Command, targets: tuple[Account, ...], request_id: str
    ) -> bool:
        """Append until it is on record and folded; then the latches have done their work."""
        appends = [self._append(command, account, request_id) for account in targets]
        while True:
            if len(appends) == 1:
                answer = await self._log.append(appends[0])
            else:
                answer = await self._log.append_batch(appends)
            if isinstance(answer, Mine):
                await self._proposer.follower.reach(answer.sequence)
                break
            if isinstance(answer, Exists) and await self._proposer.catch_up():
                break
            await self._clock.sleep(TRY_AGAIN_S)
        for account in targets:
            self._unlatch(account, request_id)
        return True

    async def _keep_trying(
        self, command: Command, targets: tuple[Account, ...], request_id: str
    ) -> None:
        await self._record(command, targets, request_id)
        self._report.note("a kill that had to wait for the log is on record now")
