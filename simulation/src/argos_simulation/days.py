"""Bad days: what happens at a moment and is over after a while, each kind a few times per seed."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from argos_common.domain.node import CommandKind
from argos_common.runtime.log import Append, Unconditional
from argos_common.testing.memory_log import CAPACITY_BYTES
from argos_common.wire import subjects
from argos_mt5_node.simulator import constants as mt5
from argos_mt5_node.simulator.switchboard import ALL_LOGINS

from argos_simulation import fleet
from argos_simulation.chance import Chance
from argos_simulation.loop import sleep
from argos_simulation.network import Way
from argos_simulation.restoring import drawn, roll
from argos_simulation.workload import Operator, Sender
from argos_simulation.world import Host, Service, World

Happening = Callable[["BadDays", Chance], Awaitable[None]]

TRADED = ("EURUSD", "XAUUSD", "GBPUSD", "BTCUSD")
BARS = ("autotrading_off", "api_disabled", "expert_off", "trade_disabled")
FILL_LEVELS = (0.72, 0.78, 0.82, 0.95)
LONG_PAUSE_S = (9.0, 20.0)
"""Longer than a lease, a confirmation, a submission's window and grace."""


class BadDays:
    """Each kind waits for its moment, does its worst, and makes it good again."""

    def __init__(self, world: World, sender: Sender, operator: Operator) -> None:
        self.world = world
        self.sender = sender
        self.operator = operator
        self._chance = world.chance.fork("days")

    async def run(self, name: str, span_s: float) -> None:
        """One kind of event, a few times within the span."""
        world, chance = self.world, self._chance.fork(name)
        if not world.faults.has(name):
            return
        for _ in range(chance.whole(1, 3)):
            await sleep(chance.between(2.0, span_s / 2))
            if world.faults.healed:
                return
            if not world.faults.fire(name):
                continue
            world.tell(f"fault {name}")
            await HAPPENINGS[name](self, chance)

    # --- whom it meets

    def host(self, chance: Chance, *kinds: str) -> Host | None:
        """The running life of some service, of these kinds if any are named."""
        service = self.service(chance, *kinds)
        return service.host

    def service(self, chance: Chance, *kinds: str) -> Service:
        services = self.world.services.values()
        return chance.one_of([each for each in services if not kinds or each.kind in kinds])

    async def for_a_while(self, chance: Chance, low_s: float = 0.5, high_s: float = 8.0) -> None:
        """Wait; not beyond the moment when faults heal."""
        until_s = self.world.now_s() + chance.between(low_s, high_s)
        while self.world.now_s() < until_s and not self.world.faults.healed:
            await sleep(min(0.5, max(0.001, until_s - self.world.now_s())))

    # --- processes

    async def crash_loop(self, chance: Chance) -> None:
        service = self.service(chance)
        for _ in range(chance.whole(3, 6)):
            self.world.crash(service.name)
            await self.for_a_while(chance, 0.1, 2.0)

    async def pause_long(self, chance: Chance) -> None:
        host = self.host(chance)
        if host is not None:
            self.world.tell(f"pause {host.process} for long")
            host.process.pause()
            await self.for_a_while(chance, *LONG_PAUSE_S)
            host.process.resume()

    async def snapshot(self, chance: Chance) -> None:
        del chance
        self.world.take_snapshots()

    async def torn_snapshot(self, chance: Chance) -> None:
        self.world.take_snapshots()
        for kind in self.world.snapshots.texts:
            self.world.snapshots.damage(kind, chance)

    # --- clocks

    async def clock_jump(self, chance: Chance) -> None:
        host = self.host(chance)
        if host is not None:
            host.clock.skew_ns += round(chance.between(-2e9, 2e9))

    async def clock_leap(self, chance: Chance) -> None:
        host = self.host(chance)
        if host is not None:
            leap_ns = chance.one_of((3600, -300, -3600)) * 1_000_000_000
            host.clock.skew_ns += leap_ns
            await self.for_a_while(chance)
            host.clock.skew_ns -= leap_ns

    # --- the network and the log

    async def log_away(self, chance: Chance) -> None:
        """The log server is down, for all; it comes back with all that it had acknowledged."""
        self.world.log_away = True
        for service in self.world.services.values():
            if service.host is not None:
                service.host.cut_log()
        await self.for_a_while(chance, 0.5, 12.0)
        self.log_back()

    def log_back(self) -> None:
        """The log is there again, for everybody."""
        self.world.log_away = False
        for service in self.world.services.values():
            if service.host is not None:
                service.host.mend_log()

    async def log_failover(self, chance: Chance) -> None:
        self.world.server.leaderless = True
        await self.for_a_while(chance, 0.3, 4.0)
        self.world.server.leaderless = False

    async def log_partition(self, chance: Chance) -> None:
        await self._cut_log(chance, there=True, back=True)

    async def log_one_way(self, chance: Chance) -> None:
        there = chance.happens(0.5)
        await self._cut_log(chance, there=there, back=not there)

    async def _cut_log(self, chance: Chance, *, there: bool, back: bool) -> None:
        host = self.host(chance)
        if host is not None:
            host.cut_log(there=there, back=back)
            await self.for_a_while(chance, 0.5, 12.0)
            if not self.world.log_away:
                host.mend_log()

    async def log_watermark(self, chance: Chance) -> None:
        await self._fill_log(chance, chance.one_of(FILL_LEVELS))

    async def log_full(self, chance: Chance) -> None:
        await self._fill_log(chance, 1.0)

    async def _fill_log(self, chance: Chance, level: float) -> None:
        store = self.world.store
        store.capacity_bytes = max(1, int(store.used_bytes / level))
        await self.for_a_while(chance, 2.0, 8.0)
        store.capacity_bytes = CAPACITY_BYTES

    async def bus_partition(self, chance: Chance) -> None:
        host = self.host(chance, "risk", "bridge")
        if host is not None:
            there = chance.happens(0.7)
            host.cable.bus.cut(there=there, back=not there or chance.happens(0.7))
            await self.for_a_while(chance)
            host.cable.bus.mend()

    async def node_partition(self, chance: Chance) -> None:
        await self._cut_node(chance, there=True, back=True)

    async def node_one_way(self, chance: Chance) -> None:
        there = chance.happens(0.5)
        await self._cut_node(chance, there=there, back=not there)

    async def _cut_node(self, chance: Chance, *, there: bool, back: bool) -> None:
        host = self.host(chance, "bridge", "reconciler")
        if host is not None:
            site = chance.one_of((fleet.MT5_NODE, fleet.PAPER_NODE))
            way = host.cable.nodes.setdefault(site, Way())
            way.cut(there=there, back=back)
            await self.for_a_while(chance)
            way.mend()

    # --- terminals

    async def disconnected(self, chance: Chance) -> None:
        await self._armed(chance, "disconnected", 0.5, 6.0)

    async def frozen(self, chance: Chance) -> None:
        await self._armed(chance, "frozen_terminal", 0.3, 5.0)

    async def trading_off(self, chance: Chance) -> None:
        await self._armed(chance, chance.one_of(BARS), 0.5, 6.0)

    async def _armed(self, chance: Chance, switch: str, low_s: float, high_s: float) -> None:
        broker, now_ns = self.world.broker, self.world.true_clock.now_ns
        login = chance.one_of((ALL_LOGINS, *fleet.LOGINS.values()))
        broker.arm(login, switch, now_ns())
        await self.for_a_while(chance, low_s, high_s)
        broker.clear(login, now_ns(), switch)

    async def restarted(self, chance: Chance) -> None:
        """The terminal ends and starts again: what was connected must connect anew."""
        for link in self.world.links:
            link.restarted = True
        await self._armed(chance, "not_ready", 0.3, 3.0)

    async def wrong_account(self, chance: Chance) -> None:
        """A person logs the terminal of one account in to the other."""
        sessions = self.world.desk.sessions
        path = fleet.terminal_path(chance.one_of(tuple(fleet.LOGINS)))
        session = sessions.get(path)
        if session is None or session.login is None:
            return  # nobody is logged in that could be logged out
        own = session.login
        session.login = next(login for login in fleet.LOGINS.values() if login != own)
        await self.for_a_while(chance)
        session.login = own

    # --- the market

    async def symbol_disabled(self, chance: Chance) -> None:
        mode = chance.one_of((mt5.TRADE_MODE_DISABLED, mt5.TRADE_MODE_CLOSEONLY))
        symbols, name = self.world.broker.market.symbols, chance.one_of(TRADED)
        usual = symbols[name]
        symbols[name] = replace(usual, trade_mode=mode)
        await self.for_a_while(chance)
        symbols[name] = replace(symbols[name], trade_mode=usual.trade_mode)

    async def symbol_changed(self, chance: Chance) -> None:
        """The broker changes a symbol's lot step or smallest lot, for good."""
        symbols, name = self.world.broker.market.symbols, chance.one_of(TRADED)
        lots = Decimal(chance.one_of(("0.02", "0.05")))
        symbols[name] = (
            replace(symbols[name], volume_step=lots)
            if chance.happens(0.5)
            else replace(symbols[name], volume_min=lots)
        )

    async def quote_frozen(self, chance: Chance) -> None:
        await self._script(chance, "halt", None)

    async def quote_spike(self, chance: Chance) -> None:
        await self._script(chance, "jump", chance.one_of(("0.97", "0.995", "1.005", "1.03")))

    async def _script(self, chance: Chance, mode: str, times: str | None) -> None:
        broker, now_ns = self.world.broker, self.world.true_clock.now_ns
        name = chance.one_of(TRADED)
        price = None if times is None else broker.quote(name, now_ns()).bid * Decimal(times)
        broker.script(name, "halt" if mode == "halt" else "jump", now_ns(), price)
        await self.for_a_while(chance, 0.5, 6.0)
        broker.script(name, "free", now_ns())

    async def quote_crossed(self, chance: Chance) -> None:
        """Terminals show bid and ask the wrong way round, and now and then none."""
        self.world.crossed = True
        for link in self.world.links:
            link.crossed = True
        await self.for_a_while(chance, 0.5, 4.0)
        self.world.crossed = False
        for link in self.world.links:
            link.crossed = False

    async def stop_out(self, chance: Chance) -> None:
        """Money is taken out until the broker closes positions by itself."""
        broker, now_ns = self.world.broker, self.world.true_clock.now_ns
        login = chance.one_of(tuple(fleet.LOGINS.values()))
        standing = broker.standing(login, now_ns())
        if not standing.margin:
            return
        taken = standing.equity - standing.margin * Decimal("0.3")
        broker.deposit(login, -taken.quantize(Decimal("0.01")), now_ns())
        await self.for_a_while(chance, 1.5, 4.0)
        broker.deposit(login, taken.quantize(Decimal("0.01")), now_ns())

    async def balance_operation(self, chance: Chance) -> None:
        amount = Decimal(chance.one_of(("1000", "-500", "0.01")))
        login = chance.one_of(tuple(fleet.LOGINS.values()))
        self.world.broker.deposit(login, amount, self.world.true_clock.now_ns())

    async def rollover(self, chance: Chance) -> None:
        login = chance.one_of(tuple(fleet.LOGINS.values()))
        now_ns = self.world.true_clock.now_ns()
        self.world.broker.rollover(login, now_ns, reopen=chance.happens(0.5))

    # --- what comes in

    async def malformed_alert(self, chance: Chance) -> None:
        for _ in range(chance.whole(1, 4)):
            data = _malformed(chance)
            await self.sender.post(data, proved=_readable(data))

    async def replayed_alert(self, chance: Chance) -> None:
        """Somebody who has listened sends an alert again, byte for byte, much later."""
        if self.sender.sent:
            await self.sender.post(chance.one_of(self.sender.sent))

    async def malformed_message(self, chance: Chance) -> None:
        bus, account = self.world.bus.another(), chance.one_of(tuple(fleet.LOGINS))
        for subject in (subjects.COMMAND, f"{subjects.LEASE}.{account}", f"{subjects.FACTS}.{account}"):  # fmt: skip
            await bus.publish(subject, chance.token(chance.whole(0, 40)))

    async def malformed_event(self, chance: Chance) -> None:
        """An entry that no program here can read, as one from a newer program."""
        account = chance.one_of((fleet.HEDGE, fleet.NET, fleet.SPOT))
        subject = chance.one_of((
            subjects.signal(fleet.SOURCE, f"unread-{chance.whole(0, 1 << 40)}"),
            subjects.verdict(account),
            subjects.control(account),
            subjects.venue(account, "deal", f"unread-{chance.whole(0, 1 << 40)}"),
        ))  # fmt: skip
        data = b"\xff" + chance.token(chance.whole(0, 60))
        append = Append(subject=subject, data=data, condition=Unconditional())
        self.world.store.apply((append,))

    # --- backups

    async def restored(self, chance: Chance) -> None:
        """The log server's disk is lost; an older copy is put back, and later somebody resumes."""
        world = self.world
        world.halt()
        await self.for_a_while(chance, 0.5, 4.0)
        await roll(world, drawn(world, chance))
        world.go_on()
        await self.for_a_while(chance, 1.0, 8.0)
        if chance.happens(0.9):
            await self.operator.command(CommandKind.RELEASE)


def _readable(data: bytes) -> bool:
    """Whether a secret can be found in it; a number that is none makes it no JSON."""
    try:
        return isinstance(json.loads(data), dict) and not re.search(rb"NaN|Infinity", data)
    except ValueError:
        return False


def _malformed(chance: Chance) -> bytes:
    body: dict[str, object] = {
        "id": f"odd-{chance.whole(0, 1 << 30)}",
        "strategy": "trend",
        "bot_version": fleet.VERSION,
        "ticker": "EURUSD",
        "secret": fleet.SECRET,
        "action": "buy",
    }
    match chance.whole(0, 4):
        case 0:
            return json.dumps(body).encode()[: chance.whole(0, 60)]
        case 1:
            return chance.token(chance.whole(1, 200))
        case 2:
            body["quantity"] = chance.one_of((float("nan"), float("inf"), -1, 1e400, "0x1", None))
        case 3:
            body["ticker"] = chance.one_of(("NOPE", "", "EURUSD; drop", 7))
        case _:
            body["action"] = chance.one_of(("hold", "", 1, ["buy"]))
    return json.dumps(body).encode()


HAPPENINGS: Mapping[str, Happening] = {
    "crash-loop": BadDays.crash_loop,
    "pause-long": BadDays.pause_long,
    "stale-snapshot": BadDays.snapshot,
    "torn-snapshot": BadDays.torn_snapshot,
    "clock-jump": BadDays.clock_jump,
    "clock-leap": BadDays.clock_leap,
    "log-away": BadDays.log_away,
    "log-failover": BadDays.log_failover,
    "log-partition": BadDays.log_partition,
    "log-one-way": BadDays.log_one_way,
    "log-watermark": BadDays.log_watermark,
    "log-full": BadDays.log_full,
    "bus-partition": BadDays.bus_partition,
    "node-partition": BadDays.node_partition,
    "node-one-way": BadDays.node_one_way,
    "terminal-disconnected": BadDays.disconnected,
    "terminal-frozen": BadDays.frozen,
    "terminal-restarted": BadDays.restarted,
    "trading-off": BadDays.trading_off,
    "wrong-account": BadDays.wrong_account,
    "symbol-disabled": BadDays.symbol_disabled,
    "symbol-changed": BadDays.symbol_changed,
    "quote-frozen": BadDays.quote_frozen,
    "quote-spike": BadDays.quote_spike,
    "quote-crossed": BadDays.quote_crossed,
    "stop-out": BadDays.stop_out,
    "balance-operation": BadDays.balance_operation,
    "rollover": BadDays.rollover,
    "alert-malformed": BadDays.malformed_alert,
    "alert-replayed": BadDays.replayed_alert,
    "message-malformed": BadDays.malformed_message,
    "event-malformed": BadDays.malformed_event,
    "restore": BadDays.restored,
}
