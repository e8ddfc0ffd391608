"""The newest facts of each account, with the age they have on this process's own clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import WireError
from argos_common.domain.ids import Symbol
from argos_common.domain.instrument import Instrument
from argos_common.domain.node import AccountFacts
from argos_common.domain.venue import Quote
from argos_common.domain.verdict import Facts
from argos_common.runtime.clock import Clock
from argos_common.wire import codec


@dataclass(slots=True)
class _Seen:
    facts: AccountFacts
    at_ns: int
    quotes: dict[Symbol, tuple[Quote, int]] = field(default_factory=dict)
    instruments: dict[Symbol, Instrument] = field(default_factory=dict)


class FactsSeen:
    """Listens to what bridges publish. Ages count from receipt, on the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._waiting: dict[str, asyncio.Event] = {}

    async def take(self, subject: str, payload: bytes) -> None:
        """One message of `argos.facts.<account>`. What cannot be read is dropped: it only ages."""
        del subject
        try:
            facts = codec.unpack(AccountFacts, payload)
        except WireError:
            return
        now_ns = self._clock.monotonic_ns()
        seen = self._seen.get(facts.account)
        if seen is None:
            seen = self._seen[facts.account] = _Seen(facts, now_ns)
        seen.facts, seen.at_ns = facts, now_ns
        seen.quotes.update((quote.symbol, (quote, now_ns)) for quote in facts.quotes)
        seen.instruments.update((each.symbol, each) for each in facts.instruments)
        self._event(facts.account).set()

    def arrived(self, account: str) -> asyncio.Event:
        """Set once the first facts of the account are here."""
        return self._event(account)

    def of(self, account: str, symbol: str, config: AccountConfig | None) -> Facts:
        """What is known now for a decision on the symbol.

        A venue that is not what the configuration says it is counts as not ready.
        """
        now_ns, mono_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        seen = self._seen.get(account)
        if seen is None:
            return Facts(now_ns=now_ns)
        facts = seen.facts
        as_configured = config is not None and (facts.currency, facts.kind) == (
            config.currency,
            config.kind,
        )
        quote, at_ns = seen.quotes.get(Symbol(symbol), (None, 0))
        return Facts(
            now_ns=now_ns,
            bid=quote.bid if quote is not None else None,
            ask=quote.ask if quote is not None else None,
            quote_age_ns=mono_ns - at_ns + quote.age_ns if quote is not None else None,
            equity=facts.equity,
            balance=facts.balance,
            account_age_ns=mono_ns - seen.at_ns,
            venue_ready=facts.ready and as_configured,
            instrument=seen.instruments.get(Symbol(symbol)),
        )

    def _event(self, account: str) -> asyncio.Event:
        return self._waiting.setdefault(account, asyncio.Event())
