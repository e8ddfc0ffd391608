"""Watching the log while the demo plays: what is known so far, and waiting until something is.

Waiting is always for a condition, with a deadline; a deadline that passes names what was missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from argos_common.domain.ids import Account
from argos_common.runtime.nats_log import NatsLog

from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.client.history import Recorded, follow
from argos_cli.report.orders import OrderRow, RunFold

Seen = Callable[[Recorded], None]


class TooLate(Exception):
    """What was waited for did not come; the text says what."""


class Watch:
    """Follows a log from its beginning. `items` is all of it so far."""

    def __init__(self, log: NatsLog, seen: Seen = lambda _: None) -> None:
        self._log = log
        self._seen = seen
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.items: list[Recorded] = []
        self.run = RunFold()
        self.fleet = FleetFold()

    @property
    def sequence(self) -> int:
        """The last entry seen."""
        return self.items[-1].entry.sequence if self.items else 0

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._follow(), name="watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async for item in follow(self._log, 0):
            self.items.append(item)
            self.run.take(item)
            if item.event is not None:
                self.fleet.take(item.entry, item.event)
            self._seen(item)
            self._changed.set()

    async def until(
        self, condition: Callable[[], bool], seconds: float, missing: Callable[[], str]
    ) -> None:
        """Wait until the condition holds. Raises TooLate with what is missing, or what broke."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._news()
        except TimeoutError:
            raise TooLate(f"{missing()} (waited {seconds:g} s)") from None

    async def _news(self) -> None:
        if self._task is None:
            raise TooLate("nobody watches the log")
        changed = asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({changed, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        if self._task.done():
            raise TooLate(f"the log can no longer be followed: {self._task.exception()}")

    async def reach_end(self, seconds: float = 10.0) -> None:
        """Wait until everything that the log holds now has been seen."""
        last = (await self._log.status()).last_sequence
        await self.until(
            lambda: self.sequence >= last,
            seconds,
            lambda: f"the log holds {last} entries, {self.sequence} were seen",
        )

    # --- what became of a cause

    def pending(self, cause_id: str, accounts: Sequence[str]) -> str:
        """What is still missing for a signal, as words; empty when it is finished."""
        for account in accounts:
            if (cause_id, account) not in self.run.verdicts:
                return f"no verdict on {account}"
        for account, leg in self.run.legs(cause_id):
            if not self._leg_over(account, leg.trade_id, leg.leg):
                return f"leg {leg.leg} on {account} is not over"
        for row in self.run.orders_of(cause_id):
            missing = self._order_pending(row)
            if missing:
                return missing
        return ""

    def _leg_over(self, account: str, trade_id: str, number: int) -> bool:
        book = self.fleet.book(Account(account))
        trade = next((t for t in book.trades.values() if t.trade_id == trade_id), None)
        view = trade.legs.get(number) if trade is not None else None
        return trade is None or trade.closed or (view is not None and view.over)

    def _order_pending(self, row: OrderRow) -> str:
        claim = row.claim
        order = self.fleet.book(claim.account).orders.get(claim.order_id)
        if order is not None and not order.at_rest:
            return f"order {claim.order_id} on {claim.account} is {order.state.name.lower()}"
        if row.has_fill and row.match is None:
            return f"order {claim.order_id} on {claim.account} is not reconciled"
        return ""
