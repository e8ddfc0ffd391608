"""Tracing: one trade is one trace, whose id is the trade's own 128 bits.

A root span is begun with `trade_id`; everything after hangs below it by a `trace_parent`, a text
that travels in events, requests and gRPC calls. What comes long after (an exit, a stop at the
venue, a discrepancy) is a trace of its own with a link to the trade's. Every trade is traced.

A span costs the order path one small record. Records wait in a queue with a bound; `span_export`
takes them from there in a thread of its own. The OpenTelemetry SDK does the same at six times the
CPU (60 us to make a span and as much to encode it), which a trade of eleven spans would feel.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Protocol

from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy

Attributes = Mapping[str, str | int]


class Kind(Enum):
    """OpenTelemetry's kinds of spans."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5


class Span(Protocol):
    def set(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        ...

    def failed(self, sentence: str) -> None:
        """Mark the span as failed."""
        ...

    def link(self, trace_parent: str) -> None:
        """Name a span elsewhere that this one has to do with; the empty text names none."""
        ...


class Telemetry(Protocol):
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        trade_id: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        start_ns: int = 0,
    ) -> AbstractContextManager[Span]:
        """A span around a block.

        Below `parent` (a trace_parent) if given, else the root of `trade_id`'s trace if given, else
        below the current span, else the root of a trace of its own. A CONSUMER is linked to its
        parent, too. `start_ns` 0: now.
        """
        ...

    def trace_parent(self) -> str:
        """The current span as text (W3C traceparent), empty if there is none."""
        ...

    def trace_id(self) -> str:
        """The current trace as 32 hex digits, empty if there is none."""
        ...

    def close(self) -> None:
        """Send what is queued, within a bound."""
        ...


class _NullSpan:
    def set(self, name: str, value: str | int) -> None:
        pass

    def failed(self, sentence: str) -> None:
        pass

    def link(self, trace_parent: str) -> None:
        pass

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


_NULL_SPAN = _NullSpan()


class NullTelemetry:
    """Traces nothing: for simulations and tests."""

    def span(
        self,
        name: str,
        *,
        parent: str = "",
        trade_id: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        start_ns: int = 0,
    ) -> AbstractContextManager[Span]:
        del name, parent, trade_id, kind, attributes, start_ns
        return _NULL_SPAN

    def trace_parent(self) -> str:
        return ""

    def trace_id(self) -> str:
        return ""

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class SpanRef:
    """A span by its ids: 128 and 64 bits."""

    trace_id: int
    span_id: int


@dataclass(slots=True, kw_only=True)
class SpanRecord:
    """A span. `parent_id` 0: a root. `end_ns` 0 while it lasts. `sentence`: why it failed."""

    trace_id: int
    span_id: int
    parent_id: int
    name: str
    kind: Kind
    start_ns: int
    end_ns: int = 0
    attributes: dict[str, str | int] = field(default_factory=dict)
    links: tuple[SpanRef, ...] = ()
    is_failed: bool = False
    sentence: str = ""

    def set(self, name: str, value: str | int) -> None:
        self.attributes[name] = value

    def failed(self, sentence: str) -> None:
        self.is_failed, self.sentence = True, sentence

    def link(self, trace_parent: str) -> None:
        other = parse_trace_parent(trace_parent)
        if other is not None:
            self.links = (*self.links, other)


_current: ContextVar[SpanRecord | None] = ContextVar("current_span", default=None)


class SpanSink(Protocol):
    """Where spans go that are over. Taking one never waits."""

    def take(self, span: SpanRecord) -> None: ...

    def close(self) -> None: ...


class Tracer:
    """Implements `Telemetry`: makes spans and hands them over when they end."""

    def __init__(self, sink: SpanSink, clock: Clock, entropy: Entropy) -> None:
        self._sink = sink
        self._clock = clock
        self._entropy = entropy

    def span(
        self,
        name: str,
        *,
        parent: str = "",
        trade_id: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        start_ns: int = 0,
    ) -> AbstractContextManager[Span]:
        remote = parse_trace_parent(parent) if parent else None
        above = None if remote is not None or trade_id else _current.get()
        if remote is not None:
            trace_id, parent_id = remote.trace_id, remote.span_id
        elif above is not None:
            trace_id, parent_id = above.trace_id, above.span_id
        else:
            trace_id, parent_id = _trace_id(trade_id) or self._id(16), 0
        return _Scope(
            SpanRecord(
                trace_id=trace_id,
                span_id=self._id(8),
                parent_id=parent_id,
                name=name,
                kind=kind,
                start_ns=start_ns or self._clock.now_ns(),
                attributes=dict(attributes) if attributes else {},
                links=(remote,) if remote is not None and kind is Kind.CONSUMER else (),
            ),
            self._sink,
            self._clock,
        )

    def trace_parent(self) -> str:
        here = _current.get()
        return f"00-{here.trace_id:032x}-{here.span_id:016x}-01" if here is not None else ""

    def trace_id(self) -> str:
        here = _current.get()
        return f"{here.trace_id:032x}" if here is not None else ""

    def close(self) -> None:
        self._sink.close()

    def _id(self, size: int) -> int:
        return int.from_bytes(self._entropy.token(size), "big") or 1


class _Scope:
    """The block a span is around."""

    __slots__ = ("_clock", "_sink", "_span", "_token")

    def __init__(self, span: SpanRecord, sink: SpanSink, clock: Clock) -> None:
        self._span, self._sink, self._clock = span, sink, clock
        self._token: Token[SpanRecord | None] | None = None

    def __enter__(self) -> Span:
        self._token = _current.set(self._span)
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        span = self._span
        if isinstance(error, Exception):
            span.failed(f"{type(error).__name__}: {error}")
        span.end_ns = max(self._clock.now_ns(), span.start_ns)
        self._sink.take(span)


def parse_trace_parent(text: str) -> SpanRef | None:
    """The span a trace_parent names, or None if the text is not one."""
    parts = text.split("-")
    try:
        if len(parts) != 4 or (len(parts[1]), len(parts[2])) != (32, 16):
            return None
        trace_id, span_id = int(parts[1], 16), int(parts[2], 16)
    except ValueError:
        return None
    return SpanRef(trace_id, span_id) if trace_id and span_id else None


def _trace_id(trade_id: str) -> int:
    try:
        return uuid.UUID(trade_id).int if trade_id else 0
    except ValueError:
        return 0
