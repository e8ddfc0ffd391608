"""Where spans go: to an OTLP endpoint if one is named, else as JSON lines into the state folder.

`SpanExporter.take` never waits: it adds to a queue with a bound, and a full queue drops the span and
counts it. A thread writes batches. While the endpoint is away a batch is kept and tried again with
growing pauses, so a collector's restart loses nothing; a batch the endpoint refuses is dropped.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy
from argos_common.runtime.telemetry import Kind, SpanRecord, Tracer

FILE_BYTES_MAX = 32 * 1024 * 1024
FILES_KEPT = 3
QUEUE_MAX = 8192
BATCH_MAX = 512
EXPORT_EVERY_S = 0.5
REQUEST_S = 2.0
PAUSES_S = (0.5, 1.0, 2.0, 5.0)
CLOSE_S = 2.0
"""How long a stopping process waits for its last spans."""

_KINDS = {
    Kind.INTERNAL: OtlpSpan.SPAN_KIND_INTERNAL,
    Kind.SERVER: OtlpSpan.SPAN_KIND_SERVER,
    Kind.CLIENT: OtlpSpan.SPAN_KIND_CLIENT,
    Kind.PRODUCER: OtlpSpan.SPAN_KIND_PRODUCER,
    Kind.CONSUMER: OtlpSpan.SPAN_KIND_CONSUMER,
}
_logger = logging.getLogger("argos.traces")


class Away(Exception):  # a state of the endpoint, raised and caught here only
    """The endpoint did not take a batch and may take it later."""


class Refused(Exception):  # as above
    """The endpoint will never take this batch."""


class SpanWriter(Protocol):
    """Writes one batch. Raises Away or Refused; called by the exporter's thread only."""

    def write(self, spans: Sequence[SpanRecord]) -> None: ...

    def close(self) -> None: ...


class SpanExporter:
    """Implements `SpanSink`. `written` and `dropped` count spans since the start."""

    def __init__(self, writer: SpanWriter, clock: Clock, *, queue_max: int = QUEUE_MAX) -> None:
        self.written = 0
        self.dropped = 0
        self._writer = writer
        self._clock = clock
        self._queue_max = queue_max
        self._queue: deque[SpanRecord] = deque()
        self._batch: list[SpanRecord] = []
        self._away = False
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Spans taken and neither written nor dropped."""
        return len(self._queue) + len(self._batch)

    def take(self, span: SpanRecord) -> None:
        if self._closing or len(self._queue) >= self._queue_max:
            self.dropped += 1
            return
        self._queue.append(span)
        if len(self._queue) == BATCH_MAX and not self._away:
            self._wake.set()

    def close(self) -> None:
        """Write what is left, for at most `CLOSE_S`; the rest is dropped."""
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._writer.close()

    def _run(self) -> None:
        failures = 0
        while not (self._closing and self._last()):
            pause_s = PAUSES_S[min(failures, len(PAUSES_S)) - 1] if failures else EXPORT_EVERY_S
            self._wake.wait(pause_s)
            if not self._closing:
                self._wake.clear()
            failures = 0 if self._write_all() else failures + 1

    def _last(self) -> bool:
        """The end: one try for what is left."""
        self._write_all()
        self.dropped += self.waiting
        self._queue.clear()
        self._batch.clear()
        return True

    def _write_all(self) -> bool:
        """Everything that waits, in batches; False if the endpoint is away."""
        end_ns = self._clock.monotonic_ns() + int(CLOSE_S * NS_PER_S)
        while self._batch or self._queue:
            while self._queue and len(self._batch) < BATCH_MAX:
                self._batch.append(self._queue.popleft())
            try:
                self._writer.write(self._batch)
            except Away as error:
                if not self._away:
                    _logger.warning(
                        "traces cannot be sent; they wait in a bounded queue: %s", error
                    )
                self._away = True
                return False
            except Refused as error:
                _logger.warning(
                    "%d spans were refused and are dropped: %s", len(self._batch), error
                )
                self.dropped += len(self._batch)
            else:
                self.written += len(self._batch)
            if self._away:
                _logger.info("traces are sent again")
            self._away = False
            self._batch.clear()
            if self._closing and self._clock.monotonic_ns() > end_ns:
                break
        return True


class FileWriter:
    """Spans as JSON lines in a file that starts anew by size."""

    def __init__(self, path: Path, service: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._service = service
        self._handler = RotatingFileHandler(
            path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8"
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, spans: Sequence[SpanRecord]) -> None:
        lines = (
            json.dumps(span_fields(span, self._service), separators=(",", ":")) for span in spans
        )
        self._handler.emit(logging.makeLogRecord({"msg": "\n".join(lines)}))

    def close(self) -> None:
        self._handler.close()


def span_fields(span: SpanRecord, service: str) -> dict[str, object]:
    """What a trace file holds of one span."""
    return {
        "service": service,
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": f"{span.trace_id:032x}",
        "span_id": f"{span.span_id:016x}",
        "parent_id": f"{span.parent_id:016x}" if span.parent_id else "",
        "links": [f"{link.trace_id:032x}-{link.span_id:016x}" for link in span.links],
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "status": "ERROR" if span.is_failed else "UNSET",
        "sentence": span.sentence,
        "attributes": span.attributes,
    }


class OtlpWriter:
    """Spans to `endpoint` + /v1/traces as protobuf over HTTP, on a connection kept open."""

    def __init__(self, endpoint: str, service: str, incarnation: str) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise OurMistake(
                f"OTEL_EXPORTER_OTLP_ENDPOINT is {endpoint!r}: use the address of an OTLP/HTTP"
                " receiver such as http://127.0.0.1:4318"
            )
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(url.hostname, url.port or 4318, timeout=REQUEST_S)
        self._path = url.path.rstrip("/") + "/v1/traces"
        self._resource = Resource(
            attributes=[
                _attribute("service.name", service),
                _attribute("service.namespace", "argos"),
                _attribute("service.instance.id", incarnation),
            ]
        )

    def write(self, spans: Sequence[SpanRecord]) -> None:
        body = otlp_request(self._resource, spans).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            self._connection.request("POST", self._path, body, headers)
            response = self._connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Away(f"{type(error).__name__}: {error}") from None
        if response.status in (429, 502, 503, 504):
            raise Away(f"the endpoint answers {response.status}")
        if response.status >= 300:
            raise Refused(f"the endpoint answers {response.status}: {said[:200]!r}")

    def close(self) -> None:
        self._connection.close()


def otlp_request(resource: Resource, spans: Sequence[SpanRecord]) -> ExportTraceServiceRequest:
    """The message of OTLP for some spans of one process."""
    scope = ScopeSpans(
        scope=InstrumentationScope(name="argos"), spans=[_otlp_span(span) for span in spans]
    )
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]
    )


def _otlp_span(span: SpanRecord) -> OtlpSpan:
    found = OtlpSpan(
        trace_id=span.trace_id.to_bytes(16, "big"),
        span_id=span.span_id.to_bytes(8, "big"),
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=[_attribute(name, value) for name, value in span.attributes.items()],
    )
    if span.parent_id:
        found.parent_span_id = span.parent_id.to_bytes(8, "big")
    for link in span.links:
        found.links.add(
            trace_id=link.trace_id.to_bytes(16, "big"), span_id=link.span_id.to_bytes(8, "big")
        )
    if span.is_failed:
        found.status.code = Status.STATUS_CODE_ERROR
        found.status.message = span.sentence
    return found


def _attribute(name: str, value: str | int) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=name, value=AnyValue(string_value=value))
    return KeyValue(key=name, value=AnyValue(int_value=value))


@dataclass(frozen=True, slots=True)
class Tracing:
    """Tracing of one process: what its code is given, and what its metrics count."""

    telemetry: Tracer
    exporter: SpanExporter


def open_tracing(
    service: str,
    incarnation: str,
    state_dir: Path,
    clock: Clock,
    entropy: Entropy,
    otlp_endpoint: str = "",
) -> Tracing:
    """Tracing for a process: to the endpoint (OTLP over HTTP) if named, else to the state folder."""
    writer: SpanWriter
    if otlp_endpoint:
        writer = OtlpWriter(otlp_endpoint, service, incarnation)
    else:
        writer = FileWriter(state_dir / "traces" / f"{service}.jsonl", service)
    exporter = SpanExporter(writer, clock)
    return Tracing(Tracer(exporter, clock, entropy), exporter)
