"""Watching one account: deals as they become visible, and facts.

Each poll reads the deals of the last seconds of the broker's clock; how the account stands and the
quotes are read as often as they are passed on, and at every poll while something is amiss. Right
after a send polls are quicker. Deals may become visible late, so from time to time, and after every
reconnection until the history has settled, it looks further back. A deal is passed on once.
"""

from __future__ import annotations

from itertools import islice

from argos_common.domain.node import AccountFacts
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal
from argos_common.runtime.clock import Clock

from argos_mt5_node.core import server_time
from argos_mt5_node.core.calls import Call, Row
from argos_mt5_node.core.standing import whose
from argos_mt5_node.core.translate import deal_of, is_trade
from argos_mt5_node.ports import CallLost, Terminal, TerminalDown
from argos_mt5_node.runner.readings import Readings
from argos_mt5_node.runner.specs import learn
from argos_mt5_node.runner.tuning import Tuning

RECENT_NS = 2 * NS_PER_S
BACK_NS = 60 * NS_PER_S
FAR_BACK_NS = 900 * NS_PER_S
_UNSETTLED_SCAN_NS = NS_PER_S
_SEEN_MAX = 100_000
_RECENT_MAX = 200  # so many passed on are named in a quick poll, so that they do not come again
_KNOWN_MAX = 5_000  # and in one that looks further back
_REST_FACTOR = 9  # polls take at most a tenth of the time
_REST_MAX_S = 0.5  # one poll that waited behind a hung call must not silence the account


class Watching:
    def __init__(
        self, terminal: Terminal, readings: Readings, clock: Clock, tuning: Tuning
    ) -> None:
        self._terminal = terminal
        self._readings = readings
        self._clock = clock
        self._tuning = tuning
        self._seen: dict[int, None] = {}
        self._hot_until_ns = 0
        self._took_ns = 0
        self._scanned_ns: int | None = None
        self._described_ns: int | None = None
        self._facts: AccountFacts | None = None
        self._facts_ns = 0
        self._looked_ns = 0
        self._life = 0

    def start_over(self) -> None:
        """Another watch begins: look far back once more."""
        self._scanned_ns = None
        self._facts = None

    def expect_deals(self) -> None:
        """Something was just sent."""
        self._hot_until_ns = self._clock.monotonic_ns() + _ns(self._tuning.hot_for_s)

    def pause_s(self) -> float:
        """How long to wait until the next poll."""
        hot = self._clock.monotonic_ns() < self._hot_until_ns
        pause_s = self._tuning.poll_hot_s if hot else self._tuning.poll_s
        return max(pause_s, min(_REST_FACTOR * self._took_ns / NS_PER_S, _REST_MAX_S))

    async def poll(self) -> list[Deal | AccountFacts]:
        """News, oldest deal first; facts if they changed, or are due."""
        started_ns = self._clock.monotonic_ns()
        news: list[Deal | AccountFacts] = []
        try:
            await self._describe(started_ns)
            news.extend(await self._read(started_ns))
        except (TerminalDown, CallLost) as error:
            self._readings.lost(str(error))
            self._scanned_ns = None
        self._took_ns = self._clock.monotonic_ns() - started_ns
        if self._facts_are_due():
            self._facts, self._facts_ns = self._readings.facts(), self._clock.monotonic_ns()
            news.append(self._facts)
        return news

    async def _describe(self, now_ns: int) -> None:
        due = (
            self._described_ns is None
            or now_ns - self._described_ns >= _ns(self._tuning.specs_every_s)
            or self._life != self._terminal.life  # a terminal that is new has nothing selected
        )
        known = all(name in self._readings.instruments for name in self._readings.symbols)
        if due or not known:
            life = self._terminal.life
            await learn(self._terminal, self._readings, again=due)
            self._described_ns, self._life = now_ns, life

    async def _read(self, now_ns: int) -> list[Deal]:
        knows_clock = self._readings.offset_ns is not None
        well = knows_clock and not self._readings.reason
        looked = well and now_ns - self._looked_ns < _ns(self._tuning.facts_every_s)
        looks = () if looked else self._readings.look()
        calls = list(looks)
        if knows_clock:
            # Somebody may have logged the terminal in to another account: its deals are not ours.
            calls += (whose(self._readings.expected), self._history(now_ns))
        answers = await self._terminal.ask(*calls)
        if looks:
            self._readings.take(answers[: len(looks)], self._terminal.life)
            self._looked_ns = now_ns
        offset_ns = self._readings.offset_ns
        rows = answers[-1].rows if len(answers) == len(looks) + 2 else None
        if rows is None or offset_ns is None:
            return []
        return self._new(rows, offset_ns)

    def _history(self, now_ns: int) -> Call:
        """The deals since a moment ago or, when that is due, since long ago; not those passed on."""
        connected_ns = self._readings.connected_for_ns()
        settled = connected_ns >= _ns(self._tuning.history_settles_s)
        every_ns = _ns(self._tuning.scan_every_s) if settled else _UNSETTLED_SCAN_NS
        back_ns, known = RECENT_NS, _RECENT_MAX
        if self._scanned_ns is None or now_ns - self._scanned_ns >= every_ns:
            back_ns = BACK_NS if settled and self._scanned_ns is not None else FAR_BACK_NS
            known = _KNOWN_MAX
            self._scanned_ns = now_ns
        since_ns = self._readings.server_ns() - back_ns
        bounds = server_time.bounds(since_ns, self._clock.now_ns(), self._readings.offset_ns)
        seen = tuple(islice(reversed(self._seen), known))
        return Call("history_deals_get", bounds, seen=seen)

    def _new(self, rows: list[Row], offset_ns: int) -> list[Deal]:
        fresh = [row for row in rows if row["ticket"] not in self._seen and is_trade(row)]
        fresh.sort(key=lambda row: (row["time_msc"], row["ticket"]))
        for row in fresh:
            self._seen[row["ticket"]] = None
        while len(self._seen) > _SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        view = self._readings
        return [deal_of(row, view.symbols, offset_ns, view.candidates) for row in fresh]

    def _facts_are_due(self) -> bool:
        if self._facts is None or self._facts.reason != self._readings.not_ready():
            return True
        return self._clock.monotonic_ns() - self._facts_ns >= _ns(self._tuning.facts_every_s)


def _ns(seconds: float) -> int:
    return int(seconds * NS_PER_S)
