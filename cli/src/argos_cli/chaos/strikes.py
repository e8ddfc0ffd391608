"""Carrying out what the adversary has drawn, on the running fleet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from argos_common.domain.errors import ArgosError, OurMistake
from argos_common.domain.node import CommandKind, CommandReply
from argos_common.domain.times import NS_PER_MS, NS_PER_S
from argos_common.runtime.log import LogUnavailable

from argos_cli.chaos import small_disk
from argos_cli.chaos.adversary import Strike
from argos_cli.chaos.arena import SUPERVISOR, Arena, is_running
from argos_cli.chaos.checker import read
from argos_cli.chaos.checker.records import Kill
from argos_cli.chaos.fleet_file import ACCOUNTS
from argos_cli.client.commands import ask_risk, command
from argos_cli.client.opened import open_fleet
from argos_cli.exits import Ended

AGAIN_S = 0.5
TOOL_S = 30.0
INSIST_S = 60.0
ACTOR = "chaos"
T = TypeVar("T")


@dataclass(slots=True)
class Strikes:
    """`kills`: those that were confirmed. `notes`: what a person may want to know of each strike.

    `left_behind`: processes that outlived their supervisor and the start of the next one.
    """

    arena: Arena
    kills: list[Kill] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    _switch: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def play(self, strikes: tuple[Strike, ...]) -> None:
        """All of a cycle, each at its time; returns when the last is over."""
        begun_ns = self.arena.clock.monotonic_ns()
        async with asyncio.TaskGroup() as group:
            for strike in strikes:
                group.create_task(self._at(strike, begun_ns))

    async def _at(self, strike: Strike, begun_ns: int) -> None:
        clock = self.arena.clock
        due_ns = begun_ns + strike.at_ms * NS_PER_MS
        await clock.sleep(max(0, due_ns - clock.monotonic_ns()) / NS_PER_S)
        try:
            await self._doing()[strike.fault](strike)
        except OurMistake as error:  # what follows from it, the checker will say
            self.notes.append(f"{strike.words}: {error}")

    def _doing(self) -> dict[str, Callable[[Strike], Awaitable[None]]]:
        return {
            "kill-service": self._kill,
            "kill-worker": self._kill,
            "kill-nats": self._kill,
            "kill-supervisor": self._kill_supervisor,
            "freeze": self._freeze,
            "second-bridge": self._second_bridge,
            "cut": self._cut,
            "drop": self._drop,
            "delay": self._delay,
            "full-log": lambda strike: self._fill(strike, self.arena.log_folder),
            "full-ledger": lambda strike: self._fill(strike, self.arena.ledger_folder),
            "kill-switch-tool": lambda strike: self._kill_switch(
                strike, self._tool_kill, self._tool_release
            ),
            "kill-switch-risk": lambda strike: self._kill_switch(
                strike, self._risk_kill, self.risk_release
            ),
        }

    # --- processes

    async def _kill(self, strike: Strike) -> None:
        pid = self.arena.pid(strike.target)
        if not self.arena.signal(pid, signal.SIGKILL):
            self.notes.append(f"{strike.words}: it did not run at that moment")

    async def _kill_supervisor(self, strike: Strike) -> None:
        """Whoever outlives it is ended by the next start on the same folder."""
        before = self.arena.pids()
        self.arena.signal(self.arena.pid(SUPERVISOR), signal.SIGKILL)
        await self.arena.supervisor.ended(self.arena.clock)
        outlived = sorted(name for name, pid in before.items() if is_running(pid))
        self.notes.append(
            f"{strike.words}: at once after it still ran {', '.join(outlived) or '-'}"
        )
        await self.arena.start()
        self.left_behind += [f"{name} ({pid})" for name, pid in before.items() if is_running(pid)]

    async def _freeze(self, strike: Strike) -> None:
        pid = self.arena.pid(strike.target)
        if not self.arena.signal(pid, signal.SIGSTOP):
            self.notes.append(f"{strike.words}: it did not run at that moment")
            return
        try:
            await self._wait(strike)
        finally:
            self.arena.signal(pid, signal.SIGCONT)

    async def _second_bridge(self, strike: Strike) -> None:
        second = self.arena.second
        second.process = await second.launch()
        try:
            async with asyncio.timeout(TOOL_S):
                while second.pid and not await second.is_ready():
                    await self.arena.clock.sleep(0.1)
            await self._wait(strike)
        except TimeoutError:
            pass  # it never became current; it still was there
        finally:
            if not second.pid:
                self.notes.append(f"{strike.words}: it ended by itself: {second.last_words()}")
            elif strike.target == "gently":
                await second.stop(self.arena.clock, TOOL_S)
            second.end_group()

    # --- cables and disks

    async def _cut(self, strike: Strike) -> None:
        self.arena.cables.proxies[strike.target].cut()

    async def _drop(self, strike: Strike) -> None:
        cable = self.arena.cables.proxies[strike.target]
        cable.mute()
        try:
            await self._wait(strike)
        finally:
            cable.unmute()

    async def _delay(self, strike: Strike) -> None:
        cable = self.arena.cables.proxies[strike.target]
        cable.hold()
        try:
            await self._wait(strike)
        finally:
            cable.release()

    async def _fill(self, strike: Strike, folder: Path) -> None:
        filler = await asyncio.to_thread(small_disk.fill, folder)
        try:
            await self._wait(strike)
        finally:
            filler.unlink(missing_ok=True)

    # --- the kill switch

    async def _kill_switch(
        self,
        strike: Strike,
        engage: Callable[[str], Awaitable[Kill | None]],
        release: Callable[[str], Awaitable[bool | None]],
    ) -> None:
        """Insist until it is confirmed, wait, and insist on its release. One at a time."""
        async with self._switch:
            killed = await self._insist(lambda: engage(strike.target), f"{strike.words}: the kill")
            if killed is None:
                return
            self.kills.append(killed)
            await self._wait(strike)
            self.kills[-1] = replace(killed, released_ns=self.arena.clock.now_ns())
            await self._insist(lambda: release(strike.target), f"{strike.words}: the release")

    async def _insist(self, ask: Callable[[], Awaitable[T | None]], what: str) -> T | None:
        """Until it is confirmed; how long that took is noted if it was not at once."""
        clock = self.arena.clock
        begun_ns = clock.monotonic_ns()
        tries = 0
        while (took_s := (clock.monotonic_ns() - begun_ns) / NS_PER_S) < INSIST_S:
            tries += 1
            found = await ask()
            if found is not None:
                if tries > 1:
                    self.notes.append(f"{what} was confirmed after {tries} tries, {took_s:.1f} s")
                return found
            await clock.sleep(AGAIN_S)
        self.notes.append(f"{what} was not confirmed in {INSIST_S:g} s")
        return None

    async def _tool_kill(self, account: str) -> Kill | None:
        scope = ("--account", account) if account else ()
        report = await self._argos("kill", *scope, "--reason", "chaos", "--actor", ACTOR)
        if report is None:
            return None
        return Kill(
            accounts=tuple(report["accounts"]),
            replied_ns=self.arena.clock.now_ns(),
            named=read.named_by_tool(report),
            by="the tool",
        )

    async def _risk_kill(self, account: str) -> Kill | None:
        reply = await self._ask_risk(CommandKind.KILL, account)
        if reply is None or not reply.ok:
            return None
        return Kill(
            accounts=(account,) if account else ACCOUNTS,
            replied_ns=self.arena.clock.now_ns(),
            named=read.named_by_risk(reply.sentence),
            by="risk",
        )

    async def _tool_release(self, account: str) -> bool | None:
        scope = ("--account", account) if account else ()
        said = await self._argos("resume", *scope, "--yes", "--reason", "chaos", "--actor", ACTOR)
        return _released(said["ok"], said["sentence"]) if said is not None else None

    async def risk_release(self, account: str) -> bool | None:
        """True once the kill of one account, or of the fleet (empty), is released."""
        reply = await self._ask_risk(CommandKind.RELEASE, account)
        return _released(reply.ok, reply.sentence) if reply is not None else None

    async def _ask_risk(self, kind: CommandKind, account: str) -> CommandReply | None:
        accounts = (account,) if account else ()
        asked = command(kind, actor=ACTOR, reason="chaos", accounts=accounts)
        try:
            async with asyncio.timeout(TOOL_S), open_fleet(self.arena.state) as opened:
                return await ask_risk(opened, asked)
        except (ArgosError, Ended, LogUnavailable, OSError, TimeoutError):
            return None

    async def _argos(self, *arguments: str) -> dict[str, Any] | None:
        """A command as an operator types it; the document it prints, None if there is none."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "argos_cli", *arguments, "--state", str(self.arena.state), "--json",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            stdin=asyncio.subprocess.DEVNULL,
            env=dict(os.environ),
            start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(TOOL_S):
                said, _ = await process.communicate()
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            found = json.loads(said)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    async def _wait(self, strike: Strike) -> None:
        await self.arena.clock.sleep(strike.for_ms / 1000)


def _released(ok: bool, sentence: str) -> bool | None:
    """A release that was asked for before, and whose answer was lost, leaves nothing to release."""
    return True if ok or "is not killed" in sentence else None
