"""The monitor's loops: follow the log, listen to heartbeats, look around, tell and record.

Every second the state is looked at; what is wrong becomes a notice: a line in the log file and on
the console at once, and an alert in the log, appended once however often it is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.control import ConfigApplied
from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.node import AccountFacts, Beat
from argos_common.domain.reconcile import AlertRaised
from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.runtime.follow import Follower, Proposer
from argos_common.runtime.health import Pulse
from argos_common.runtime.log import Append, CreateOnce, Entry, Exists, Log, LogUnavailable, Mine
from argos_common.runtime.logs import Logger
from argos_common.wire import codec, subjects
from argos_common.wire.documents import config_in

from argos_monitor.core.conditions import LogView, Period, conditions
from argos_monitor.core.desk import Desk
from argos_monitor.core.fleet_state import FleetState
from argos_monitor.core.heartbeat import Heartbeats
from argos_monitor.core.notice import Notice
from argos_monitor.core.status import HeardFacts, Json, fleet_status, is_healthy
from argos_monitor.ports import Gauges, NoGauges, View

LOOK_EVERY_S = 1.0
ASK_LOG_EVERY_S = 2.0
RETRY_S = 0.5
WAITING_MAX = 1_000
TELL_S = 3.0
TELL_LOOK_S = 0.05


def fold(state: FleetState, desk: Desk, entry: Entry, event: Event) -> None:
    """Take one entry that could be read."""
    if isinstance(event, ConfigApplied):
        try:
            state.configure(config_in(event.document))
        except WireError as error:
            state.dead_letter(entry.sequence, entry.appended_ns, entry.subject, str(error))
    if isinstance(event, AlertRaised):
        desk.on_record(event)
    state.fold(entry.sequence, entry.appended_ns, event)


@dataclass(kw_only=True)
class Monitor:
    """`expected`: services that should be there. `periods`: strategy -> ns between its signs.

    `run` goes on until cancelled; `status` may be called at any time, also before.
    """

    log: Log
    bus: Bus
    clock: Clock
    expected: tuple[str, ...]
    periods: Mapping[str, int] = field(default_factory=dict)
    pid: int = 0
    pulse: Pulse = field(default_factory=Pulse)
    gauges: Gauges = field(default_factory=NoGauges)
    logger: Logger | None = None
    state: FleetState = field(default_factory=FleetState, init=False)
    told: list[Notice] = field(default_factory=list, init=False)
    """The latest notices, oldest first, for whoever shows them."""

    def __post_init__(self) -> None:
        self._began_ns = self.clock.now_ns()
        self.beats = Heartbeats(self.expected, self._began_ns)
        self.facts: dict[str, HeardFacts] = {}
        self.log_view = LogView()
        self.desk = Desk()
        self._heard_strategies: dict[str, int] = {}
        self._announced: dict[str, None] = {}
        self._waiting: dict[str, Notice] = {}
        self._to_append = asyncio.Event()
        self.follower = Follower(self.log, self._fold, dead_letter=self._dead_letter)
        self._proposer = Proposer(log=self.log, clock=self.clock, follower=self.follower)

    async def run(self) -> None:
        """Watch for ever."""
        await self.bus.subscribe(f"{subjects.BEAT}.*", self._beat)
        await self.bus.subscribe(f"{subjects.FACTS}.*", self._facts)
        await self.bus.subscribe(f"{subjects.STRATEGY_BEAT}.*", self._strategy)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.follower.run())
            group.create_task(self._ask_log())
            while not await self._proposer.catch_up():
                await self.clock.sleep(RETRY_S)
            self.pulse.state, self.pulse.ready = "running", True
            group.create_task(self._append_all())
            while True:
                self._look()
                await self.clock.sleep(LOOK_EVERY_S)

    def status(self) -> Json:
        """The fleet now; see `core.status`."""
        return fleet_status(
            self.state,
            self.beats,
            self.log_view,
            self.facts,
            pid=self.pid,
            now_ns=self.clock.now_ns(),
        )

    async def tell(self, notices: Sequence[Notice]) -> bool:
        """Tell what somebody else found; whether all of it is on record within `TELL_S`."""
        for notice in notices:
            self._tell(notice)
        wanted = {notice.alert_id for notice in notices}
        for _ in range(int(TELL_S / TELL_LOOK_S)):
            if not wanted & self._waiting.keys():
                return True
            await self.clock.sleep(TELL_LOOK_S)
        return False

    # --- listening

    def _fold(self, entry: Entry, event: Event) -> None:
        fold(self.state, self.desk, entry, event)
        if isinstance(event, AlertRaised):
            self._waiting.pop(event.alert_id, None)
        self.pulse.sequence = entry.sequence

    def _dead_letter(self, entry: Entry, error: WireError) -> None:
        self.state.dead_letter(entry.sequence, entry.appended_ns, entry.subject, str(error))
        self.pulse.sequence = entry.sequence

    async def _beat(self, subject: str, payload: bytes) -> None:
        del subject
        try:
            beat = codec.unpack(Beat, payload)
        except WireError:
            return  # not of this fleet's version; its service will be late
        self.beats.hear(beat, self.clock.now_ns())

    async def _facts(self, subject: str, payload: bytes) -> None:
        del subject
        try:
            facts = codec.unpack(AccountFacts, payload)
        except WireError:
            return
        self.facts[facts.account] = HeardFacts(facts=facts, heard_ns=self.clock.now_ns())

    async def _strategy(self, subject: str, payload: bytes) -> None:
        del payload
        name = subject.rpartition(".")[2]
        if name in self.periods:
            self._heard_strategies[name] = self.clock.now_ns()

    async def _ask_log(self) -> None:
        while True:
            try:
                status = await self.log.status()
            except LogUnavailable:
                pass  # how long ago it last answered says enough
            else:
                self.log_view = LogView(
                    generation=status.generation,
                    last_sequence=status.last_sequence,
                    used_ratio=Decimal(str(round(status.used_ratio, 6))),
                    answered_ns=self.clock.now_ns(),
                )
            await self.clock.sleep(ASK_LOG_EVERY_S)

    # --- looking and telling

    def _look(self) -> None:
        now_ns = self.clock.now_ns()
        found, undecided = conditions(
            self.state, self.beats, self.log_view, self._strategies(), now_ns
        )
        for notice in [*self.state.notices.values(), *self.desk.observe(found, undecided, now_ns)]:
            self._tell(notice)
        self.gauges.look(
            View(
                state=self.state,
                beats=self.beats,
                log=self.log_view,
                strategies=self._strategies(),
                facts=self.facts,
                desk=self.desk,
                healthy=is_healthy(self.beats, self.log_view, now_ns),
                now_ns=now_ns,
            )
        )

    def _strategies(self) -> dict[str, Period]:
        return {
            name: Period(
                every_ns=every_ns,
                seen_ns=max(
                    self._began_ns,
                    self.state.strategies.get(name, 0),
                    self._heard_strategies.get(name, 0),
                ),
            )
            for name, every_ns in self.periods.items()
        }

    def _tell(self, notice: Notice) -> None:
        """Say it once, and have it put on record."""
        if notice.alert_id in self._announced:
            return
        self._announced[notice.alert_id] = None
        while len(self._announced) > 2 * WAITING_MAX:
            del self._announced[next(iter(self._announced))]
        self.told.append(notice)
        del self.told[:-WAITING_MAX]
        if self.logger is not None:
            say = self.logger.info if notice.level == "info" else self.logger.warning
            if notice.level == "critical":
                say = self.logger.error
            say(f"ALERT {notice.code}: {notice.sentence}", trade_id=notice.trade_id)
        self.gauges.raised(notice.code)
        if len(self._waiting) < WAITING_MAX:
            self._waiting[notice.alert_id] = notice
            self._to_append.set()

    async def _append_all(self) -> None:
        while True:
            await self._to_append.wait()
            self._to_append.clear()
            for notice in list(self._waiting.values()):
                if not await self._append(notice):
                    self._to_append.set()
                    await self.clock.sleep(RETRY_S)
                    break

    async def _append(self, notice: Notice) -> bool:
        event = notice.raised(self.clock.now_ns())
        answer = await self._proposer.append(
            Append(
                subject=subjects.alert(notice.alert_id),
                data=codec.encode(event),
                condition=CreateOnce(),
            )
        )
        if isinstance(answer, Mine | Exists):
            self._waiting.pop(notice.alert_id, None)
            self.state.notices.pop(notice.alert_id, None)
            return True
        return False
