"""Traces to an OTLP endpoint: in batches, never waiting for it, counting what is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.span_export import Away, Refused, SpanExporter, open_tracing
from argos_common.runtime.telemetry import Kind, SpanRecord, Tracer
from argos_common.testing.otlp_receiver import OtlpReceiver
from argos_common.testing.waiting import until

TRADE = "6f9a1c1e-3a55-5d0b-9f5e-0f2f3a7c9b11"


@contextmanager
def receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    found = OtlpReceiver(port)
    try:
        yield found
    finally:
        found.close()


def span(number: int) -> SpanRecord:
    return SpanRecord(
        trace_id=number,
        span_id=number,
        parent_id=0,
        name=f"span {number}",
        kind=Kind.INTERNAL,
        start_ns=1,
        end_ns=2,
    )


def test_a_span_arrives_with_everything_it_was_told(tmp_path: Path) -> None:
    with receiver() as endpoint:
        tracing = open_tracing(
            "risk", "i1", tmp_path, SystemClock(), SystemEntropy(), endpoint.address
        )
        with tracing.telemetry.span("root", trade_id=TRADE, kind=Kind.SERVER):
            parent = tracing.telemetry.trace_parent()
        with tracing.telemetry.span(
            "work", parent=parent, kind=Kind.CONSUMER, attributes={"trade.id": TRADE, "n": 3}
        ) as inner:
            inner.failed("no")
        tracing.telemetry.close()

        root, work = sorted(endpoint.spans, key=lambda each: each.name)
    assert (root.service, root.kind, root.parent_id) == ("risk", "SERVER", "")
    assert (work.kind, work.parent_id, work.trace_id) == ("CONSUMER", root.span_id, root.trace_id)
    assert work.trace_id == TRADE.replace("-", "")
    assert work.links == ((root.trace_id, root.span_id),)
    assert work.attributes == {"trade.id": TRADE, "n": 3}
    assert (work.is_failed, work.sentence) == (True, "no")
    assert (tracing.exporter.written, tracing.exporter.dropped) == (2, 0)


async def test_a_receiver_that_is_away_for_a_while_loses_nothing(tmp_path: Path) -> None:
    with receiver() as first:
        port = first.port
    tracing = open_tracing(
        "risk", "i", tmp_path, SystemClock(), SystemEntropy(), f"http://127.0.0.1:{port}"
    )
    with tracing.telemetry.span("early"):
        pass
    await until(lambda: tracing.exporter.waiting == 1)
    with receiver(port) as endpoint:
        await until(lambda: len(endpoint.spans) == 1)
        tracing.telemetry.close()
    assert (tracing.exporter.written, tracing.exporter.dropped) == (1, 0)


class _Stuck:
    """A writer that hangs until it is let go, then says what it was told to."""

    def __init__(self, ends: Exception | None = None) -> None:
        self.go, self.entered = threading.Event(), threading.Event()
        self.ends = ends
        self.taken: list[SpanRecord] = []

    def write(self, spans: Sequence[SpanRecord]) -> None:
        self.entered.set()
        self.go.wait()
        if self.ends is not None:
            raise self.ends
        self.taken.extend(spans)

    def close(self) -> None:
        pass


async def test_a_hanging_endpoint_never_holds_up_who_makes_spans_and_the_excess_is_counted() -> (
    None
):
    writer = _Stuck()
    exporter = SpanExporter(writer, SystemClock(), queue_max=10)
    exporter.take(span(1))
    await until(writer.entered.is_set)
    for number in range(2, 16):
        exporter.take(span(number))  # returns at once: this thread is the only one to let go

    assert (exporter.waiting, exporter.dropped) == (1 + 10, 4)
    writer.go.set()
    exporter.close()
    assert (exporter.written, exporter.dropped, len(writer.taken)) == (11, 4, 11)


def test_what_the_endpoint_refuses_is_dropped_and_not_tried_again() -> None:
    writer = _Stuck(Refused("too large"))
    writer.go.set()
    exporter = SpanExporter(writer, SystemClock())
    exporter.take(span(1))
    exporter.close()
    assert (exporter.written, exporter.dropped, exporter.waiting) == (0, 1, 0)


def test_a_process_that_stops_while_the_endpoint_is_away_counts_what_it_takes_with_it() -> None:
    writer = _Stuck(Away("nobody there"))
    writer.go.set()
    exporter = SpanExporter(writer, SystemClock())
    for number in range(1, 4):
        exporter.take(span(number))
    exporter.close()
    assert (exporter.written, exporter.dropped) == (0, 3)


def test_a_tracer_hands_a_span_over_only_when_it_is_over() -> None:
    taken: list[SpanRecord] = []

    class Sink:
        def take(self, span: SpanRecord) -> None:
            taken.append(span)

        def close(self) -> None:
            pass

    tracer = Tracer(Sink(), SystemClock(), SystemEntropy())
    with tracer.span("outer"):
        with tracer.span("inner"):
            assert taken == []
        assert [each.name for each in taken] == ["inner"]
    assert [each.name for each in taken] == ["inner", "outer"]
    assert taken[0].parent_id == taken[1].span_id
