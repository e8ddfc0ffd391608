"""A running fleet to look at: the demo's story played on it, its traces received, its metrics scraped."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from argos_cli.demo.play import Player
from argos_cli.demo.screen import Screen
from argos_cli.demo.stage import Stage, open_stage
from argos_cli.demo.story import STORY
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.runtime.clock import SystemClock
from argos_common.testing.otlp_receiver import OtlpReceiver, ReceivedSpan

from tests.integration.kit import FLEET_TOML, FREE, Sender, alert, until, until_at_rest
from tests.seeing.programs import ROOT, find

SCRAPE_S = 1


@dataclass(slots=True, kw_only=True)
class Show:
    """`sent`: name -> signal id of the trades sent after the story. `prometheus`: its address."""

    fleet: EmbeddedFleet
    stage: Stage
    receiver: OtlpReceiver
    faults: list[str]
    sent: dict[str, str] = field(default_factory=dict)
    prometheus: str = ""

    @property
    def spans(self) -> list[ReceivedSpan]:
        return list(self.receiver.spans)

    def trace(self, trade_id: str) -> list[ReceivedSpan]:
        """Everything of one trace, in the order of beginning."""
        wanted = trade_id.replace("-", "")
        found = [span for span in self.spans if span.trace_id == wanted]
        return sorted(found, key=lambda span: span.start_ns)

    async def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers an instant query with. Fails with its error."""
        async with httpx.AsyncClient(base_url=self.prometheus, trust_env=False) as client:
            answer = (await client.get("/api/v1/query", params={"query": query})).json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@asynccontextmanager
async def playing(folder: Path) -> AsyncIterator[Show]:
    """A fleet after the demo's story and some trades more, at rest, until the end of the block."""
    clock, receiver = SystemClock(), OtlpReceiver()
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address}
    try:
        async with EmbeddedFleet(FLEET_TOML, folder / "state", ports=FREE, env=env) as fleet:
            token = fleet.folder / "secrets/alertmanager.token"
            token.write_text("a-token-for-this-test\n", encoding="utf-8")
            prometheus, address = _start_prometheus(folder / "prometheus", fleet)
            try:
                async with open_stage(fleet, clock, lambda _: None) as stage:
                    player = Player(stage, Screen(clock, to_stderr=True))
                    await player.play(STORY)
                    show = Show(
                        fleet=fleet,
                        stage=stage,
                        receiver=receiver,
                        faults=[each.detail for each in player.results if not each.held],
                        prometheus=address,
                    )
                    await _trade(show)
                    yield show
            finally:
                if prometheus is not None:
                    prometheus.terminate()
                    await asyncio.to_thread(prometheus.wait)
    finally:
        receiver.close()


async def _trade(show: Show) -> None:
    """On every kind of venue: in, out, one that risk refuses, and one that is quoted anew."""
    sender = Sender(show.fleet)
    trend = ("trend", "trend-1.2.0", "EURUSD", "0.10")
    spot = ("stacker", "stacker-2.0.0", "BTCUSD", "0.01")
    too_large = ("trend", "trend-1.2.0", "EURUSD", "50")
    scalper = ("scalper", "scalper-0.9.2", "EURUSD", "0.10")
    await show.stage.witness.arm("mt5-hedge", "requote", {})
    for name, action, bot in (
        ("tried again", "buy", scalper),
        ("entry", "buy", trend),
        ("spot entry", "buy", spot),
        ("refused", "buy", too_large),
        ("exit", "exit", trend),
        ("spot exit", "exit", spot),
    ):
        show.sent[name] = await sender.send(alert(f"seen-{name}", action, bot))
        await until_at_rest(show.fleet, list(show.sent.values()))
    await until(lambda: _complete(show), "the last spans arrive")


def _complete(show: Show) -> bool:
    """Whether the last spans of every process that a traded signal passed are here."""
    ends = {"Node/Submit", "place", "send outcome", "reconcile"}
    return all(
        ends <= {span.name for span in show.trace(trade_id)}
        for name, trade_id in show.sent.items()
        if name != "refused"
    )


def _start_prometheus(
    folder: Path, fleet: EmbeddedFleet
) -> tuple[subprocess.Popen[bytes] | None, str]:
    """Our own configuration, pointed at this fleet; nothing if there is no Prometheus here."""
    program = find("prometheus")
    if program is None:
        return None, ""
    folder.mkdir()
    config = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text("utf-8"))
    config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{SCRAPE_S}s")
    config["rule_files"] = [str(ROOT / "ops/prometheus/rules/*.yml")]
    del config["alerting"]
    job = next(each for each in config["scrape_configs"] if each["job_name"] == "argos")
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name.removeprefix("metrics:")}}
        for name, port in fleet.ports.items()
        if name.startswith("metrics:")
    ]
    config["scrape_configs"] = [{"job_name": job["job_name"], "static_configs": targets}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = _free_port()
    process = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"http://127.0.0.1:{port}"


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def panel_queries() -> dict[str, str]:
    """Every expression of every panel, by where it stands, with Grafana's variables filled in."""
    found = {}
    for path in sorted((ROOT / "ops/grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"]
                for name, value in (
                    ("$account", ".*"),
                    ("$__rate_interval", "5m"),
                    ("$__range", "5m"),
                ):
                    query = query.replace(name, value)
                where = f"{path.stem}: {panel['title']}: {target['legendFormat']}"
                found[where] = query
    return found
