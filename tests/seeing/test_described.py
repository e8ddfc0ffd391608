"""Dashboards, alert rules and configurations: what can be known of them without a running fleet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from argos_common.runtime.metrics import Metrics

from tests.seeing.programs import ROOT, need

OPS = ROOT / "ops"
DASHBOARDS = sorted((OPS / "grafana/dashboards").glob("*.json"))
RULES = sorted((OPS / "prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((OPS / "prometheus/tests").glob("*.yml"))
OURS = Metrics("test").declared
NOT_OURS = re.compile(r"up|ALERTS|process_\w+")
LABELS = {
    "account", "answer", "code", "decision", "direction", "file", "folder", "hop", "kind",
    "level", "limit", "method", "result", "rule", "service", "source", "state", "strategy",
    "symbol",
}  # fmt: skip
"""Labels whose values come from the configuration or from a short list in the code."""


def names_in(query: str) -> set[str]:
    """The metrics a PromQL expression reads."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|on|without|ignoring)\s*\([^)]*\)", "", bare)
    words = re.findall(r"[a-zA-Z_:][\w:]*", bare)
    return {word for word in words if word.startswith("argos_") or NOT_OURS.fullmatch(word)}


def exists(name: str, recorded: set[str]) -> bool:
    plain = re.sub(r"_(bucket|sum|count)$", "", name)
    is_part = plain != name and plain in OURS and OURS[plain].kind == "histogram"
    return name in OURS or is_part or name in recorded or bool(NOT_OURS.fullmatch(name))


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


RECORDED = {rule["record"] for rule in rules() if "record" in rule}


def panels(path: Path) -> list[dict[str, Any]]:
    dashboard = json.loads(path.read_text("utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


# --- the registry


def test_no_metric_has_an_id_for_a_label() -> None:
    strange = {each.name: set(each.labels) - LABELS for each in OURS.values()}
    assert {name: labels for name, labels in strange.items() if labels} == {}


def test_every_metric_is_shown_on_a_dashboard_or_watched_by_an_alert() -> None:
    read = {
        name
        for path in DASHBOARDS
        for panel in panels(path)
        for target in panel["targets"]
        for name in names_in(target["expr"])
    } | {name for rule in rules() for name in names_in(rule["expr"])}
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in read} | read
    assert set(OURS) - used == {"argos_service", "argos_beats_total", "argos_alerts_total"}


# --- dashboards


def test_what_is_written_from_the_registry_is_current() -> None:
    result = subprocess.run(
        [sys.executable, "tools/observability.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_dashboard_has_an_id_of_its_own_and_no_other_ids() -> None:
    uids = [json.loads(path.read_text("utf-8"))["uid"] for path in DASHBOARDS]
    assert uids == [path.stem for path in DASHBOARDS]
    assert len(uids) == 7

    def sources(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            if "uid" in value and "type" in value:
                yield str(value["uid"])
            for each in value.values():
                yield from sources(each)
        elif isinstance(value, list):
            for each in value:
                yield from sources(each)

    for path in DASHBOARDS:
        assert set(sources(json.loads(path.read_text("utf-8")))) == {"${prometheus}"}, path.name


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows_in_which_unit_from_metrics_that_exist(path: Path) -> None:
    found = panels(path)
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        title = panel["title"]
        assert panel["description"].endswith("."), title
        assert panel["fieldConfig"]["defaults"]["unit"], title
        assert [each["title"] for each in panel["fieldConfig"]["defaults"]["links"]] == [
            "Trades",
            "Traces",
        ]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, title
        assert panel["targets"], title
        for target in panel["targets"]:
            names = names_in(target["expr"])
            assert names, title
            unknown = {name for name in names if not exists(name, RECORDED)}
            assert unknown == set(), title


def test_data_sources_are_those_the_dashboards_mean_and_exemplars_lead_to_trace_and_trade() -> None:
    file = OPS / "grafana/provisioning/datasources/argos.yml"
    sources = {each["uid"]: each for each in yaml.safe_load(file.read_text("utf-8"))["datasources"]}
    assert set(sources) == {"prometheus", "tempo"}
    leads = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert [each["name"] for each in leads] == ["trace_id", "trace_id"]
    assert leads[0]["datasourceUid"] == "tempo"
    assert leads[1]["url"].endswith("/api/trades/$${__value.raw}")
    provider = OPS / "grafana/provisioning/dashboards/argos.yml"
    assert yaml.safe_load(provider.read_text("utf-8"))["providers"][0]["type"] == "file"


# --- alerts


def test_rules_read_metrics_that_exist() -> None:
    for rule in rules():
        unknown = {name for name in names_in(rule["expr"]) if not exists(name, RECORDED)}
        assert unknown == set(), rule


def test_every_alert_has_a_severity_a_sentence_a_section_in_the_runbook_and_a_test() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text("utf-8")
    sections = {title.lower() for title in re.findall(r"^### (\w+)$", runbook, re.MULTILINE)}
    tested = {
        case["name"]
        for path in RULE_TESTS
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]
    }
    names = [alert["alert"] for alert in alerts()]
    assert len(set(names)) == len(names)
    for alert in alerts():
        name, annotations = alert["alert"], alert["annotations"]
        assert alert["labels"]["severity"] in ("critical", "warning", "info", "none"), name
        assert annotations["summary"], name
        assert annotations["runbook_url"] == f"docs/runbook.md#{name.lower()}", name
    assert {name.lower() for name in names} == sections, "runbook sections and alerts"
    assert tested == set(names)


@pytest.mark.timeout(180)
def test_rules_pass_their_unit_tests() -> None:
    promtool = need("promtool")
    for what, files in (("check", RULES), ("test", RULE_TESTS)):
        done = subprocess.run(
            [promtool, what, "rules", *files],
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


# --- configurations


def test_prometheus_takes_its_configuration_and_scrapes_every_service() -> None:
    config = yaml.safe_load((OPS / "prometheus/prometheus.yml").read_text("utf-8"))
    argos = next(job for job in config["scrape_configs"] if job["job_name"] == "argos")
    services = "gateway risk bridge mt5-node exchange-node reconciler monitor".split()
    targets = argos["static_configs"][0]["targets"]
    assert targets == [f"{service}:9100" for service in services]
    done = subprocess.run(
        [need("promtool"), "check", "config", OPS / "prometheus/prometheus.yml"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_takes_its_configuration_and_sends_to_the_monitor() -> None:
    config = yaml.safe_load((OPS / "alertmanager/alertmanager.yml").read_text("utf-8"))
    hook = config["receivers"][0]["webhook_configs"][0]
    assert hook["url"] == "http://monitor:8701/api/alerts/alertmanager"
    assert hook["http_config"]["authorization"]["credentials_file"].startswith("/run/secrets/")
    known = {alert["alert"] for alert in alerts()}
    named = set(re.findall(r'alertname =~? "([^"]+)"', json.dumps(config).replace('\\"', '"')))
    assert {each for names in named for each in names.split("|")} <= known
    done = subprocess.run(
        [need("amtool"), "check-config", OPS / "alertmanager/alertmanager.yml"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("address", ["", "https://heartbeat.example/ping/0a1b?x=1"])
def test_alertmanager_starts_with_and_without_an_address_for_the_heartbeat(
    tmp_path: Path, address: str
) -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    script = service["alertmanager"]["command"][0].replace("$$", "$")
    url, made = tmp_path / "heartbeat.url", tmp_path / "alertmanager.yml"
    url.write_text(address and address + "\n", encoding="utf-8")
    for there, here in (
        ("/etc/alertmanager/alertmanager.yml", str(OPS / "alertmanager/alertmanager.yml")),
        ("/tmp/alertmanager.yml", str(made)),  # in its container
        ("/run/heartbeat.url", str(url)),
        ("exec /bin/alertmanager --config.file", "echo --config.file"),
    ):
        assert there in script
        script = script.replace(there, here)
    ran = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True)
    assert ran.stdout == f"--config.file={made} --storage.path=/alertmanager\n"
    last = yaml.safe_load(made.read_text("utf-8"))["receivers"][-1]
    hooks = [each["url"] for each in last.get("webhook_configs", ())]
    assert (last["name"], hooks) == ("heartbeat", [address] if address else [])
    done = subprocess.run(
        [need("amtool"), "check-config", made], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_hands_everything_it_takes_to_tempo_without_sampling() -> None:
    collector = yaml.safe_load((OPS / "otel/collector.yml").read_text("utf-8"))
    tempo = yaml.safe_load((OPS / "tempo/tempo.yml").read_text("utf-8"))
    pipeline = collector["service"]["pipelines"]["traces"]
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == set(collector[part]), part
    assert pipeline["processors"] == ["memory_limiter", "batch"]
    (exporter,) = collector["exporters"].values()
    port = tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].split(":")[1]
    assert exporter["endpoint"] == f"tempo:{port}"
    assert "http" in collector["receivers"]["otlp"]["protocols"]
