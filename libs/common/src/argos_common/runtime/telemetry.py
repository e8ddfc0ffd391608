"""Tracing: one trade is one trace, whose id is the trade's own 128 bits.

A root span is begun with `trade_id`; everything after hangs below it by a `trace_parent`, a text
that travels in events, requests and gRPC calls. Every trade is traced. Spans go to an OTLP endpoint
if one is named, else as JSON lines into the state folder; either way in batches, by a thread of its
own, from a queue with a bound.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import Enum
from logging import Formatter, LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from argos_common.runtime.entropy import Entropy

Attributes = Mapping[str, str | int]
FILE_BYTES_MAX = 32 * 1024 * 1024
FILES_KEPT = 3
QUEUE_MAX = 8192
EXPORT_EVERY_MS = 500

_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)
_root_id: ContextVar[int] = ContextVar("root_trace_id", default=0)


class Kind(Enum):
    """OpenTelemetry's kinds of spans."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


_KINDS = {kind: trace.SpanKind(kind.value) for kind in Kind}


class Span(Protocol):
    def set(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        ...

    def failed(self, sentence: str) -> None:
        """Mark the span as failed."""
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
        below the current span. `start_ns` 0: now.
        """
        ...

    def trace_parent(self) -> str:
        """The current span as text (W3C traceparent), empty if there is none."""
        ...

    def close(self) -> None:
        """Send what is queued, within a bound."""
        ...


class _NullSpan:
    def set(self, name: str, value: str | int) -> None:
        pass

    def failed(self, sentence: str) -> None:
        pass


class NullTelemetry:
    """Traces nothing: for simulations and tests."""

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        trade_id: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        start_ns: int = 0,
    ) -> Iterator[Span]:
        del name, parent, trade_id, kind, attributes, start_ns
        yield _NULL_SPAN

    def trace_parent(self) -> str:
        return ""

    def close(self) -> None:
        pass


_NULL_SPAN = _NullSpan()


class _OtelSpan:
    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def failed(self, sentence: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, sentence)


class OtelTelemetry:
    """Tracing with the OpenTelemetry SDK, without any global state."""

    def __init__(self, service: str, incarnation: str, exporter: SpanExporter, entropy: Entropy):
        resource = Resource(
            {
                "service.name": service,
                "service.namespace": "argos",
                "service.instance.id": incarnation,
            }
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            id_generator=TradeIds(entropy),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                exporter, max_queue_size=QUEUE_MAX, schedule_delay_millis=EXPORT_EVERY_MS
            )
        )
        self._tracer = self._provider.get_tracer("argos")

    @contextmanager
    def span(
        self,
        name: str,
        *,
        parent: str = "",
        trade_id: str = "",
        kind: Kind = Kind.INTERNAL,
        attributes: Attributes | None = None,
        start_ns: int = 0,
    ) -> Iterator[Span]:
        remote = parse_trace_parent(parent) if parent else None
        context: Context | None = None
        if remote is not None:
            context = trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
        elif trade_id:
            context = Context()
            _root_id.set(_trace_id(trade_id))
        span = self._tracer.start_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=attributes,
            links=[trace.Link(remote)] if remote and kind is Kind.CONSUMER else None,
            start_time=start_ns or None,
        )
        _root_id.set(0)
        with trace.use_span(span, end_on_exit=True, record_exception=False):
            yield _OtelSpan(span)

    def trace_parent(self) -> str:
        found = trace.get_current_span().get_span_context()
        if not found.is_valid:
            return ""
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    def close(self) -> None:
        self._provider.shutdown()


class TradeIds(IdGenerator):
    """Ids for spans; a trace's id is the one that its root was begun with, if it was."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def generate_span_id(self) -> int:
        return int.from_bytes(self._entropy.token(8), "big") or 1

    def generate_trace_id(self) -> int:
        return _root_id.get() or int.from_bytes(self._entropy.token(16), "big") or 1


def parse_trace_parent(text: str) -> trace.SpanContext | None:
    """The span a trace_parent names, or None if the text is not one."""
    parts = text.split("-")
    try:
        if len(parts) != 4 or (len(parts[1]), len(parts[2])) != (32, 16):
            return None
        trace_id, span_id = int(parts[1], 16), int(parts[2], 16)
    except ValueError:
        return None
    if not trace_id or not span_id:
        return None
    return trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=_SAMPLED)


def _trace_id(trade_id: str) -> int:
    try:
        return uuid.UUID(trade_id).int
    except ValueError:
        return 0


class FileExporter(SpanExporter):
    """Spans as JSON lines in a file that starts anew by size."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = RotatingFileHandler(
            path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8"
        )
        self._handler.setFormatter(Formatter("%(message)s"))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            self._handler.emit(_record(json.dumps(span_fields(span), separators=(",", ":"))))
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self._handler.close()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        del timeout_millis
        self._handler.flush()
        return True


def _record(line: str) -> LogRecord:
    return makeLogRecord({"msg": line})


def span_fields(span: ReadableSpan) -> dict[str, object]:
    """What a trace file holds of one span."""
    context = span.get_span_context()
    return {
        "service": span.resource.attributes.get("service.name", ""),
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": f"{context.trace_id:032x}" if context else "",
        "span_id": f"{context.span_id:016x}" if context else "",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else "",
        "start_ns": span.start_time,
        "end_ns": span.end_time,
        "status": span.status.status_code.name,
        "sentence": span.status.description or "",
        "attributes": dict(span.attributes or {}),
    }


def open_telemetry(
    service: str, incarnation: str, state_dir: Path, entropy: Entropy, otlp_endpoint: str = ""
) -> OtelTelemetry:
    """Tracing for a process: to the endpoint (HTTP) if one is named, else to the state folder."""
    exporter: SpanExporter
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # slow to import, rarely used
            OTLPSpanExporter,
        )

        exporter = OTLPSpanExporter(endpoint=otlp_endpoint.rstrip("/") + "/v1/traces", timeout=2)
    else:
        exporter = FileExporter(state_dir / "traces" / f"{service}.jsonl")
    return OtelTelemetry(service, incarnation, exporter, entropy)
