"""What a fleet in containers owes whoever sent it alerts, checked by its log and by the simulated broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from argos_cli.client.history import Recorded
from argos_common.domain.control import KillEngaged, KillReleased
from argos_common.domain.order import OrderSubmitting
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.runtime.log import LogUnavailable

from tests.integration.compose_fleet import ComposeFleet
from tests.integration.kit import SCALPER, TREND, Sender, unfinished, until


@asynccontextmanager
async def alerts_flow(sender: Sender, prefix: str) -> AsyncIterator[None]:
    """Entries and exits of two strategies, sent again until answered, around a block."""
    stop = asyncio.Event()
    flow = asyncio.create_task(sender.flow(stop, prefix, (SCALPER, TREND), pause_s=0.2))
    try:
        await until(lambda: len(sender.taken) >= 2, "signals flow")
        yield
        before = len(sender.taken)
        await until(lambda: len(sender.taken) >= before + 2, "signals flow again", 60)
    finally:
        stop.set()
        await flow


async def until_at_rest(
    fleet: ComposeFleet, sender: Sender, timeout_s: float = 90
) -> list[Recorded]:
    """Every signal taken has its verdicts, every approved leg its end, every fill its match."""
    why, items, waited_s = "the log was not read", list[Recorded](), 0.0
    while waited_s < timeout_s:
        try:
            items = await fleet.history()
        except LogUnavailable as error:
            why = str(error)
        else:
            why = unfinished(items, set(sender.taken))
        if not why:
            return items
        await asyncio.sleep(0.5)
        waited_s += 0.5
    pytest.fail(f"not at rest after {timeout_s:g} s: {why}")


async def assert_promises_kept(fleet: ComposeFleet, sender: Sender) -> list[Recorded]:
    items = await until_at_rest(fleet, sender)
    events = [item.event for item in items]
    verdicts = Counter((e.cause_id, e.account) for e in events if isinstance(e, VerdictGiven))
    wanted = {
        (signal, account) for signal, accounts in sender.taken.items() for account in accounts
    }
    assert {key: count for key, count in verdicts.items() if count != 1} == {}
    assert wanted <= set(verdicts), "a signal answered 200 has no verdict"
    there = [str(order["comment"]) for order in fleet.venue_orders()]
    assert len(there) == len(set(there)), "the broker accepted an order twice"
    claimed = {e.tag for e in events if isinstance(e, OrderSubmitting)}
    assert set(there) <= claimed, "the broker accepted what nobody claimed"
    return items


async def verified(fleet: ComposeFleet) -> None:
    """By the command line, in a container, as a person would."""
    found = await asyncio.to_thread(fleet.argos, "verify")
    assert isinstance(found, dict)
    assert [check for check in found["checks"] if not check["passed"]] == []


def opened_after_a_kill(items: Iterable[Recorded]) -> list[str]:
    """Orders that add risk and stand on the log behind a kill of their account, not yet released."""
    killed: set[str] = set()
    late = []
    for item in items:
        match item.event:
            case KillEngaged(account=account):
                killed.add(account)
            case KillReleased(account=account):
                killed.discard(account)
            case OrderSubmitting(account=account, effect=Effect.OPEN, order_id=order_id):
                if account in killed:
                    late.append(str(order_id))
            case _:
                pass
    return late
