"""At rest everything is delivered once more: alerts, orders, entries. Nothing may change."""

from __future__ import annotations

import copy

from argos_common.domain.node import Result
from argos_gateway.core.intake import HIDDEN

from argos_simulation import fleet
from argos_simulation.rest_books import items_of
from argos_simulation.world import World

EACH_MAX = 12
"""Of alerts and of orders: the oldest ones."""


async def check_repeats(world: World) -> None:
    """42, on a fleet at rest."""
    await _alerts(world)
    await _orders(world)
    rows, taken = copy.deepcopy(world.ledger.rows), world.ledger.checkpoint
    end = taken.sequence if taken else 0
    await world.ledger.project(items_of(world)[:end])
    world.witness.court.check(42, "the ledger took entries twice", holds=world.ledger.rows == rows)


async def _alerts(world: World) -> None:
    intake, host = world.intake, world.services["gateway"].host
    if intake is None or host is None:
        return
    signals = list(world.witness.signals.values())[:EACH_MAX]
    before = _signals_on_record(world)
    for signal in signals:
        body = signal.raw.replace(HIDDEN, fleet.SECRET).encode()
        reply = await intake.receive(signal.source, body, host.clock.now_ns())
        told = (reply.status, reply.body.get("status"), reply.body.get("signal_id"))
        world.witness.court.check(
            42,
            f"signal {signal.signal_id} sent again: {told}",
            holds=told == (200, "duplicate", signal.signal_id),
        )
    after = _signals_on_record(world)
    world.witness.court.check(42, f"{after - before} signals more", holds=after == before)


def _signals_on_record(world: World) -> int:
    return sum(1 for entry in world.store.entries if ".signal." in entry.subject)


async def _orders(world: World) -> None:
    calls, nodes = world.witness.calls, {each.account: each.node for each in fleet.configs()}
    before = sum(calls.calls.values())
    for submission in list(calls.submissions.values())[:EACH_MAX]:
        life = world.sites[nodes[submission.account]].life
        if life is None:
            continue
        outcome = await life.node.submit(submission)
        world.witness.court.check(
            42,
            f"order {submission.order_id} delivered again: {outcome}",
            holds=not (outcome.result is Result.REFUSED and outcome.by_node),
        )
    after = sum(calls.calls.values())
    world.witness.court.check(42, f"{after - before} venue calls more", holds=after == before)
