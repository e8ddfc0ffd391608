"""The running fleet as the demo uses it: its door, its log, its venues, and the operator's tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from argos_common.domain.errors import WireError
from argos_common.domain.node import AccountFacts
from argos_common.domain.times import NS_PER_MS
from argos_common.runtime.clock import Clock
from argos_common.wire import codec, subjects

from argos_cli.client.keep_alive import KeepAlive
from argos_cli.client.opened import Opened, open_fleet
from argos_cli.demo.alerts import Alert, body_of, head_of
from argos_cli.demo.watch import TooLate, Watch
from argos_cli.demo.witness import Witness
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.report.view import PricePoint, price_step

SOURCE = "tradingview"
PRICE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One alert as the poster saw it: what was answered, and how long that took."""

    alert: Alert
    status: int
    answer: dict[str, Any]
    sent_at_ns: int
    took_ms: float

    @property
    def word(self) -> str:
        """As in `200 accepted`, `409 conflict`."""
        return f"{self.status} {self.answer.get('status') or self.answer.get('code', '?')}"

    @property
    def signal_id(self) -> str:
        return str(self.answer.get("signal_id", ""))

    @property
    def sentence(self) -> str:
        return str(self.answer.get("error", ""))


@dataclass(slots=True, kw_only=True)
class Stage:
    """Made by `open_stage`. `prices`, `ready`: what the fleet published of symbols, accounts."""

    fleet: EmbeddedFleet
    opened: Opened
    watch: Watch
    witness: Witness
    clock: Clock
    prices: dict[str, list[PricePoint]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    ready: dict[str, bool] = field(default_factory=dict)

    async def post(self, alert: Alert, copies: int = 1) -> list[Sent]:
        """Send it over real HTTP as TradingView would, all copies at once."""
        price = await self.price(alert.our_symbol) if not alert.raw else Decimal(1)
        body = body_of(alert, price, self.clock.now_ns(), len(self.sent))
        url = urlsplit(self.fleet.webhook_url(SOURCE))
        path = url.path if not alert.wrong_token else url.path.rsplit("/", 1)[0] + "/not-the-token"
        head = head_of(body, path, url.netloc, as_text=alert.as_text)
        host, port = url.hostname or "127.0.0.1", url.port or 80
        sent = await asyncio.gather(
            *(self._post(alert, head, body, host, port) for _ in range(copies))
        )
        self.sent.extend(sent)
        return list(sent)

    async def _post(self, alert: Alert, head: bytes, body: bytes, host: str, port: int) -> Sent:
        connection = KeepAlive(host, port)
        sent_at_ns, start_ns = self.clock.now_ns(), self.clock.monotonic_ns()
        try:
            response = await connection.post(head, body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise TooLate(f"the gateway did not answer ({type(error).__name__})") from None
        finally:
            connection.close()
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        return Sent(
            alert=alert,
            status=response.status,
            answer=answer if isinstance(answer, dict) else {},
            sent_at_ns=sent_at_ns,
            took_ms=(self.clock.monotonic_ns() - start_ns) / NS_PER_MS,
        )

    async def price(self, symbol: str) -> Decimal:
        """The middle of the newest quote that the fleet published. Raises TooLate."""
        try:
            async with asyncio.timeout(PRICE_S):
                while symbol not in self.prices:
                    await self.clock.sleep(0.02)
        except TimeoutError:
            raise TooLate(f"no price of {symbol} was published (waited {PRICE_S:g} s)") from None
        points = self.prices[symbol]
        return ((points[-1].bid + points[-1].ask) / 2).quantize(price_step(points))

    async def heard(self, subject: str, payload: bytes) -> None:
        """Keep the quotes of one publication of account facts."""
        del subject
        try:
            facts = codec.unpack(AccountFacts, payload)
        except WireError:
            return
        self.ready[facts.account] = facts.ready
        now_ns = self.clock.now_ns()
        for quote in facts.quotes:
            points = self.prices.setdefault(quote.symbol, [])
            if not points or points[-1].at_ns < now_ns - 100 * NS_PER_MS:
                points.append(PricePoint(now_ns, quote.bid, quote.ask))

    def routed(self, strategy: str) -> Sequence[str]:
        """The accounts that a strategy's signals go to, by the fleet's configuration."""
        assert self.fleet.fleet is not None  # noqa: S101  # the fleet runs
        for known in self.fleet.fleet.strategies.values():
            if known.name == strategy:
                return known.accounts
        return ()


@asynccontextmanager
async def open_stage(fleet: EmbeddedFleet, clock: Clock, watch_seen: Any) -> AsyncIterator[Stage]:
    """Connect to a fleet that runs. `watch_seen` is called with each entry of the log."""
    assert fleet.fleet is not None  # noqa: S101  # the fleet runs
    witness = Witness(fleet.fleet, fleet.ports, fleet.folder)
    try:
        async with (
            open_fleet(fleet.folder) as opened,
            Watch(opened.log, watch_seen) as watch,
        ):
            stage = Stage(fleet=fleet, opened=opened, watch=watch, witness=witness, clock=clock)
            await opened.bus.subscribe(f"{subjects.FACTS}.>", stage.heard)
            yield stage
    finally:
        witness.close()
