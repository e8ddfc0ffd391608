"""A real collector takes our configuration, and hands what services send it to Tempo whole."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.embedded_nats import free_port
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.provision import fetch_json
from argos_common.runtime.span_export import open_tracing
from argos_common.runtime.telemetry import Kind
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.integration.kit import until
from tests.seeing.programs import ROOT, collector

FILE = ROOT / "ops/otel/collector.yml"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TRADES = 200


if TYPE_CHECKING:  # generic in the stubs alone
    Taker = grpc.GenericRpcHandler[ExportTraceServiceRequest, ExportTraceServiceResponse]
    Method = grpc.RpcMethodHandler[ExportTraceServiceRequest, ExportTraceServiceResponse]
else:
    Taker = grpc.GenericRpcHandler


@dataclass(slots=True)
class Tempo(Taker):
    """What Tempo is to the collector: OTLP over gRPC."""

    traces: list[str] = field(default_factory=list)

    def service(self, call: grpc.HandlerCallDetails) -> Method | None:
        if call.method != EXPORT:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._take,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )

    def _take(self, request: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:
        self.traces.extend(
            span.trace_id.hex()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        return ExportTraceServiceResponse()


@contextmanager
def tempo() -> Iterator[tuple[Tempo, int]]:
    found = Tempo()
    server = grpc.server(ThreadPoolExecutor(2), handlers=[found])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield found, port
    finally:
        server.stop(None).wait()


def test_the_collector_takes_its_configuration() -> None:
    done = subprocess.run(
        [collector(), "validate", "--config", FILE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(120)
async def test_every_trade_comes_through_the_collector_to_tempo(tmp_path: Path) -> None:
    port, health_port = free_port(), free_port()
    with tempo() as (found, tempo_port):
        text = FILE.read_text(encoding="utf-8")
        for there, here in (
            ("0.0.0.0:4318", f"127.0.0.1:{port}"),
            ("0.0.0.0:13133", f"127.0.0.1:{health_port}"),
            ("tempo:4317", f"127.0.0.1:{tempo_port}"),
        ):
            assert there in text
            text = text.replace(there, here)
        (tmp_path / "collector.yml").write_text(text, encoding="utf-8")
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: ASYNC220  # forking is quick
                [collector(), "--config", tmp_path / "collector.yml"],
                stdout=log, stderr=log, env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
        try:
            await until(lambda: _is_well(health_port), "the collector is well", 30)
            sent = _trade(f"http://127.0.0.1:{port}", tmp_path)
            await until(lambda: len(found.traces) >= len(sent), "all traces came through", 30)
        finally:
            process.terminate()
            process.wait()
    assert sorted(found.traces) == sorted(sent), (tmp_path / "log").read_text()


def _trade(endpoint: str, folder: Path) -> list[str]:
    """Send a span of each of many trades; their trace ids."""
    entropy = SystemEntropy()
    tracing = open_tracing("risk", "i1", folder, SystemClock(), entropy, endpoint)
    trades = []
    for _ in range(TRADES):
        bare = entropy.token(16).hex()
        trade = f"{bare[:8]}-{bare[8:12]}-5{bare[13:16]}-8{bare[17:20]}-{bare[20:]}"
        with tracing.telemetry.span("process signal", trade_id=trade, kind=Kind.CONSUMER):
            pass
        trades.append(trade.replace("-", ""))
    tracing.telemetry.close()
    assert (tracing.exporter.written, tracing.exporter.dropped) == (TRADES, 0)
    return trades


def _is_well(port: int) -> bool:
    try:
        return "available" in str(fetch_json(f"http://127.0.0.1:{port}/", 1.0)).lower()
    except (OSError, ValueError):
        return False
