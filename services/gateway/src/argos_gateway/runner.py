"""From a message to an answer: examine it, append what it is, answer when that is durable.

An answer comes within `BUDGET_S` whatever the log does, because a sender that waits longer forgets
the alert. "Not confirmed" is always 503: nothing is known to be stored, and since a signal is
stored once however often it comes, a resend is harmless. After an append nobody answered, the same
append is tried again: it cannot store a second copy, and tells what became of the first.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace

from argos_common.domain.errors import WireError
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.bus import Bus
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import (
    Append,
    Busy,
    CreateOnce,
    Exists,
    Full,
    Log,
    LogUnavailable,
    Mine,
    Stale,
    Unknown,
)
from argos_common.runtime.logs import Logger
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import Kind, Telemetry
from argos_common.wire import subjects
from argos_common.wire.codec import decode, encode

from argos_gateway.core.access import Access
from argos_gateway.core.dialect import StrategyBeat
from argos_gateway.core.intake import (
    STALE,
    Accepted,
    KnownSource,
    Refused,
    conflict,
    examine,
    too_many,
)
from argos_gateway.core.reply import (
    LOG_FULL,
    NOT_CONFIRMED,
    UNAUTHORISED,
    Reply,
    refused,
    taken,
)

BUDGET_S = 1.9
RECORD_BUDGET_S = 0.9
RETRY_EVERY_S = 0.05
WATERMARK = 0.70
STATUS_EVERY_S = 1.0
UNAUTHORISED_LOGGED_EVERY_NS = 10 * NS_PER_S


class Intake:
    """Takes messages in. One per process; safe for any number of tasks."""

    def __init__(
        self,
        access: Access,
        log: Log,
        bus: Bus,
        clock: Clock,
        telemetry: Telemetry,
        metrics: Metrics,
        logger: Logger,
    ) -> None:
        self.access = access
        self.nearly_full = False
        self._log, self._bus, self._clock = log, bus, clock
        self._telemetry, self._metrics, self._logger = telemetry, metrics, logger
        self._limited_minute: dict[str, int] = {}
        self._unauthorised_since_logged = 0
        self._unauthorised_logged_ns = -UNAUTHORISED_LOGGED_EVERY_NS

    async def receive(self, source_name: str, body: bytes, received_at_ns: int) -> Reply:
        """Take one message of a source that has proved itself."""
        source = self.access.sources.get(source_name)
        if source is None:
            return self.unauthorised(source_name)
        found = examine(body, source, self.access.door, received_at_ns)
        trace_id = ""
        match found:
            case Accepted():
                reply = await self._accepted(found, received_at_ns)
                trace_id = found.signal.signal_id.replace("-", "")
            case Refused():
                reply = await self._refused(found)
            case StrategyBeat():
                reply = await self._beat(found, source, received_at_ns)
            case _:
                return self.unauthorised(source_name)
        answer = reply.body.get("status") or reply.body.get("code", "")
        self._metrics.signals.labels(source_name, answer if reply.status < 300 else str(reply.status)).inc()  # fmt: skip
        elapsed_ns = max(0, self._clock.now_ns() - received_at_ns)
        self._metrics.hop("gateway", elapsed_ns / NS_PER_S, trace_id)
        return reply

    def unauthorised(self, source_name: str) -> Reply:
        """Somebody without proof: counted, logged now and then, told nothing."""
        known = source_name if source_name in self.access.sources else "unknown"
        self._metrics.signals.labels(known, "401").inc()
        self._unauthorised_since_logged += 1
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._unauthorised_logged_ns >= UNAUTHORISED_LOGGED_EVERY_NS:
            self._logger.warning(
                "refused without authority", source=known, count=self._unauthorised_since_logged
            )
            self._unauthorised_since_logged, self._unauthorised_logged_ns = 0, now_ns
        return UNAUTHORISED

    async def limited(self, source_name: str, received_at_ns: int) -> Reply:
        """A source over its rate; on record once a minute."""
        source = self.access.sources[source_name]
        refusal = too_many(source, received_at_ns, self.access.rates[source_name])
        minute = received_at_ns // (60 * NS_PER_S)
        if self._limited_minute.get(source_name) != minute:
            self._limited_minute[source_name] = minute
            await self._record(refusal)
        self._metrics.signals.labels(source_name, "429").inc()
        return refused(refusal, refusal.signal_id)

    async def watch_log(self) -> None:
        """Keep up to date on how full the log is."""
        while True:
            try:
                used_ratio = (await self._log.status()).used_ratio
            except LogUnavailable:
                pass  # appends find that out themselves
            else:
                if (used_ratio >= WATERMARK) is not self.nearly_full:
                    self.nearly_full = used_ratio >= WATERMARK
                    self._logger.warning("the log's fill level", used_percent=int(used_ratio * 100))
            await self._clock.sleep(STATUS_EVERY_S)

    async def _accepted(self, found: Accepted, received_at_ns: int) -> Reply:
        signal = found.signal
        with self._telemetry.span(
            f"POST /v1/webhooks/{signal.source}",
            trade_id=signal.signal_id,
            kind=Kind.SERVER,
            attributes={
                "argos.signal_id": signal.signal_id,
                "argos.strategy": signal.strategy,
                "argos.bot_version": signal.bot_version,
                "argos.symbol": signal.symbol,
                "argos.action": signal.action.name.lower(),
            },
            start_ns=received_at_ns,
        ) as span:
            if self.nearly_full:
                reply = LOG_FULL
            else:
                reply = await self._send(signal, found)
            span.set("http.response.status_code", reply.status)
            if reply.status >= 400:
                span.failed(reply.body["error"])
        self._logger.info(
            "signal", answer=reply.body.get("status") or reply.body["code"],
            trade_id=signal.signal_id, source=signal.source, strategy=signal.strategy,
            bot_version=signal.bot_version, symbol=signal.symbol,
        )  # fmt: skip
        return reply

    async def _send(self, signal: SignalAccepted, found: Accepted) -> Reply:
        """Store it under a span of its own, which whoever reads it from the log will name."""
        with self._telemetry.span(
            "send signal", kind=Kind.PRODUCER, attributes={"messaging.system": "nats"}
        ):
            signal = replace(signal, trace_parent=self._telemetry.trace_parent())
            return await _within(BUDGET_S, self._store(signal, found))

    async def _store(self, signal: SignalAccepted, found: Accepted) -> Reply:
        """Append until the log says what is; cut short by the budget."""
        if found.earlier_id is not None:
            earlier = await self._stored(subjects.signal(signal.source, found.earlier_id))
            if earlier is not None and earlier.content_hash == signal.content_hash:
                return taken("duplicate", earlier)
        subject = subjects.signal(signal.source, signal.signal_id)
        append = Append(subject=subject, data=encode(signal), condition=CreateOnce())
        while True:
            match await self._log.append(append):
                case Mine():
                    if signal.fired_at_ns is not None:
                        waited_ns = max(0, signal.received_at_ns - signal.fired_at_ns)
                        self._metrics.hop("alert", waited_ns / NS_PER_S, self._telemetry.trace_id())
                    return taken("accepted", signal)
                case Exists() | Stale():
                    stored = await self._stored(subject)
                    if stored is not None:
                        return await self._compared(signal, stored)
                case Full():
                    return LOG_FULL
                case Busy() | Unknown():
                    pass
            await self._clock.sleep(RETRY_EVERY_S)

    async def _compared(self, signal: SignalAccepted, stored: SignalAccepted) -> Reply:
        if stored.content_hash == signal.content_hash:
            ours = (stored.received_at_ns, stored.trace_parent) == (
                signal.received_at_ns,
                signal.trace_parent,
            )
            return taken("accepted" if ours else "duplicate", stored)
        refusal = conflict(signal)
        if not await self._record(refusal):
            return NOT_CONFIRMED
        return refused(refusal, signal.signal_id)

    async def _stored(self, subject: str) -> SignalAccepted | None:
        """The signal on record. Waits, within the budget, for a log that can be read."""
        while True:
            try:
                entry = await self._log.last(subject)
                break
            except LogUnavailable:
                await self._clock.sleep(RETRY_EVERY_S)
        try:
            event = decode(entry.data) if entry else None
        except WireError:
            event = None
        return event if isinstance(event, SignalAccepted) else None

    async def _refused(self, found: Refused) -> Reply:
        refusal = found.refusal
        if found.signal is not None and refusal.code == STALE:
            # A late resend of what was taken in time is still that signal.
            known = await _within(RECORD_BUDGET_S, self._known(found.signal))
            if known.status == 200:
                return known
        self._metrics.refusals.labels(refusal.source, refusal.code).inc()
        if found.recorded and refusal.code != "too_large":
            with self._telemetry.span(
                f"POST /v1/webhooks/{refusal.source}",
                trade_id=refusal.signal_id,
                kind=Kind.SERVER,
                attributes={"argos.refusal": refusal.code},
                start_ns=refusal.received_at_ns,
            ):
                refusal = replace(refusal, trace_parent=self._telemetry.trace_parent())
        if found.recorded and not await self._record(refusal):
            return NOT_CONFIRMED
        self._logger.info(
            "refused at the door", code=refusal.code, reason=refusal.sentence,
            signal_id=refusal.signal_id, source=refusal.source,
        )  # fmt: skip
        return refused(refusal, refusal.signal_id)

    async def _known(self, signal: SignalAccepted) -> Reply:
        stored = await self._stored(subjects.signal(signal.source, signal.signal_id))
        if stored is not None and stored.content_hash == signal.content_hash:
            return taken("duplicate", stored)
        return NOT_CONFIRMED

    async def _record(self, refusal: SignalRefused) -> bool:
        """Put a refusal on record; False if that is not confirmed in time."""
        append = Append(
            subject=subjects.intake(refusal.source, refusal.signal_id),
            data=encode(refusal),
            condition=CreateOnce(),
        )
        try:
            async with asyncio.timeout(RECORD_BUDGET_S):
                while not isinstance(await self._log.append(append), Mine | Exists | Stale):
                    await self._clock.sleep(RETRY_EVERY_S)
        except TimeoutError:
            return False
        return True

    async def _beat(self, beat: StrategyBeat, source: KnownSource, received_at_ns: int) -> Reply:
        payload = json.dumps(
            {
                "strategy": beat.strategy,
                "bot_version": beat.bot_version,
                "source": source.name,
                "received_at_ns": received_at_ns,
            }
        )
        await self._bus.publish(f"{subjects.STRATEGY_BEAT}.{beat.strategy}", payload.encode())
        return Reply(200, {"status": "alive", "strategy": beat.strategy})


async def _within(seconds: float, work: Coroutine[object, object, Reply]) -> Reply:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return NOT_CONFIRMED
