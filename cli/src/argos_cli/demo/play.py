"""Playing the story: does what a step says, waits for what it started, compares."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field

from argos_common.domain.errors import ArgosError
from argos_common.domain.node import CommandKind
from argos_common.domain.verdict import VerdictGiven

from argos_cli.client.commands import KillReport, ask_risk, command
from argos_cli.commands.control import kill_fleet, until_flat
from argos_cli.demo.proofs import PROOFS, NotSo, Played
from argos_cli.demo.screen import Screen
from argos_cli.demo.stage import Sent, Stage
from argos_cli.demo.steps import (
    Do,
    Flatten,
    Kill,
    KillProcess,
    Misbehave,
    MovePrice,
    Post,
    Resume,
    Step,
    Wait,
)
from argos_cli.demo.watch import TooLate
from argos_cli.exits import Ended
from argos_cli.report.view import WORDS

FINISH_S = 25.0
EXECUTED_S = 10.0
FLAT_S = 15.0
ACTOR = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step ended. `faults` empty: as expected; `notes`: what was seen."""

    step: Step
    number: int
    sent: Sequence[Sent]
    faults: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def held(self) -> bool:
        return not self.faults

    @property
    def detail(self) -> str:
        return "; ".join(self.faults or self.notes) or "as expected"


@dataclass(slots=True)
class Player:
    """Plays steps on a stage. `played`: what the proofs may look at."""

    stage: Stage
    screen: Screen
    results: list[StepResult] = field(default_factory=list)
    played: Played = field(init=False)

    def __post_init__(self) -> None:
        self.played = Played(stage=self.stage)

    @property
    def kill(self) -> KillReport | None:
        return self.played.kill

    async def play(self, story: Sequence[Step]) -> None:
        """One step after the other; a step that fails does not end the story."""
        for number, step in enumerate(story, start=1):
            self.screen.step(number, len(story), step.title, step.expect)
            result = await self._step(number, step)
            self.results.append(result)
            self.screen.result(result.detail, held=result.held)
            await self.stage.clock.sleep(self.screen.pause_s)

    async def _step(self, number: int, step: Step) -> StepResult:
        first = len(self.stage.sent)
        faults: list[str] = []
        notes: list[str] = []
        try:
            for do in step.do:
                faults += await self._do(step, do)
            await self._wait(step)
            faults += self._verdicts(step)
            for name in step.proofs:
                notes.append(await PROOFS[name](self.played, step))
        except (TooLate, NotSo, ArgosError, Ended) as error:
            faults.append(str(error))
        return StepResult(
            step=step,
            number=number,
            sent=tuple(self.stage.sent[first:]),
            faults=tuple(faults),
            notes=tuple(filter(None, notes)),
        )

    # --- doing

    async def _do(self, step: Step, do: Do) -> list[str]:
        match do:
            case Post():
                return await self._post(step, do)
            case Misbehave():
                self.screen.detail(f"the broker will: {do.fault.replace('_', ' ')}", "dim")
                await self.stage.witness.arm(do.account, do.fault, do.params)
            case MovePrice():
                price = await self.stage.price(do.symbol)
                wanted = (price * (1 + do.by)).quantize(price)
                self.screen.detail(f"{do.symbol} jumps from {price} to {wanted}", "dim")
                await self.stage.witness.move(do.symbol, wanted)
            case Kill():
                self.played.kill = await kill_fleet(
                    self.stage.opened, account="", reason="shown in the demo", actor=ACTOR
                )
                await self.stage.watch.reach_end()
            case Resume():
                await self._ask(CommandKind.RELEASE, "the demo goes on")
            case Flatten():
                await self._flatten()
            case KillProcess():
                self.played.killed[do.name] = self.stage.fleet.kill(do.name)
                self.screen.detail(f"kill -9 of {do.name}", "warn")
        return []

    async def _post(self, step: Step, do: Post) -> list[str]:
        many = f"{do.copies} copies of " if do.copies > 1 else ""
        self.screen.detail(f"→ {many}{do.alert.words()}")
        sent = await self.stage.post(do.alert, do.copies)
        for each in sent:
            said = f": {each.sentence}" if each.sentence else ""
            self.screen.detail(
                f"← {each.word} in {each.took_ms:.1f} ms{said}", "warn" if each.sentence else ""
            )
            if each.status == 200:  # HTTP OK
                self.played.signal_ids.setdefault(step.name, each.signal_id)
                self.played.alerts[step.name] = each.alert
        words = sorted(each.word for each in sent)
        wanted = sorted(do.answers)
        if len(words) == len(wanted) and all(map(fnmatch.fnmatchcase, words, wanted)):
            return []
        return [f"answered {', '.join(words)} instead of {', '.join(wanted)}"]

    async def _ask(self, kind: CommandKind, reason: str) -> None:
        reply = await ask_risk(self.stage.opened, command(kind, actor=ACTOR, reason=reason))
        self.screen.detail(reply.sentence, "" if reply.ok else "error")
        if not reply.ok:
            raise NotSo(reply.sentence)
        await self.stage.watch.reach_end()

    async def _flatten(self) -> None:
        await self._ask(CommandKind.FLATTEN, "the demo ends")
        left = await until_flat(self.stage.opened, account="", symbol="", timeout_s=FLAT_S)
        if left:
            held = ", ".join(f"{quantity} {name}" for name, quantity in left.items())
            raise NotSo(f"still held after {FLAT_S:g} s: {held}")

    # --- waiting and comparing

    async def _wait(self, step: Step) -> None:
        cause = self.played.signal_ids.get(step.of or step.name, "")
        if not cause:
            return
        watch = self.stage.watch
        match step.wait:
            case Wait.FINISHED:
                accounts = self.stage.routed(self.played.alerts[step.of or step.name].strategy)
                await watch.until(
                    lambda: not watch.pending(cause, accounts),
                    FINISH_S,
                    lambda: watch.pending(cause, accounts),
                )
            case Wait.UNANSWERED:
                await watch.until(
                    lambda: bool(watch.run.orders_of(cause)), EXECUTED_S, lambda: "no order"
                )
                await self._until_executed(watch.run.orders_of(cause)[0].claim.tag)
            case Wait.NOTHING:
                pass

    async def _until_executed(self, tag: str) -> None:
        """Until the broker's own record has the order."""
        for _ in range(int(EXECUTED_S / 0.1)):
            if (await self.stage.witness.record()).with_tag(tag):
                self.screen.detail("the broker has executed it; its answer does not come", "warn")
                return
            await self.stage.clock.sleep(0.1)
        raise TooLate(f"the broker never had order {tag} (waited {EXECUTED_S:g} s)")

    def _verdicts(self, step: Step) -> list[str]:
        cause = self.played.signal_ids.get(step.name, "")
        faults = []
        for account, wanted in step.verdicts.items():
            found = self.stage.watch.run.verdicts.get((cause, account))
            if found is None:
                faults.append(f"no verdict on {account}")
            elif found[0].decision is not wanted:
                faults.append(
                    f"{account}: {WORDS[found[0].decision]} instead of {WORDS[wanted]}"
                    f" ({found[0].reason})"
                )
            elif step.because and not _mentions(found[0], step.because):
                faults.append(f"{account}: the reason does not say why: {found[0].reason}")
        return faults


def _mentions(verdict: VerdictGiven, because: str) -> bool:
    return any(text in verdict.reason for text in because.split("|"))
