"""The reconciler's loops: follow the log, keep the ledger, match orders, compare with the venue.

    follow    every entry: fold, and queue for the ledger; waits while the ledger is far behind
    pump      queued entries into the ledger, in batches
    match     orders that are done and whose deals add up: append the match, once per order
    watch     per account, every second: the venue's own picture against the book

Nothing is appended before the log has been read to its end once: what is on record is not
proposed again. The ledger being away stops only the ledger.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from argos_common.domain.control import ConfigApplied
from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind, DiscrepancyResolved
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal
from argos_common.lasthop.contract import Node, NodeUnavailable
from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Follower, Proposer
from argos_common.runtime.health import Pulse
from argos_common.runtime.log import (
    Answer,
    Append,
    CreateOnce,
    Entry,
    Exists,
    Log,
    LogStatus,
    LogUnavailable,
    Mine,
    check_reaches,
)
from argos_common.runtime.logs import Logger
from argos_common.runtime.telemetry import Kind, NullTelemetry, Telemetry
from argos_common.wire import codec, subjects
from argos_common.wire.documents import config_in

from argos_reconciler.core.compare import Watch, observe
from argos_reconciler.core.differences import (
    Thresholds,
    book_differences,
    missing_deals,
    muted,
    venue_differences,
)
from argos_reconciler.core.match import match_of
from argos_reconciler.core.rows import Item
from argos_reconciler.core.state import DEALS_REMEMBERED, AccountState, State
from argos_reconciler.ports import (
    BATCH_MAX,
    Checkpoint,
    Ledger,
    LedgerUnavailable,
    QuietReport,
    Report,
)

QUEUE_MAX = 16 * BATCH_MAX
GATHER_S = 0.1
"""How long the ledger waits for company before it takes a few entries: a commit costs the same."""

MATCHES_AT_ONCE = 32
COMPARE_EVERY_S = 1.0
DEALS_EVERY_PASSES = 5
RETRY_S = 0.5
BOOK_KINDS = frozenset({DiscrepancyKind.UNRESOLVED})
VENUE_KINDS = frozenset(
    {
        DiscrepancyKind.POSITION,
        DiscrepancyKind.BALANCE,
        DiscrepancyKind.UNKNOWN_POSITION,
        DiscrepancyKind.UNKNOWN_ORDER,
    }
)


@dataclass(slots=True)
class _AccountWatch:
    """What one account's passes remember. `listed`: the venue's deals were seen at least once."""

    watch: Watch
    missing: tuple[Deal, ...] = ()
    listed: bool = False
    passes: int = 0


@dataclass(kw_only=True)
class Reconciler:
    """`nodes`: by the name that account configurations use. `run` goes on until cancelled.

    `checkpoint` is how far the ledger is, `state` what the log adds up to; both to be read only.
    """

    log: Log
    clock: Clock
    ledger: Ledger
    nodes: Mapping[str, Node]
    thresholds: Thresholds = field(default_factory=Thresholds)
    telemetry: Telemetry = field(default_factory=NullTelemetry)
    pulse: Pulse = field(default_factory=Pulse)
    report: Report = field(default_factory=QuietReport)
    logger: Logger | None = None
    compare_every_s: float = COMPARE_EVERY_S
    state: State = field(default_factory=State, init=False)
    checkpoint: Checkpoint | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._queue: deque[Item] = deque()
        self._arrived, self._room, self._complete = (asyncio.Event() for _ in range(3))
        self._room.set()
        paced = _Paced(self.log, self._room)
        self.follower = Follower(paced, self._fold, dead_letter=self._dead_letter)
        self._proposer = Proposer(log=self.log, clock=self.clock, follower=self.follower)

    async def run(self) -> None:
        """Reconcile for ever. Raises LedgerUnusable or LogDamaged (both are an OurMistake)."""
        status = await self._status()
        while self.checkpoint is None:
            try:
                self.checkpoint = await self.ledger.open(status.generation)
            except LedgerUnavailable as error:
                await self._wait_for_ledger(error)
        check_reaches((await self._status()).last_sequence, self.checkpoint.sequence, "the ledger")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.follower.run())
            group.create_task(self._pump())
            while not await self._proposer.catch_up():
                await self.clock.sleep(RETRY_S)
            self.pulse.state, self.pulse.ready = "running", True
            group.create_task(self._match())
            await self._watch_accounts(group)

    # --- following

    def _fold(self, entry: Entry, event: Event) -> None:
        if isinstance(event, ConfigApplied):
            self._configure(entry, event)
        self.state.fold(entry.sequence, entry.appended_ns, event)
        self._look_for_complete()
        self._enqueue(entry, event)

    def _dead_letter(self, entry: Entry, error: WireError) -> None:
        if self.logger is not None:
            self.logger.error("dead letter", sequence=entry.sequence, reason=str(error))
        self._enqueue(entry, None)

    def _configure(self, entry: Entry, event: ConfigApplied) -> None:
        try:
            config = config_in(event.document)
        except WireError as error:
            if self.logger is not None:
                self.logger.error("unreadable configuration", reason=str(error))
            return
        self.state.configure(config, entry.appended_ns)

    def _enqueue(self, entry: Entry, event: Event | None) -> None:
        self._queue.append(
            Item(entry.sequence, entry.subject, entry.appended_ns, entry.data, event)
        )
        self._arrived.set()
        self.pulse.sequence = entry.sequence
        if len(self._queue) >= QUEUE_MAX:
            self._room.clear()

    async def _status(self) -> LogStatus:
        while True:
            try:
                return await self.log.status()
            except LogUnavailable:
                await self.clock.sleep(RETRY_S)

    # --- the ledger

    async def _pump(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._queue) < BATCH_MAX:
                await self.clock.sleep(GATHER_S)
            batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
            if not self._queue:
                self._arrived.clear()
            if len(self._queue) < QUEUE_MAX // 2:
                self._room.set()
            self.checkpoint = await self._project(batch)

    async def _project(self, batch: Sequence[Item]) -> Checkpoint:
        waited, begun_ns = False, self.clock.monotonic_ns()
        while True:
            try:
                checkpoint = await self.ledger.project(batch)
            except LedgerUnavailable as error:
                waited = True
                await self._wait_for_ledger(error)
            else:
                if waited:
                    self.pulse.detail = ""
                self.report.projected(self.clock.monotonic_ns() - begun_ns, len(self._queue))
                return checkpoint

    async def _wait_for_ledger(self, error: LedgerUnavailable) -> None:
        if self.logger is not None and self.pulse.detail != str(error):
            self.logger.warning("waiting for the ledger", reason=str(error))
        self.pulse.detail = str(error)
        self.report.ledger_away()
        await self.clock.sleep(RETRY_S)

    # --- matching

    async def _match(self) -> None:
        while True:
            self._complete.clear()
            ready = [
                (account, order_id)
                for account in self.state.accounts.values()
                for order_id in account.matcher.complete
            ][:MATCHES_AT_ONCE]
            if not ready:
                await self._complete.wait()
                continue
            done = await asyncio.gather(*(self._append_match(*each) for each in ready))
            if not all(done):
                await self.clock.sleep(RETRY_S)

    def _look_for_complete(self) -> None:
        if any(account.matcher.complete for account in self.state.accounts.values()):
            self._complete.set()

    async def _append_match(self, account: AccountState, order_id: OrderId) -> bool:
        """Append one match; whether it is on record now."""
        order = account.matcher.orders.get(order_id)
        if order is None or not order.complete:
            return True  # matched meanwhile, or more of it was filled
        match = match_of(order, self.clock.now_ns())
        parent = order.submitting.trace_parent
        with self.telemetry.span(
            "reconcile",
            parent=parent,
            trade_id=match.event.trade_id,
            kind=Kind.CONSUMER,
            attributes={
                "trade.id": match.event.trade_id,
                "argos.account": account.account,
                "argos.order_id": order_id,
                "argos.method": match.event.method.name.lower(),
                "argos.latency_clock": match.latency_clock,
            },
        ):
            trace_id = self.telemetry.trace_id()
            answer = await self._append(
                subjects.reconcile(account.account, "match", order_id), match.event
            )
        if isinstance(answer, Mine):
            self.report.matched(match.event, trace_id)
        if isinstance(answer, Mine | Exists):
            account.matcher.let_go(order_id)
            return True
        return False

    async def _append(self, subject: str, event: Event) -> Answer:
        return await self._proposer.append(
            Append(subject=subject, data=codec.encode(event), condition=CreateOnce())
        )

    # --- comparing

    async def _watch_accounts(self, group: asyncio.TaskGroup) -> None:
        watched: dict[Account, None] = {}
        while True:
            for account in list(self.state.accounts.values()):
                if account.config is not None and account.account not in watched:
                    watched[account.account] = None
                    group.create_task(self._watch(account))
            await self.clock.sleep(COMPARE_EVERY_S)

    async def _watch(self, account: AccountState) -> None:
        memory = _AccountWatch(Watch())
        while True:
            await self.clock.sleep(self.compare_every_s)
            for proposal in await self._pass(account, memory):
                await self._append_finding(proposal)

    async def _pass(
        self, account: AccountState, memory: _AccountWatch
    ) -> list[DiscrepancyFound | DiscrepancyResolved]:
        """One look at the venue and the book; a venue that cannot answer proves nothing."""
        node = self.nodes.get(account.config.node) if account.config else None
        snapshot, before, busy = None, self.follower.sequence, muted(account)
        if node is not None:
            try:
                snapshot = await node.snapshot(account.account)
                # The venue may show what our reading of the log has not come to yet.
                if not await self._proposer.catch_up():
                    snapshot = None
                if memory.passes % DEALS_EVERY_PASSES == 0:
                    await self._list_deals(node, account, memory)
                memory.passes += 1
            except NodeUnavailable:
                pass  # who is late is the monitor's business
        now_ns = self.clock.now_ns()
        account.matcher.look_again(now_ns)
        self._look_for_complete()
        kinds = BOOK_KINDS
        if memory.listed:
            kinds = kinds | {DiscrepancyKind.MISSING_FILL}
        differences = book_differences(account, self.thresholds, memory.missing)
        if snapshot is not None and snapshot.complete:
            kinds = kinds | VENUE_KINDS
            self.report.compared(account.account, snapshot)
            differences += venue_differences(account, snapshot, self.thresholds)
        return observe(
            account,
            memory.watch,
            [each for each in differences if each.kind in kinds],
            kinds=kinds,
            now_ns=now_ns,
            log_sequence=self.follower.sequence,
            busy=busy | account.touched_since(before),
        )

    async def _list_deals(self, node: Node, account: AccountState, memory: _AccountWatch) -> None:
        since_ns = _since(account, memory)
        listed = await node.deals(account.account, since_ns)
        memory.missing = missing_deals(account, listed.deals)
        memory.listed = True

    async def _append_finding(self, event: DiscrepancyFound | DiscrepancyResolved) -> None:
        kind, found = "resolution", self.state.account(event.account).open.get(event.discrepancy_id)
        if isinstance(event, DiscrepancyFound):
            kind, found = "discrepancy", event
        with self.telemetry.span(kind, kind=Kind.PRODUCER) as span:
            span.set("argos.account", event.account)
            span.set("argos.discrepancy_id", event.discrepancy_id)
            if found is not None and found.trade_id is not None:
                span.set("trade.id", found.trade_id)
                trade = self.state.account(event.account).book.trades.get(found.trade_id)
                span.link(trade.trace_parent if trade is not None else "")
            answer = await self._append(
                subjects.reconcile(event.account, kind, event.discrepancy_id), event
            )
        if isinstance(answer, Mine) and self.logger is not None:
            if isinstance(event, DiscrepancyFound):
                self.logger.error("discrepancy", account=event.account, reason=event.sentence)
            else:
                self.logger.info("discrepancy resolved", account=event.account, how=event.how)


OVERLAP_NS = 10 * NS_PER_S
LONG_OVERLAP_NS = 300 * NS_PER_S
LONG_EVERY_PASSES = 60
"""Every so often a longer look back: a venue may list a deal late."""


def _since(account: AccountState, memory: _AccountWatch) -> int:
    """From when on the venue's deals are asked for: everything not known to be on record."""
    if not memory.listed:
        full = len(account.deals) >= DEALS_REMEMBERED
        return min(account.deals.values()) if full else account.known_since_ns
    overlap_ns = OVERLAP_NS if memory.passes % LONG_EVERY_PASSES else LONG_OVERLAP_NS
    newest = max(account.deals.values(), default=account.known_since_ns) - overlap_ns
    oldest_missing = min((deal.venue_time_ns for deal in memory.missing), default=newest)
    return max(min(newest, oldest_missing), account.known_since_ns)


class _Paced:
    """A log whose readers wait while there is no room for more."""

    def __init__(self, log: Log, room: asyncio.Event) -> None:
        self._log, self._room = log, room

    async def append(self, append: Append) -> Answer:
        return await self._log.append(append)

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        return await self._log.append_batch(appends)

    async def read(
        self, after: int, subjects: Sequence[str] = ()
    ) -> AsyncIterator[Entry]:  # the port's name
        async for entry in self._log.read(after, subjects):
            await self._room.wait()
            yield entry

    async def last(self, subject: str) -> Entry | None:
        return await self._log.last(subject)

    async def status(self) -> LogStatus:
        return await self._log.status()
