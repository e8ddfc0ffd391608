"""A kill that risk records, because the log took none from here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from argos_cli.client.commands import engage_kill
from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.ids import Account
from argos_common.domain.node import Command, CommandReply
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import Append, Busy, Entry, Mine, Unconditional
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire import codec, subjects


class _Refusing:
    """A log that takes nothing from this caller, and can be read."""

    def __init__(self, log: MemoryLog) -> None:
        self.read, self.status = log.read, log.status

    async def append_batch(self, _appends: list[Append]) -> Busy:
        return Busy("away")


class _Risk:
    """Kills the accounts in an order of its own."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    async def request(self, _subject: str, payload: bytes, _timeout_s: float) -> bytes:
        command = codec.unpack(Command, payload)
        sequences = []
        for name in ("second", "first"):
            event = KillEngaged(
                account=Account(name),
                scope=Scope.FLEET,
                actor=command.actor,
                reason=command.reason,
                request_id=command.request_id,
                asked_at_ns=command.asked_at_ns,
            )
            answer = await self.log.append(
                Append(
                    subject=subjects.control(name),
                    data=codec.encode(event),
                    condition=Unconditional(),
                )
            )
            assert isinstance(answer, Mine)
            sequences.append(answer.sequence)
        return codec.pack(CommandReply(ok=True, sentence="Killed.", sequences=tuple(sequences)))


async def test_each_account_is_told_at_its_own_log_position() -> None:
    log = MemoryLog(SystemClock())
    opened: Any = SimpleNamespace(log=_Refusing(log), bus=_Risk(log))

    positions, by = await engage_kill(opened, ("first", "second"), Scope.FLEET, "ann", "drill")

    stored: list[Entry] = log.store.entries
    assert by == "risk"
    assert positions == {entry.subject.rpartition(".")[2]: entry.sequence for entry in stored}
