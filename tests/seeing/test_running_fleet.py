"""What is seen of a fleet that has just played the demo: traces, panels, exemplars, alerts taken in."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from argos_cli.client.history import read_now
from argos_cli.client.opened import open_fleet
from argos_common.domain.reconcile import AlertRaised
from argos_common.testing.otlp_receiver import ReceivedSpan

from tests.seeing.programs import need
from tests.seeing.recipes import recipes, run
from tests.seeing.show import Show, panel_queries, playing

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

FLEET = {
    ("gateway", "SERVER", "POST /v1/webhooks/argos"),
    ("gateway", "PRODUCER", "send signal"),
    ("risk", "CONSUMER", "process signal"),
    ("risk", "PRODUCER", "send verdict"),
    ("bridge", "CONSUMER", "claim"),
    ("bridge", "CLIENT", "submit"),
    ("bridge", "PRODUCER", "send outcome"),
    ("reconciler", "CONSUMER", "reconcile"),
}
MT5 = {
    ("mt5-node-mt5", "SERVER", "Node/Submit"),
    ("mt5-node-mt5", "CLIENT", "place"),
    ("mt5-node-mt5", "INTERNAL", "worker order_send"),
}
PAPER = {
    ("exchange-node-paper", "SERVER", "Node/Submit"),
    ("exchange-node-paper", "CLIENT", "place"),
}

MAY_BE_EMPTY = {
    "argos-fleet: Alerts that stand: ": "after the story nothing need be wrong",
}
"""Expressions that a healthy fleet may answer with nothing, each with the reason."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Show]:
    async with playing(tmp_path_factory.mktemp("show")) as found:
        yield found


def hops(spans: list[ReceivedSpan]) -> set[tuple[str, str, str]]:
    return {(span.service, span.kind, span.name) for span in spans}


async def test_the_story_went_as_told(show: Show) -> None:
    assert show.faults == []


# --- traces


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("entry", FLEET | MT5),
        ("exit", FLEET | MT5),
        ("spot entry", FLEET | PAPER),
        ("spot exit", FLEET | PAPER),
    ],
)
async def test_a_trade_is_one_trace_with_every_span_and_nothing_rootless(
    show: Show, name: str, matrix: set[tuple[str, str, str]]
) -> None:
    spans = show.trace(show.sent[name])
    assert hops(spans) == matrix
    known = {span.span_id for span in spans}
    assert len(known) == len(spans)
    roots = [span for span in spans if not span.parent_id]
    assert [(root.service, root.kind) for root in roots] == [("gateway", "SERVER")]
    assert {span.parent_id for span in spans if span.parent_id} <= known
    for span in spans:
        if span.kind == "CONSUMER":
            assert (span.trace_id, span.parent_id) in span.links, span.name


async def test_an_attempt_shows_its_verdict_its_number_and_the_venues_code(show: Show) -> None:
    spans = show.trace(show.sent["entry"])
    told = {span.attributes["argos.account"]: span for span in spans if span.name == "place"}
    assert set(told) == {"mt5-hedge", "mt5-net"}
    for span in told.values():
        assert span.attributes["argos.result"] in ("done", "accepted")
        assert span.attributes["argos.code"] == "DONE"
    sent = [span for span in spans if span.name == "worker order_send"]
    assert {span.attributes["argos.retcode"] for span in sent} == {10009}
    claims = [span.attributes for span in spans if span.name == "claim"]
    assert {(each["argos.attempt"], each["argos.answer"]) for each in claims} == {("1", "mine")}
    verdicts = [span.attributes for span in spans if span.name == "process signal"]
    assert {each["argos.decision"] for each in verdicts} == {"approved"}
    assert {each["trade.id"] for each in verdicts} == {show.sent["entry"]}


async def test_a_signal_that_risk_refuses_says_which_rules_refused(show: Show) -> None:
    spans = show.trace(show.sent["refused"])
    verdicts = [span for span in spans if span.name == "process signal"]
    assert verdicts
    assert {span.attributes["argos.decision"] for span in verdicts} == {"refused"}
    assert all("quantity_max" in str(span.attributes["argos.refused_by"]) for span in verdicts)
    assert "claim" not in {span.name for span in spans}


async def test_an_exit_names_its_trade_and_is_linked_to_it(show: Show) -> None:
    trade = show.sent["entry"]
    for span in show.trace(show.sent["exit"]):
        if span.name == "process signal":
            assert span.attributes["trade.id"] == trade
            assert trade.replace("-", "") in {trace_id for trace_id, _ in span.links}


async def test_a_stop_at_the_venue_is_a_trace_of_its_own_that_is_linked_to_its_trade(
    show: Show,
) -> None:
    stops = [
        span
        for span in show.spans
        if span.name == "send deal" and span.attributes["argos.reason"] == "stop_loss"
    ]
    assert stops
    for span in stops:
        trade = str(span.attributes["trade.id"]).replace("-", "")
        assert span.trace_id != trade
        assert [trace_id for trace_id, _ in span.links] == [trade]


async def test_every_attempt_of_an_order_that_was_quoted_anew_is_in_its_trace(show: Show) -> None:
    spans = show.trace(show.sent["tried again"])
    submits = [span for span in spans if span.name == "submit"]
    assert [span.attributes["argos.attempt"] for span in submits] == ["1", "2"]
    assert [span.attributes["argos.result"] for span in submits] == ["refused", "done"]
    retcodes = [
        span.attributes["argos.retcode"] for span in spans if span.name == "worker order_send"
    ]
    assert retcodes == [10004, 10009]
    assert submits[0].is_failed


async def test_no_span_was_dropped(show: Show) -> None:
    need("prometheus")
    dropped = await show.ask('sum(argos_spans_total{result="dropped"})')
    assert [each["value"][1] for each in dropped] == ["0"]


# --- metrics


async def test_every_panel_shows_something(show: Show) -> None:
    need("prometheus")
    queries = panel_queries()
    assert set(MAY_BE_EMPTY) <= set(queries)
    empty = []
    for where, query in queries.items():
        series = await show.ask(query)
        values = [float(each["value"][1]) for each in series]
        if where not in MAY_BE_EMPTY and not any(not math.isnan(value) for value in values):
            empty.append(f"{where}: {query}")
    assert empty == []


async def test_every_process_is_scraped_and_no_rule_fails(show: Show) -> None:
    need("prometheus")
    up = await show.ask('up{job="argos"} == 1')
    assert {each["metric"]["instance"] for each in up} == {
        "gateway", "risk", "bridge", "reconciler", "monitor", "mt5-node-mt5", "exchange-node-paper",
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=show.prometheus, trust_env=False) as client:
        groups = (await client.get("/api/v1/rules")).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 30
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert "DeadMansSwitch" in firing
    assert not firing & {"ServiceDown", "ServiceSilent", "NatsAway", "UnknownOrderState"}


async def test_a_latency_leads_to_the_trace_of_its_trade(show: Show) -> None:
    need("prometheus")
    async with httpx.AsyncClient(base_url=show.prometheus, trust_env=False) as client:
        query = {"query": "argos_hop_seconds_bucket", "start": "0", "end": "9999999999"}
        found = (await client.get("/api/v1/query_exemplars", params=query)).json()["data"]
    traces = {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}
    assert traces
    assert traces <= {span.trace_id for span in show.spans}
    hop_names = {series["seriesLabels"]["hop"] for series in found}
    assert {"gateway", "verdict", "claim", "submit", "venue", "fill"} <= hop_names


ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|\b[0-9a-f]{12,}\b|\ba1[a-z2-7]{13}\b|\b[a-z2-7]{13}\b")


async def test_no_label_holds_an_id(show: Show) -> None:
    for name, port in show.fleet.ports.items():
        if not name.startswith("metrics:"):
            continue
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        for value in re.findall(r'\w+="([^"]*)"', text):
            assert not ID.search(value) or value in ("partly_filled", "presumed_absent"), value


# --- the NATS command line

RECIPES = {
    "nats rtt": r"nats://127.0.0.1:\d+: +\S+s",
    "by-hand-1": r'"status": "(accepted|duplicate)", .*"http_status": 200',
    "'{\"strategy\": '": r'"error": "the message is not JSON: .*"http_status": 400',
    "argos.inject.nobody": r'"error": "nobody is no source: .*"http_status": 404',
    "stream info": r"Storage: File(.|\n)*Discard Policy: New(.|\n)*Allows Msg Delete: false",
    "stream subjects": r"argos\.v1\.verdict\.mt5-net",
    "stream get ARGOS_g1 --last-for": r"on Subject argos\.v1\.verdict\.mt5-net",
    "stream get ARGOS_g1 1": r'"subject": "argos\.v1\.control\.',
    "'verdict.mt5-net'": r"verdict on mt5-net: .*",
    "'control.*' --json": r'"kind": "ConfigApplied"',
    "consumer report": r"risk-(.|\n)* 0 ",
    "argos.beat": r"argos\.beat\.(risk|bridge|gateway|monitor|reconciler)",
    "check jetstream": r"OK JetStream",
    "check stream": r"OK ARGOS_g1",
    "connz": r'"name": "risk"',
}
"""What each recipe of docs/nats.md is known by, and what it must show."""


@pytest.mark.parametrize("mark", RECIPES)
async def test_a_recipe_of_the_nats_page_shows_what_it_promises(
    show: Show, tmp_path: Path, mark: str
) -> None:
    (recipe,) = [each for each in recipes() if mark in each]
    ran = await run(recipe, show.fleet, tmp_path)
    assert ran.code == 0, ran.said
    assert re.search(RECIPES[mark], ran.said), ran.said


async def test_every_recipe_of_the_nats_page_is_run(show: Show) -> None:
    assert [sum(mark in each for mark in RECIPES) for each in recipes()] == [1] * len(RECIPES)
    assert show.faults == []


# --- the monitor


async def test_a_trade_is_found_by_its_traces_id(show: Show) -> None:
    trade = show.sent["entry"]
    async with httpx.AsyncClient(base_url=show.fleet.urls["monitor"], trust_env=False) as client:
        plain = (await client.get(f"/api/trades/{trade}")).json()
        by_trace = (await client.get(f"/api/trades/{trade.replace('-', '')}")).json()
    assert by_trace == plain
    assert plain["orders"]


async def test_what_alertmanager_sends_is_put_on_record_once(show: Show) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "ClockSkew", "severity": "warning", "account": "mt5-net"},
        "annotations": {"summary": "its clock is off", "runbook_url": "docs/runbook.md#clockskew"},
        "startsAt": "2026-11-25T07:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "abc123",
    }
    message = {"version": "4", "groupKey": "{}", "receiver": "monitor", "alerts": [alert]}
    over = {**message, "alerts": [{**alert, "status": "resolved"}]}
    headers = {"Authorization": "Bearer a-token-for-this-test"}
    async with httpx.AsyncClient(
        base_url=show.fleet.urls["monitor"], trust_env=False, headers=headers
    ) as client:
        for body in (message, message, over):
            answer = await client.post("/api/alerts/alertmanager", json=body)
            assert (answer.status_code, answer.json()) == (200, {"recorded": 1})

    async with open_fleet(show.fleet.folder) as opened:
        items = await read_now(opened.log)
    told = [
        (each.event.level, each.event.sentence, each.event.account)
        for each in items
        if isinstance(each.event, AlertRaised) and each.event.code == "alertmanager"
    ]
    what = "ClockSkew: its clock is off"
    assert told == [
        ("warning", f"{what} (what to do: docs/runbook.md#clockskew)", "mt5-net"),
        ("info", f"over: {what}", "mt5-net"),
    ]


async def test_what_is_no_message_of_alertmanager_is_answered_in_one_sentence(show: Show) -> None:
    path = "/api/alerts/alertmanager"
    async with httpx.AsyncClient(base_url=show.fleet.urls["monitor"], trust_env=False) as client:
        nobody = await client.post(path, json={})
        wrong = await client.post(path, json={}, headers={"Authorization": "Bearer wrong"})
        headers = {"Authorization": "Bearer a-token-for-this-test"}
        bodies = (b"", b"{", b"[]", b'{"version": "3", "alerts": []}', b'{"version": "4"}',
                  b'{"version": "4", "alerts": [{"status": "odd"}]}', b"\xff\xfe")  # fmt: skip
        answers = [await client.post(path, content=body, headers=headers) for body in bodies]
    assert (nobody.status_code, wrong.status_code) == (401, 401)
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("this is no message of Alertmanager: ")
        assert "\n" not in answer.json()["error"]
