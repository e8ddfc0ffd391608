"""Plays a program of calls (`node_programs`) to a venue node, and keeps what the node answers.

The same program is played on two stages: the node as the simulation runs it, and a real process
over gRPC. What is told is reduced to what must be the same on both (`told`): no times, prices or
venue's numbers. Where a race decides by which way a node learns that a lost order exists, both ways
count as one; what it then knows of the order must be the same.

An order whose lease had run out although it was thought to live (a slow machine) is given another
number and tried again, on both stages alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol, TypeVar

from argos_common.domain.ids import Account, OrderId, Strategy, Symbol, magic, order_id, tag
from argos_common.domain.node import (
    Deals,
    Evidence,
    LeaseAnswer,
    Outcome,
    Question,
    Result,
    Snapshot,
    Submission,
)
from argos_common.domain.side import Side
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import Node, NodeUnavailable
from argos_common.testing.node_programs import (
    LOSING,
    PARAMS,
    Again,
    Entry,
    Exit,
    Find,
    Look,
    Restart,
    SealFirst,
    SealIt,
    Step,
    Tighten,
    Told,
)

C = TypeVar("C", Deals, Snapshot)

PATIENCE_S = 20.0
THERE: tuple[object, ...] = ("there",)


class Stage(Protocol):
    """A node, and what can be done to it. `epoch` is the newest it was told of."""

    account: Account
    symbols: tuple[str, str]
    quantity: Decimal
    epoch: int

    @property
    def node(self) -> Node: ...

    def now_ns(self) -> int: ...

    def arm(self, fault: str, params: dict[str, int | str]) -> None:
        """For the next order."""
        ...

    def calm(self) -> None:
        """No fault waits any more."""
        ...

    async def restart(self) -> None:
        """Kill -9, and start again; returns when the account is ready."""
        ...


class Leases:
    """Answers the node's questions, and hands out nonces that have certainly reached it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._asked: list[tuple[str, float]] = []

    async def run(self) -> None:
        while True:
            answers: asyncio.Queue[LeaseAnswer] = asyncio.Queue()
            asks = self._stage.node.lease(_flow(answers))
            try:
                async for ask in asks:
                    self._asked.append((ask.nonce, asyncio.get_running_loop().time()))
                    answers.put_nowait(
                        LeaseAnswer(
                            account=ask.account,
                            nonce=ask.nonce,
                            granted=True,
                            epoch=self._stage.epoch,
                            reason="",
                        )
                    )
            except NodeUnavailable:
                pass  # asked again when it is back
            finally:
                await _close(asks)
            await asyncio.sleep(0.05)

    def forget(self) -> None:
        self._asked.clear()

    async def live(self) -> str:
        """The nonce before the newest: half a second ago it was answered."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                now = asyncio.get_running_loop().time()
                if len(self._asked) > 1 and now - self._asked[-2][1] < 1.2:
                    return self._asked[-2][0]
                await asyncio.sleep(0.01)


async def _close(stream: AsyncIterator[object]) -> None:
    """End a stream that may be a generator, now and not when it is collected."""
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()


async def _flow(answers: asyncio.Queue[LeaseAnswer]) -> AsyncIterator[LeaseAnswer]:
    while True:
        yield await answers.get()


@dataclass(slots=True)
class Player:
    """Plays one program on one stage; `told` is what it was told, step by step."""

    stage: Stage
    run_id: str
    told: list[Told] = field(default_factory=list)
    _orders: list[Submission] = field(default_factory=list)
    _positions: dict[OrderId, str] = field(default_factory=dict)
    _count: int = 0
    _begun_ns: int = 0
    _epoch_before: int = 0
    _leases: Leases = field(init=False)

    async def play(self, program: list[Step]) -> list[Told]:
        self._begun_ns, self._epoch_before = self.stage.now_ns(), self.stage.epoch
        self._leases = Leases(self.stage)
        leasing = asyncio.create_task(self._leases.run())
        try:
            for step in program:
                self.told.append((type(step).__name__, *await self._step(step)))
            self.stage.calm()
            for order in self._orders:
                await self._sealed(order.order_id)  # so that nothing stays open after it
        finally:
            leasing.cancel()
            await asyncio.wait([leasing])
        return self.told

    async def _step(self, step: Step) -> Told:
        match step:
            case Entry():
                return await self._entry(step)
            case SealFirst():
                return await self._seal_first()
            case Tighten():
                self.stage.epoch += 1
                kept = await self.stage.node.raise_epoch(self.stage.account, self.stage.epoch)
                self._leases.forget()
                return (kept.epoch - self._epoch_before,)
            case Restart():
                await self.stage.restart()
                self._leases.forget()
                return ()
            case Look():
                return await self._look(step.at)
            case _ if not self._orders:
                return ("nothing yet",)
            case Exit():
                return await self._exit(step)
            case Again():
                order = self._orders[step.of % len(self._orders)]
                twice = order.quantity * 2 if step.doubled else order.quantity
                repeated = replace(order, quantity=twice, budget_ns=order.budget_ns - 1)
                return self._outcome(await self.stage.node.submit(repeated))
            case Find():
                return await self._found(self._orders[step.of % len(self._orders)])
            case SealIt():
                return await self._sealed(self._orders[step.of % len(self._orders)].order_id)

    async def _entry(self, step: Entry) -> Told:
        for _ in range(5):
            order = self._order(step.symbol, late=step.gate == "too late")
            order = replace(
                order,
                lease="none" if step.gate == "no lease" else await self._leases.live(),
                epoch=self.stage.epoch - (step.gate == "old epoch"),
            )
            if step.fault:
                self.stage.arm(step.fault, PARAMS.get(step.fault, {}))
            outcome = await self.stage.node.submit(order)
            if outcome.code != "lease_not_live" or step.gate == "no lease":
                break
        self._orders.append(order)
        self._positions[order.order_id] = outcome.venue_position_id
        if outcome.result is Result.REFUSED:
            return self._outcome(outcome)
        lost = step.fault in LOSING
        there = not lost or step.fault in ("answer_lost", "late_fill")
        told = await self._found(order, wait=there)
        return ("unknown at first" if lost else "there", *told)

    async def _exit(self, step: Exit) -> Told:
        opened = self._orders[step.of % len(self._orders)]
        order = replace(
            self._order(0, late=step.late),
            symbol=opened.symbol,
            venue_symbol=opened.venue_symbol,
            effect=Effect.CLOSE,
            side=Side.SELL,
            quantity=opened.quantity,
            position_ref=self._positions.get(opened.order_id, ""),
        )
        outcome = await self.stage.node.submit(order)
        self._orders.append(order)
        told = self._outcome(outcome)
        return (*told, *await self._found(order)) if told == THERE else told

    async def _seal_first(self) -> Told:
        order = self._order(0)
        told = await self._sealed(order.order_id)
        outcome = await self.stage.node.submit(replace(order, lease=await self._leases.live()))
        self._orders.append(order)
        return (*told, *self._outcome(outcome))

    async def _sealed(self, identity: OrderId) -> Told:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                seal = await self.stage.node.seal(self.stage.account, identity)
                if seal.sealed:
                    return ("never sent" if seal.never_sent else "was sent",)
                await asyncio.sleep(0.05)

    async def _found(self, order: Submission, *, wait: bool = False) -> Told:
        """What a search shows, once it proves something; with `wait`, once it is found."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(NodeUnavailable):
                    evidence = await self.stage.node.find(_question(order, self._begun_ns))
                    if evidence.found or (evidence.conclusive and not wait):
                        break
                await asyncio.sleep(0.05)
        self._positions[order.order_id] = evidence.venue_position_id
        return _of_evidence(evidence)

    async def _look(self, at: str) -> Told:
        node, account = self.stage.node, self.stage.account
        mine = {order.order_id: number for number, order in enumerate(self._orders)}
        if at == "snapshot":
            shown = await self._complete(lambda: node.snapshot(account))
            held = sorted(
                (mine[position.order_id], position.quantity)
                for position in shown.positions
                if position.order_id in mine
            )
            return (shown.epoch - self._epoch_before, *held)
        listed = await self._complete(lambda: node.deals(account, self._begun_ns))
        deals = [deal for deal in listed.deals if deal.order_id in mine]
        if at == "events":
            deals = await self._streamed({deal.deal_id for deal in deals})
        return tuple(
            (mine[deal.order_id], deal.side.name, deal.quantity, deal.entry.name)
            for deal in deals
            if deal.order_id is not None
        )

    async def _complete(self, ask: Callable[[], Awaitable[C]]) -> C:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(NodeUnavailable):
                    answer = await ask()
                    if answer.complete:
                        return answer
                await asyncio.sleep(0.05)

    async def _streamed(self, wanted: set[str]) -> list[Deal]:
        """The deals of a fresh stream, until all that are wanted have come: each once, numbered."""
        stream = self.stage.node.events(self.stage.account, self._begun_ns)
        deals: list[Deal] = []
        seen: set[str] = set()
        number = 0
        async with asyncio.timeout(PATIENCE_S):
            while not wanted <= seen:
                event = await anext(aiter(stream))
                number += 1
                assert event.sequence == number, "the stream does not count by one"
                assert event.resync == (number == 1) or event.resync, "the first must say resync"
                if event.deal is not None:
                    assert event.deal.deal_id not in seen, "a deal came twice in one stream"
                    seen.add(event.deal.deal_id)
                    if event.deal.deal_id in wanted:
                        deals.append(event.deal)
        await _close(stream)
        return deals

    def _order(self, symbol: int, *, late: bool = False) -> Submission:
        self._count += 1
        stage = self.stage
        identity = order_id(self.run_id, stage.account, f"{self._count}", 1)
        return Submission(
            order_id=identity,
            account=stage.account,
            strategy=Strategy("trend"),
            symbol=Symbol(stage.symbols[symbol]),
            venue_symbol=stage.symbols[symbol],
            side=Side.BUY,
            effect=Effect.OPEN,
            quantity=stage.quantity,
            deadline_ns=stage.now_ns() + (-NS_PER_S if late else 60 * NS_PER_S),
            budget_ns=20 * NS_PER_S,
            epoch=stage.epoch,
            lease="",
            tag=tag(identity),
            magic=magic(identity, "trend"),
        )

    def _outcome(self, outcome: Outcome) -> Told:
        match outcome.result:
            case Result.REFUSED:
                kind = outcome.refusal.name if outcome.refusal else ""
                return ("refused", kind, outcome.code, outcome.by_node)
            case Result.IN_DOUBT:
                return ("in doubt", outcome.code if outcome.code == "other_content" else "")
            case _:
                return THERE  # how much of it a search tells: a deal seen first may hide the answer


def _question(order: Submission, since_ns: int) -> Question:
    return Question(
        order_id=order.order_id,
        account=order.account,
        symbol=order.symbol,
        venue_symbol=order.venue_symbol,
        side=order.side,
        effect=order.effect,
        quantity=order.quantity,
        since_ns=since_ns,
        tag=order.tag,
        magic=order.magic,
        position_ref=order.position_ref,
    )


def _of_evidence(evidence: Evidence) -> Told:
    if evidence.found:
        return ("found", evidence.done, evidence.filled_quantity)
    return ("not found", evidence.journal.name)
