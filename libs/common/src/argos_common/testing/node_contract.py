"""What every venue node promises, as one suite: in process or over gRPC, whatever the venue.

Subclass it in a test file and give it a fixture `bench`, which yields a started `Bench`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account
from argos_common.domain.node import Journaled, Result
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.testing.node_bench import ACCOUNT, Bench, eventually


class NodeContract:
    """The suite."""

    async def test_an_order_is_placed_and_the_answer_is_repeated(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())

        first = await bench.node.submit(order)
        again = await bench.node.submit(replace(order, lease="another", budget_ns=1))

        assert first.result is Result.DONE, first
        assert first == again
        assert bench.venue.placed == [order.order_id]
        hops = first.hops
        assert 0 < hops.received_ns <= hops.journaled_ns <= hops.called_ns <= hops.returned_ns

    async def test_two_at_once_are_one_placement(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.open.clear()

        calls = [asyncio.create_task(bench.node.submit(order)) for _ in range(3)]
        await eventually(lambda: bool(bench.venue.running))
        bench.venue.open.set()
        outcomes = await asyncio.gather(*calls)

        assert [outcome.result for outcome in outcomes] == [Result.DONE] * 3
        assert bench.venue.placed == [order.order_id]

    async def test_other_content_under_a_known_id_is_neither_sent_nor_refused(
        self, bench: Bench
    ) -> None:
        order = bench.submission(await bench.lease())
        await bench.node.submit(order)

        outcome = await bench.node.submit(replace(order, quantity=order.quantity * 2))

        assert (outcome.result, outcome.code) == (Result.IN_DOUBT, "other_content")
        assert bench.venue.placed == [order.order_id]

    async def test_an_id_once_refused_is_never_sent(self, bench: Bench) -> None:
        order = bench.submission("no such lease")

        refused = await bench.node.submit(order)
        later = await bench.node.submit(replace(order, lease=await bench.lease()))
        await bench.restart()
        after_restart = await bench.node.submit(replace(order, lease=await bench.lease()))

        assert (refused.result, refused.by_node) == (Result.REFUSED, True)
        assert refused.code == "lease_not_live"
        assert later == after_restart == refused
        assert bench.venue.placed == []

    async def test_past_its_deadline_nothing_is_sent(self, bench: Bench) -> None:
        late = bench.clock.now_ns() - 1
        entry = bench.submission(await bench.lease(), deadline_ns=late)
        exit_order = bench.submission(deadline_ns=late, effect=Effect.CLOSE, side=Side.SELL)

        outcomes = [await bench.node.submit(entry), await bench.node.submit(exit_order)]

        assert [outcome.code for outcome in outcomes] == ["deadline_passed"] * 2
        assert bench.venue.placed == []

    async def test_a_wall_clock_that_is_behind_does_not_revive_a_spent_budget(
        self, bench: Bench
    ) -> None:
        lease = await bench.lease()
        first, second = bench.submission(lease), bench.submission(lease, budget_ns=1_000_000_000)
        bench.venue.open.clear()
        running = asyncio.create_task(bench.node.submit(first))
        await eventually(lambda: bool(bench.venue.running))
        waiting = asyncio.create_task(bench.node.submit(second))
        await eventually(lambda: second.order_id in bench.hop._works)  # noqa: SLF001  # is it queued?

        bench.clock.mono_ns += 1_100_000_000
        bench.venue.open.set()

        assert (await running).result is Result.DONE
        assert (await waiting).code == "budget_spent"
        assert bench.venue.placed == [first.order_id]

    async def test_an_epoch_is_remembered_for_good_and_only_rises(self, bench: Bench) -> None:
        kept = await bench.node.raise_epoch(ACCOUNT, 7)
        await bench.restart()
        lower = await bench.node.raise_epoch(ACCOUNT, 3)
        order = bench.submission(await bench.lease(epoch=7), epoch=6)

        outcome = await bench.node.submit(order)

        assert (kept.epoch, lower.epoch) == (7, 7)
        assert (await bench.node.snapshot(ACCOUNT)).epoch == 7
        assert outcome.code == "epoch_old"
        assert bench.venue.placed == []

    async def test_a_newer_epoch_ends_the_leases_before_it(self, bench: Bench) -> None:
        lease = await bench.lease()
        await bench.node.raise_epoch(ACCOUNT, 5)

        outcome = await bench.node.submit(bench.submission(lease, epoch=5))

        assert outcome.code == "lease_not_live"

    async def test_a_lease_lives_two_seconds_from_the_question(self, bench: Bench) -> None:
        lease = await bench.lease()
        bench.clock.mono_ns += 2_000_000_000

        outcome = await bench.node.submit(bench.submission(lease))

        assert outcome.code == "lease_not_live"

    async def test_an_answer_that_does_not_grant_ends_every_lease(self, bench: Bench) -> None:
        lease = await bench.lease()

        await bench.lease(granted=False)
        await eventually(lambda: not bench.hop.lease_live(lease))

        outcome = await bench.node.submit(bench.submission(lease))
        assert outcome.code == "lease_not_live"

    async def test_a_seal_before_the_order_bars_it_for_ever(self, bench: Bench) -> None:
        order = bench.submission()

        seal = await bench.node.seal(ACCOUNT, order.order_id)
        await bench.restart()
        outcome = await bench.node.submit(replace(order, lease=await bench.lease()))
        evidence = await bench.node.find(bench.question(order))

        assert (seal.sealed, seal.never_sent) == (True, True)
        assert (outcome.result, outcome.code, outcome.by_node) == (Result.REFUSED, "sealed", True)
        assert (evidence.found, evidence.journal) == (False, Journaled.SEALED)
        assert bench.venue.placed == []

    async def test_a_seal_of_an_order_in_the_queue_stops_it(self, bench: Bench) -> None:
        lease = await bench.lease()
        first, second = bench.submission(lease), bench.submission(lease)
        bench.venue.open.clear()
        running = asyncio.create_task(bench.node.submit(first))
        await eventually(lambda: bool(bench.venue.running))
        waiting = asyncio.create_task(bench.node.submit(second))
        await eventually(lambda: second.order_id in bench.hop._works)  # noqa: SLF001  # is it queued?

        seal = await bench.node.seal(ACCOUNT, second.order_id)
        bench.venue.open.set()

        assert (seal.sealed, seal.never_sent) == (True, True)
        assert (await running).result is Result.DONE
        assert (await waiting).code == "sealed"
        assert bench.venue.placed == [first.order_id]

    async def test_a_seal_waits_for_the_call_to_be_over(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.open.clear()
        running = asyncio.create_task(bench.node.submit(order))
        await eventually(lambda: bool(bench.venue.running))

        during = await bench.node.seal(ACCOUNT, order.order_id)
        searched = await bench.node.find(bench.question(order))
        bench.venue.open.set()
        await running
        after = await bench.node.seal(ACCOUNT, order.order_id)

        assert (during.sealed, searched.conclusive) == (False, False)
        assert (after.sealed, after.never_sent) == (True, False)

    async def test_doubt_bars_new_risk_on_its_symbol_only(self, bench: Bench) -> None:
        lease = await bench.lease()
        bench.venue.drop_calls = True
        doubtful = await bench.node.submit(bench.submission(lease))
        bench.venue.drop_calls = False

        same = await bench.node.submit(bench.submission(lease))
        other = await bench.node.submit(
            bench.submission(
                lease,
                symbol=bench.kit.other_symbol,
                venue_symbol=bench.kit.other_venue_symbol,
            )
        )

        assert doubtful.result is Result.IN_DOUBT
        assert same.code == "unresolved_open"
        assert other.result is Result.DONE, other

    async def test_doubt_lets_only_a_self_limiting_exit_through(self, bench: Bench) -> None:
        bench.venue.drop_calls = True
        await bench.node.submit(bench.submission(await bench.lease()))
        bench.venue.drop_calls = False

        loose = await bench.node.submit(bench.submission(effect=Effect.CLOSE, side=Side.SELL))
        tied = bench.submission(effect=Effect.CLOSE, side=Side.SELL, position_ref="p1")
        await bench.node.submit(tied)

        assert loose.code == "unresolved_close"
        passes = bench.venue.capabilities.self_limiting_close
        assert (tied.order_id in bench.venue.placed) == passes

    async def test_an_exit_needs_no_lease_and_no_epoch(self, bench: Bench) -> None:
        await bench.node.submit(bench.submission(await bench.lease()))
        await bench.node.raise_epoch(ACCOUNT, 9)

        order = bench.submission(effect=Effect.CLOSE, side=Side.SELL, position_ref="p1")
        await bench.node.submit(order)

        assert order.order_id in bench.venue.placed

    async def test_a_lost_answer_is_adopted_from_evidence(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.lose_answers = True
        doubtful = await bench.node.submit(order)
        bench.venue.lose_answers = False

        evidence = await bench.node.find(bench.question(order))
        repeated = await bench.node.submit(order)
        next_one = await bench.node.submit(bench.submission(await bench.lease()))

        # Its deal may have been reported before any search, and even before the call was over.
        assert doubtful.result in {Result.IN_DOUBT, Result.ACCEPTED}
        assert (evidence.found, evidence.method, evidence.done) == (True, "tag", True)
        assert evidence.filled_quantity == order.quantity
        assert repeated.result in {Result.DONE, Result.ACCEPTED}
        assert repeated.code == "found"
        assert next_one.result is Result.DONE, next_one

    async def test_a_seal_after_the_call_lifts_the_bar_at_the_node(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.drop_calls = True
        await bench.node.submit(order)
        bench.venue.drop_calls = False
        await bench.restart()

        barred = await bench.node.submit(bench.submission(await bench.lease()))
        seal = await bench.node.seal(ACCOUNT, order.order_id)
        free = await bench.node.submit(bench.submission(await bench.lease()))
        repeated = await bench.node.submit(order)

        assert barred.code == "unresolved_open"
        assert (seal.sealed, seal.never_sent) == (True, False)
        assert free.result is Result.DONE, free
        assert repeated.result is Result.IN_DOUBT
        assert bench.venue.placed.count(order.order_id) == 1

    async def test_a_crash_in_the_call_leaves_the_id_unresolved(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.open.clear()
        call = asyncio.create_task(bench.node.submit(order))
        await eventually(lambda: bool(bench.venue.running))
        await bench.restart()
        bench.venue.open.set()

        repeated = await bench.node.submit(order)
        evidence = await bench.node.find(bench.question(order))

        assert (await call).result is Result.IN_DOUBT
        assert repeated.result is Result.IN_DOUBT
        assert evidence.journal is Journaled.SENDING
        assert bench.venue.placed == [order.order_id]

    async def test_a_caller_that_goes_away_does_not_stop_the_order(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        bench.venue.open.clear()
        call = asyncio.create_task(bench.node.submit(order))
        await eventually(lambda: bool(bench.venue.running))

        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        bench.venue.open.set()
        outcome = await bench.node.submit(order)

        assert outcome.result is Result.DONE
        assert bench.venue.placed == [order.order_id]

    async def test_a_second_process_on_the_journal_refuses(self, bench: Bench) -> None:
        with pytest.raises(OurMistake, match="another process already serves account bench"):
            bench.kit.open_journal()

    async def test_an_account_of_another_node_is_said_to_be_unknown(self, bench: Bench) -> None:
        with pytest.raises(NodeUnavailable, match="does not serve account nobody"):
            await bench.node.snapshot(Account("nobody"))
        order = bench.submission(account=Account("nobody"))

        assert (await bench.node.submit(order)).result is Result.IN_DOUBT

    async def test_events_count_by_one_and_give_each_deal_once(self, bench: Bench) -> None:
        before = bench.submission(await bench.lease())
        await bench.node.submit(before)
        stream = bench.node.events(ACCOUNT, 0)
        events = [await anext(aiter(stream))]
        after = bench.submission(await bench.lease())
        await bench.node.submit(after)

        async with asyncio.timeout(10):
            while sum(event.deal is not None for event in events) < 2:
                events.append(await anext(aiter(stream)))
            seen = len(events)
            while sum(event.facts is not None for event in events[seen:]) < 2:
                events.append(await anext(aiter(stream)))

        deals = [event.deal for event in events if event.deal is not None]
        assert [deal.order_id for deal in deals] == [before.order_id, after.order_id]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.resync for event in events] == [True] + [False] * (len(events) - 1)
        assert {event.incarnation for event in events} == {bench.hop.incarnation}

    async def test_deals_and_snapshot_are_passed_on(self, bench: Bench) -> None:
        order = bench.submission(await bench.lease())
        await bench.node.submit(order)

        deals = await bench.node.deals(ACCOUNT, 0)
        snapshot = await bench.node.snapshot(ACCOUNT)

        assert [deal.order_id for deal in deals.deals] == [order.order_id]
        assert (snapshot.facts.account, snapshot.incarnation) == (ACCOUNT, bench.hop.incarnation)
