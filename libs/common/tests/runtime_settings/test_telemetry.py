"""Traces: the trade's id is the trace's, and spans of several services hang together."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime import environment
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SeededEntropy
from argos_common.runtime.environment import read_environment
from argos_common.runtime.span_export import open_tracing
from argos_common.runtime.telemetry import Kind, NullTelemetry, Tracer, parse_trace_parent

TRADE = "6f9a1c1e-3a55-5d0b-9f5e-0f2f3a7c9b11"


def tracer(service: str, folder: Path, seed: int) -> Tracer:
    tracing = open_tracing(service, "i", folder, SystemClock(), SeededEntropy(seed))
    return tracing.telemetry


def spans(folder: Path, service: str) -> list[dict[str, object]]:
    text = (folder / "traces" / f"{service}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_one_trade_is_one_trace_across_services(tmp_path: Path) -> None:
    gateway = tracer("gateway", tmp_path, 1)
    risk = tracer("risk", tmp_path, 2)
    with gateway.span("POST", trade_id=TRADE, kind=Kind.SERVER, start_ns=5):
        handed_over = gateway.trace_parent()
    with risk.span("process", parent=handed_over, kind=Kind.CONSUMER) as span:
        span.set("trade.id", TRADE)
        with risk.span("decide"):
            pass
    gateway.close()
    risk.close()
    (root,) = spans(tmp_path, "gateway")
    decide, process = spans(tmp_path, "risk")
    assert {each["trace_id"] for each in (root, decide, process)} == {uuid.UUID(TRADE).hex}
    assert (root["parent_id"], root["start_ns"]) == ("", 5)
    assert process["parent_id"] == root["span_id"]
    assert decide["parent_id"] == process["span_id"]
    assert handed_over == f"00-{uuid.UUID(TRADE).hex}-{root['span_id']}-01"


def test_a_root_stays_a_root_inside_another_span(tmp_path: Path) -> None:
    telemetry = tracer("gateway", tmp_path, 1)
    with telemetry.span("outer"), telemetry.span("inner", trade_id=TRADE):
        pass
    with telemetry.span("after"):
        pass
    telemetry.close()
    inner, outer, after = spans(tmp_path, "gateway")
    assert inner["trace_id"] == uuid.UUID(TRADE).hex
    assert len({inner["trace_id"], outer["trace_id"], after["trace_id"]}) == 3


def test_an_error_marks_the_span_and_goes_on(tmp_path: Path) -> None:
    telemetry = tracer("gateway", tmp_path, 1)
    with pytest.raises(OurMistake), telemetry.span("work"):
        raise OurMistake("no")
    telemetry.close()
    assert spans(tmp_path, "gateway")[0]["status"] == "ERROR"


@pytest.mark.parametrize("text", ["", "00-0-0-01", "x", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"])
def test_what_is_no_trace_parent_is_not_taken_for_one(text: str) -> None:
    assert parse_trace_parent(text) is None


def test_without_tracing_nothing_is_carried() -> None:
    telemetry = NullTelemetry()
    with telemetry.span("work", trade_id=TRADE) as span:
        span.set("a", 1)
        assert telemetry.trace_parent() == ""


def test_a_ratio_sampler_is_refused() -> None:
    with pytest.raises(OurMistake, match="every trade is traced"):
        read_environment({"OTEL_TRACES_SAMPLER": "traceidratio"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ARGOS_GATEWAY_PORT", "70000"),
        ("ARGOS_METRICS_PORT", "x"),
        ("ARGOS_NODE_ADDRESSES", "[1]"),
        ("ARGOS_GENERATION", "G 1"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(OurMistake, match=name):
        read_environment({name: value})


def test_every_variable_that_is_read_is_described() -> None:
    source = Path(environment.__file__).read_text(encoding="utf-8")
    read = set(re.findall(r"(?:get\(|variables, )\"([A-Z0-9_]+)\"", source))
    assert read - {"OTEL_TRACES_SAMPLER"} == set(environment.VARIABLES)
