"""Copies of risk on one log: exactly one verdict per cause, kills, commands, leases, facts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from argos_common.domain.config import AccountConfig
from argos_common.domain.control import ConfigApplied, ConfigProposed, KillEngaged, Scope
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.node import (
    Command,
    CommandKind,
    CommandReply,
    LeaseAnswer,
    LeaseAsk,
)
from argos_common.domain.signal import Action, SignalAccepted
from argos_common.domain.verdict import Decision, VerdictGiven
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SeededEntropy
from argos_common.runtime.log import Append, CreateOnce, Unconditional
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire import codec, subjects
from argos_common.wire.documents import read_config
from argos_risk.core.replay import decide_again
from argos_risk.ports import FixedProposals, QuietReport
from argos_risk.runner.risk import RiskPorts, RiskRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.tests.risk_kit import (
    CONFIG,
    DEMO,
    NOW,
    D,
    account_facts,
    applied,
    config_with,
    deal,
    discrepancy,
    signal,
)

PATIENCE_S = 10.0
SECOND = Account("second")


class StillClock(SystemClock):
    """The wall stands still, so that signals of the kit are fresh; sleeping is real."""

    def now_ns(self) -> int:
        return NOW


class Fleet:
    """A log, a bus, and copies of risk on them."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.log = MemoryLog(self.clock)
        self.bus = MemoryBus(self.clock)
        self.runners: list[RiskRunner] = []
        self.logs: list[MemoryLog] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.report = QuietReport()

    def copy(self, *configs: AccountConfig) -> RiskRunner:
        """Start one more copy."""
        log = self.log.another()
        runner = RiskRunner(
            RiskPorts(
                log=log,
                bus=self.bus.another(),
                clock=self.clock,
                entropy=SeededEntropy(len(self.runners)),
                proposals=FixedProposals(*configs),
                report=self.report,
            )
        )
        self.runners.append(runner)
        self.logs.append(log)
        self.tasks.append(asyncio.create_task(runner.run()))
        return runner

    async def write(self, *events: Event) -> None:
        for event in events:
            match event:
                case SignalAccepted():
                    append = Append(
                        subject=subjects.signal(event.source, event.signal_id),
                        data=codec.encode(event),
                        condition=CreateOnce(),
                    )
                case ConfigApplied() | KillEngaged():
                    append = Append(
                        subject=subjects.control(event.account),
                        data=codec.encode(event),
                        condition=Unconditional(),
                    )
                case _:
                    append = Append(
                        subject="argos.v1.venue.demo.deal.d", data=codec.encode(event),
                        condition=Unconditional(),
                    )  # fmt: skip
            await self.log.append(append)

    async def facts(self, *accounts: Account) -> None:
        for account in accounts or (DEMO,):
            payload = codec.pack(account_facts(account))
            await self.bus.publish(f"{subjects.FACTS}.{account}", payload)

    def events(self) -> list[Event]:
        return [codec.decode(entry.data) for entry in self.log.store.entries]

    def verdicts(self) -> list[VerdictGiven]:
        return [event for event in self.events() if isinstance(event, VerdictGiven)]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                for task in self.tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.002)

    async def command(self, kind: CommandKind, *accounts: str, **fields: str) -> CommandReply:
        command = Command(
            kind=kind,
            actor=fields.pop("actor", "ann"),
            reason=fields.pop("reason", "drill"),
            request_id=fields.pop("request_id", "q1"),
            asked_at_ns=NOW,
            accounts=accounts,
            **fields,
        )
        return codec.unpack(
            CommandReply, await self.bus.request(subjects.COMMAND, codec.pack(command), PATIENCE_S)
        )

    async def lease(self) -> LeaseAnswer:
        ask = codec.pack(LeaseAsk(account=DEMO, nonce="n"))
        answer = await self.bus.request(f"{subjects.LEASE}.{DEMO}", ask, PATIENCE_S)
        return codec.unpack(LeaseAnswer, answer)


@asynccontextmanager
async def fleet(
    *configs: AccountConfig, copies: int = 1, facts: bool = True
) -> AsyncIterator[Fleet]:
    """Copies of risk that have read the log, with configurations in force and facts."""
    made = Fleet()
    await made.write(*(applied(config) for config in configs or (CONFIG,)))
    try:
        for _ in range(copies):
            made.copy()
        await made.until(lambda: all(runner.ready for runner in made.runners))
        if facts:
            await made.facts(*(config.account for config in configs or (CONFIG,)))
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_a_signal_gets_one_verdict_on_each_account_it_concerns() -> None:
    async with fleet(CONFIG, replace(CONFIG, account=SECOND)) as it:
        await it.write(signal())
        await it.until(lambda: len(it.verdicts()) == 2)
        assert {each.account for each in it.verdicts()} == {DEMO, SECOND}
        assert all(each.decision is Decision.APPROVED for each in it.verdicts())


@settings(max_examples=25, deadline=None)
@given(
    faults=st.lists(st.sampled_from(["busy", "lose", "ghost", "none"]), min_size=2, max_size=12),
    burst=st.integers(2, 9),
    pauses=st.lists(st.integers(0, 5), min_size=9, max_size=9),
)
def test_two_racing_copies_give_one_verdict_each_and_never_overspend(
    faults: list[str], burst: int, pauses: list[int]
) -> None:
    async def story() -> None:
        config = config_with(account_value_max=D(35_000), open_positions_max=99)
        async with fleet(config, copies=2) as it:
            for number, fault in enumerate(faults):
                log = it.logs[number % 2]
                {"busy": log.busy, "lose": log.lose_ack, "ghost": log.ghost}.get(fault, bool)()
            asked = [signal(f"s{number}") for number in range(burst)]
            for ask, pause in zip(asked, pauses, strict=False):
                await it.write(ask)
                for _ in range(pause):
                    await asyncio.sleep(0)
            await it.until(lambda: len(it.verdicts()) >= burst)
            for log in it.logs:
                log.release_ghosts()
            last = it.log.store.entries[-1].sequence
            await it.until(lambda: all(each.follower.sequence == last for each in it.runners))
            given = it.verdicts()
            assert Counter(each.cause_id for each in given) == {a.signal_id: 1 for a in asked}
            spent = sum(leg.reserved_value for each in given for leg in each.legs)
            assert spent <= 35_000
            assert sum(bool(each.legs) for each in given) == min(burst, 3)
            entries = [(entry, codec.decode(entry.data)) for entry in it.log.store.entries]
            assert decide_again(entries, read_config)[1] == ()
            assert it.runners[0].state == it.runners[1].state

    asyncio.run(story())


async def test_a_copy_that_starts_late_decides_nothing_twice() -> None:
    async with fleet() as it:
        await it.write(signal("a"), signal("b"))
        await it.until(lambda: len(it.verdicts()) == 2)
        late = it.copy()
        await it.until(lambda: late.ready)
        await it.write(signal("c"))
        await it.until(lambda: len(it.verdicts()) == 3)
        assert late.state.accounts[DEMO].pending == {}


async def test_an_entry_waits_for_the_first_facts_after_a_start() -> None:
    async with fleet(facts=False) as it:
        await it.write(signal())
        workers = it.runners[0]._workers
        await it.until(lambda: DEMO in workers and workers[DEMO]._waited_for_facts)
        assert it.verdicts() == []
        await it.facts()
        await it.until(lambda: len(it.verdicts()) == 1)
        assert it.verdicts()[0].decision is Decision.APPROVED


async def test_without_facts_entries_are_refused_in_the_end_and_the_next_at_once() -> None:
    async with fleet(facts=False) as it:
        await it.write(signal("a"), signal("b"), signal("out", Action.EXIT))
        await it.until(lambda: len(it.verdicts()) == 3)
        assert {each.decision for each in it.verdicts()} == {Decision.REFUSED}
        assert "the state of the venue is not known" in it.verdicts()[0].reason


async def test_a_kill_of_the_fleet_is_one_batch_and_its_reply_names_the_positions() -> None:
    async with fleet(CONFIG, replace(CONFIG, account=SECOND), copies=2) as it:
        reply = await it.command(CommandKind.KILL)
        kills = [
            entry.sequence
            for entry in it.log.store.entries
            if isinstance(codec.decode(entry.data), KillEngaged)
        ]
        assert reply.ok
        assert sorted(reply.sequences) == kills
        assert kills[1] == kills[0] + 1
        assert len(kills) == 2
        assert f"demo at {kills[0]}" in reply.sentence
        assert "nothing was under way" in reply.sentence
        await it.until(lambda: all(r.state.sequence >= kills[1] for r in it.runners))
        await it.until(lambda: all(r.leases.latched == {} for r in it.runners))
        assert not (await it.lease()).granted
        await it.write(signal())
        await it.until(lambda: len(it.verdicts()) == 2)
        assert all("the fleet is killed (drill)" in each.reason for each in it.verdicts())


async def test_a_kill_with_the_log_away_stops_leases_at_once_and_is_recorded_later() -> None:
    async with fleet() as it:
        assert (await it.lease()).granted
        it.logs[0].unavailable = True
        asking = asyncio.create_task(it.command(CommandKind.KILL, "demo"))
        await it.until(lambda: DEMO in it.runners[0].leases.latched)
        answer = await it.lease()
        assert (answer.granted, answer.reason) == (False, "a kill is being recorded")
        reply = await asking
        assert not reply.ok
        assert "not on record yet" in reply.sentence
        it.logs[0].unavailable = False
        await it.until(lambda: it.runners[0].state.accounts[DEMO].control.account_killed)
        assert it.runners[0].leases.latched == {}
        assert not (await it.lease()).granted


async def test_a_release_needs_actor_reason_and_the_right_scope() -> None:
    async with fleet(copies=2) as it:
        await it.command(CommandKind.KILL, request_id="k")
        no_reason = await it.command(CommandKind.RELEASE, reason=" ")
        assert no_reason.sentence == "Not done: this needs an actor and a reason."
        wrong = await it.command(CommandKind.RELEASE, "demo")
        assert wrong.sentence == (
            "Not done: the kill is of the fleet, only a release of the fleet opens it."
        )
        right = await it.command(CommandKind.RELEASE, request_id="r")
        assert right.ok
        assert right.sentence == "Released on 1 account: new risk is allowed again."
        again = await it.command(CommandKind.RELEASE, request_id="r")
        assert (again.ok, again.sequences) == (True, right.sequences)
        await it.until(lambda: not it.runners[0].state.accounts[DEMO].control.killed)
        nothing = await it.command(CommandKind.RELEASE, request_id="r2")
        assert nothing.sentence == "Not done: the fleet is not killed."


async def test_a_kill_under_an_id_that_was_used_and_released_kills_again() -> None:
    async with fleet() as it:
        control = it.runners[0].state.accounts[DEMO]
        assert (await it.command(CommandKind.KILL, request_id="same")).ok
        assert (await it.command(CommandKind.RELEASE, request_id="r")).ok
        assert not control.control.killed
        reply = await it.command(CommandKind.KILL, request_id="same")
        assert reply.ok
        assert control.control.killed
        assert reply.sequences == (control.control.sequence,)


async def test_a_repeated_kill_is_written_once() -> None:
    async with fleet() as it:
        first = await it.command(CommandKind.KILL, request_id="same")
        again = await it.command(CommandKind.KILL, request_id="same")
        assert first.sequences == again.sequences
        assert sum(isinstance(each, KillEngaged) for each in it.events()) == 1


async def test_a_discrepancy_is_resolved_by_a_person_and_holds_no_more() -> None:
    async with fleet() as it:
        await it.write(discrepancy())
        await it.until(lambda: bool(it.runners[0].state.accounts[DEMO].holds))
        wrong = await it.command(CommandKind.RESOLVE_DISCREPANCY, reference="x2")
        assert wrong.sentence == "Not done: there is no open discrepancy 'x2'."
        nobody = await it.command(
            CommandKind.RESOLVE_DISCREPANCY, reference="x1", actor="reconciler"
        )
        assert not nobody.ok
        right = await it.command(CommandKind.RESOLVE_DISCREPANCY, reference="x1")
        assert right.ok
        assert it.runners[0].state.accounts[DEMO].holds == {}


async def test_a_kill_of_an_unknown_account_says_so_and_kills_nothing() -> None:
    async with fleet() as it:
        reply = await it.command(CommandKind.KILL, "dmeo")
        assert reply.sentence == "Nothing is killed: dmeo is not known here. Check the name."
        assert it.runners[0].leases.latched == {}


async def test_a_flatten_is_answered_by_verdicts() -> None:
    async with fleet() as it:
        held = deal("00000000-0000-5000-8000-000000000000", "1", external=True)
        await it.write(held)
        reply = await it.command(CommandKind.FLATTEN)
        assert reply.sentence == "Flatten ordered on 1 account: everything is being closed."
        await it.until(lambda: len(it.verdicts()) == 1)
        assert it.verdicts()[0].trade_id == held.trade_id


async def test_a_flatten_of_a_symbol_that_nobody_knows_is_not_called_done() -> None:
    async with fleet() as it:
        before = len(it.events())
        reply = await it.command(CommandKind.FLATTEN, symbol="EURSUD")
        assert not reply.ok
        assert "nothing called EURSUD" in reply.sentence
        assert len(it.events()) == before
        assert (await it.command(CommandKind.FLATTEN, symbol="EURUSD")).ok


async def test_a_looser_configuration_waits_until_it_is_approved_by_its_hash() -> None:
    async with fleet() as it:
        looser = config_with(order_quantity_max=D(9))
        it.copy(looser)
        await it.until(lambda: any(isinstance(each, ConfigProposed) for each in it.events()))
        wanted = applied(looser).config_hash
        await it.until(lambda: it.runners[0].state.accounts[DEMO].control.proposal is not None)
        blind = await it.command(CommandKind.APPROVE_CONFIG)
        assert f"waiting: demo {wanted[:12]}" in blind.sentence
        reply = await it.command(CommandKind.APPROVE_CONFIG, reference=wanted[:8])
        assert reply.ok
        last = it.runners[0].state.accounts[DEMO]
        await it.until(lambda: last.control.config_hash == wanted)
        assert last.config == looser
        assert not [e for e in it.events() if isinstance(e, ConfigApplied)][-1].tightening


async def test_the_first_configuration_is_applied_by_risk_itself() -> None:
    made = Fleet()
    made.copy(CONFIG, replace(CONFIG, account=SECOND))
    try:
        await made.until(lambda: len(made.events()) == 2)
        await made.until(lambda: made.runners[0].state.sequence == 2)
        assert made.runners[0].state.accounts[SECOND].config is not None
    finally:
        made.tasks[0].cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)


async def test_a_copy_cut_off_from_the_log_grants_no_lease_any_more() -> None:
    async with fleet() as it:
        assert (await it.lease()).granted
        it.logs[0].unavailable = True
        age = it.runners[0].currency.age_ns
        await it.until(lambda: (age() or 0) > 1_000_000_000)
        answer = await it.lease()
        assert not answer.granted
        assert answer.reason.startswith("risk last confirmed its knowledge of the log")


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_kill_that_somebody_else_appended_counts_as_well(scope: Scope) -> None:
    async with fleet() as it:
        await it.write(
            KillEngaged(account=DEMO, scope=scope, actor="cli", reason="fire", request_id="z",
                        asked_at_ns=NOW)
        )  # fmt: skip
        await it.until(lambda: it.runners[0].state.accounts[DEMO].control.killed)
        assert (await it.lease()).reason == "the account is killed (fire)"


async def test_entries_that_cannot_be_read_do_not_bar_verdicts_and_commands_for_ever() -> None:
    async with fleet() as it:
        held = deal("00000000-0000-5000-8000-000000000000", "1", external=True)
        await it.write(held)
        for subject in (subjects.control(DEMO), subjects.verdict(DEMO)):
            await it.log.append(
                Append(subject=subject, data=b"\xff\xff", condition=Unconditional())
            )
        reply = await it.command(CommandKind.FLATTEN)
        assert reply.sentence == "Flatten ordered on 1 account: everything is being closed."
        await it.until(lambda: _readable_verdicts(it) == 1)


def _readable_verdicts(it: Fleet) -> int:
    return sum(
        1
        for entry in it.log.store.entries
        if entry.data != b"\xff\xff" and isinstance(codec.decode(entry.data), VerdictGiven)
    )
