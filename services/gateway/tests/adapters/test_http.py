"""The webhook, from bytes on HTTP to events in a log in memory."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from argos_common.domain.event import Event
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.credentials import ensure_tokens
from argos_common.runtime.entropy import SeededEntropy
from argos_common.runtime.http_server import HttpServer
from argos_common.runtime.log import Answer, Append, LogStatus
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.settings import load_fleet
from argos_common.runtime.telemetry import NullTelemetry
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire.codec import decode
from argos_gateway.adapters.http import Webhook, make_app
from argos_gateway.adapters.limiter import MinuteLimiter
from argos_gateway.adapters.nats import serve_inject
from argos_gateway.runner import Intake
from argos_gateway.settings import read_access
from fastapi import FastAPI

EXAMPLE = Path(__file__).resolve().parents[4] / "fleet.toml"
BUY: dict[str, Any] = {
    "strategy": "trend",
    "bot_version": "trend-1.2.0",
    "ticker": "EURUSD",
    "action": "buy",
    "id": "n-1",
}


@dataclass
class Site:
    """A gateway on a log in memory."""

    client: httpx.AsyncClient
    app: FastAPI
    log: MemoryLog
    bus: MemoryBus
    intake: Intake
    limiter: MinuteLimiter
    path: str

    async def post(self, fields: dict[str, Any] | bytes) -> httpx.Response:
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        return await self.client.post(self.path, content=body)

    def events(self) -> list[Event]:
        return [decode(entry.data) for entry in self.log.store.entries]

    def signals(self) -> list[SignalAccepted]:
        return [event for event in self.events() if isinstance(event, SignalAccepted)]

    def refusals(self) -> list[SignalRefused]:
        return [event for event in self.events() if isinstance(event, SignalRefused)]


def build(tmp_path: Path, config: Path = EXAMPLE) -> Site:
    fleet = load_fleet(config)
    files = ensure_tokens(fleet, tmp_path, SeededEntropy(1))
    clock = SystemClock()
    log, bus = MemoryLog(clock), MemoryBus(clock)
    access = read_access(fleet, tmp_path, {"BODY_SECRET": "swordfish"})
    logger = structlog.get_logger("test")
    intake = Intake(access, log, bus, clock, NullTelemetry(), Metrics("gateway"), logger)
    limiter = MinuteLimiter(access.rates)
    app = make_app(Webhook(access, lambda: intake, limiter, clock), lambda: True)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
    token = files["argos"].read_text().strip()
    return Site(client, app, log, bus, intake, limiter, f"/v1/webhooks/argos/{token}")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    found = build(tmp_path)
    async with found.client:
        yield found


async def test_an_alert_is_answered_after_it_is_in_the_log(site: Site) -> None:
    answer = await site.post(BUY)
    (signal,) = site.signals()
    assert answer.status_code == 200
    assert answer.json() == {"status": "accepted", "signal_id": signal.signal_id}
    assert site.log.store.entries[0].subject == f"argos.v1.signal.argos.{signal.signal_id}"
    assert signal.raw == json.dumps(BUY)


async def test_four_copies_are_one_signal(site: Site) -> None:
    answers = await asyncio.gather(*(site.post(BUY) for _ in range(4)))
    assert sorted(answer.json()["status"] for answer in answers) == ["accepted", *["duplicate"] * 3]
    assert len({answer.json()["signal_id"] for answer in answers}) == 1
    assert len(site.events()) == 1


async def test_the_same_id_with_other_content_is_a_conflict_and_on_record(site: Site) -> None:
    await site.post(BUY)
    for _ in range(2):
        answer = await site.post(BUY | {"action": "sell"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert [event.code for event in site.refusals()] == ["conflict"]
    assert len(site.signals()) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed"),
        (b'{"a": "\xff"}', 415, "not_text"),
        (b"x" * 20_000, 413, "too_large"),
        (BUY | {"ticker": "DOGE"}, 422, "unknown_symbol"),
        (BUY | {"bot_version": "v9"}, 422, "unknown_bot_version"),
        (BUY | {"orderType": "limit"}, 422, "unsupported_order_type"),
        (BUY | {"fired_at": 1_700_000_000}, 422, "stale"),
    ],
)
async def test_a_refusal_says_why_and_is_on_record(
    site: Site, body: dict[str, Any] | bytes, status: int, code: str
) -> None:
    answers = [await site.post(body) for _ in range(2)]
    (refusal,) = site.refusals()
    for answer in answers:
        assert answer.status_code == status
        assert answer.json() == {
            "error": refusal.sentence,
            "code": code,
            "field": refusal.field,
            "signal_id": refusal.signal_id,
        }


async def test_a_late_copy_of_what_was_taken_in_time_is_a_duplicate(site: Site) -> None:
    now_ns = SystemClock().now_ns()
    body = json.dumps(BUY | {"fired_at": now_ns // NS_PER_S}).encode()
    first = await site.intake.receive("argos", body, now_ns)
    late = await site.intake.receive("argos", body, now_ns + 60 * NS_PER_S)
    assert (first.body["status"], late.body["status"]) == ("accepted", "duplicate")
    assert len(site.events()) == 1


async def test_a_copy_in_the_next_bucket_is_a_duplicate(site: Site) -> None:
    body = json.dumps({key: value for key, value in BUY.items() if key != "id"}).encode()
    start_ns = 1_767_323_050 * NS_PER_S
    statuses = [
        (await site.intake.receive("argos", body, start_ns + offset * NS_PER_S)).body["status"]
        for offset in (9, 14, 40)
    ]
    assert statuses == ["accepted", "duplicate", "accepted"]


@pytest.mark.parametrize(
    "path",
    ["/v1/webhooks/argos/wrong", "/v1/webhooks/nobody/x", "/v1/webhooks/tradingview/{token}"],
)
async def test_whoever_has_no_token_learns_nothing_and_leaves_nothing(
    site: Site, path: str
) -> None:
    token = site.path.rpartition("/")[2]
    answer = await site.client.post(path.format(token=token), json=BUY)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": "not authorised: correct the source and the token in the address",
        "code": "unauthorised",
        "field": "",
    }
    assert site.events() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/webhooks/a/b", 405), ("POST", "/", 404), ("POST", "/v1/webhooks/argos", 404)],
)
async def test_every_error_is_a_sentence_in_json(
    site: Site, method: str, path: str, status: int
) -> None:
    answer = await site.client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "code", "field"}


async def test_a_compressed_body_is_refused(site: Site) -> None:
    answer = await site.client.post(
        site.path, content=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}
    )
    assert answer.status_code == 415


async def test_a_body_far_too_large_is_answered_and_not_cut_off(site: Site) -> None:
    """Bytes left unread would reset the connection before the sender has read the answer."""
    server = HttpServer(site.app, "127.0.0.1", 0, service="gateway")
    serving = asyncio.create_task(server.serve())
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"POST {site.path} HTTP/1.0\r\nContent-Length: 400000\r\n\r\n"
    writer.write(head.encode() + b"x" * 200_000)
    await asyncio.sleep(0.2)
    writer.write(b"x" * 200_000)
    await writer.drain()
    assert b" 413 " in await reader.read()
    writer.close()
    server.close()
    await serving


async def test_a_lost_answer_of_the_log_is_found_out(site: Site) -> None:
    site.log.lose_ack()
    assert (await site.post(BUY)).json()["status"] == "accepted"
    assert len(site.events()) == 1


async def test_a_ghost_that_lands_late_stores_no_second_copy(site: Site) -> None:
    site.log.ghost()
    assert (await site.post(BUY)).json()["status"] == "accepted"
    site.log.release_ghosts()
    assert len(site.events()) == 1


async def test_a_busy_log_is_asked_again(site: Site) -> None:
    site.log.busy(times=3)
    assert (await site.post(BUY)).status_code == 200


async def test_without_a_log_the_sender_is_told_to_send_again(site: Site) -> None:
    site.log.unavailable = True
    for body in (BUY, b"{"):
        answer = await site.post(body)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_confirmed")
    site.log.unavailable = False
    assert (await site.post(BUY)).json()["status"] == "accepted"


async def test_a_log_filled_to_the_watermark_takes_no_more_signals(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratio = 0.70

    async def status() -> LogStatus:
        return LogStatus(generation="g1", last_sequence=0, used_ratio=ratio)

    monkeypatch.setattr(site.log, "status", status)
    watching = asyncio.create_task(site.intake.watch_log())
    try:
        await _until(lambda: site.intake.nearly_full)
        answer = await site.post(BUY)
        assert (answer.status_code, answer.json()["code"]) == (503, "log_full")
        assert site.events() == []
        ratio = 0.5
        await _until(lambda: not site.intake.nearly_full)
        assert (await site.post(BUY)).status_code == 200
    finally:
        watching.cancel()


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  # another process changes it
            await asyncio.sleep(0.02)


async def test_a_source_over_its_rate_is_told_so_and_on_record_once(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("rate_per_minute = 12000", "rate_per_minute = 2")
    config = tmp_path / "fleet.toml"
    config.write_text(text)
    site = build(tmp_path, config)
    async with site.client:
        answers = [await site.post(BUY | {"id": str(number)}) for number in range(4)]
        await serve_inject(site.bus, site.intake, site.limiter, SystemClock())
        inside = json.loads(await site.bus.request("argos.inject.argos", b"{}", 5))
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert inside["http_status"] == 429
    # A minute may end in between: then it is on record for each.
    assert {event.code for event in site.refusals()} == {"rate_limited"}
    assert len(site.refusals()) <= 2


async def test_a_body_secret_is_needed_where_it_is_set(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace(
        'dialect = "argos"', 'dialect = "argos"\nbody_secret_env = "BODY_SECRET"'
    )
    config = tmp_path / "fleet.toml"
    config.write_text(text)
    site = build(tmp_path, config)
    async with site.client:
        assert (await site.post(BUY)).status_code == 401
        assert site.events() == []
        assert (await site.post(BUY | {"secret": "swordfish"})).status_code == 200
    assert "swordfish" not in site.signals()[0].raw


async def test_two_tokens_are_valid_while_one_replaces_the_other(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace(
        '["secrets/argos.token"]', '["secrets/argos.token", "secrets/next.token"]'
    )
    config = tmp_path / "fleet.toml"
    config.write_text(text)
    site = build(tmp_path, config)
    token = (tmp_path / "secrets" / "next.token").read_text().strip()
    async with site.client:
        assert (await site.post(BUY)).status_code == 200
        other = await site.client.post(f"/v1/webhooks/argos/{token}", json=BUY)
    assert other.json()["status"] == "duplicate"


async def test_a_log_that_never_answers_does_not_hold_the_sender(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(append: Append) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError(append)

    monkeypatch.setattr(site.log, "append", never)
    async with asyncio.timeout(10):
        answer = await site.post(BUY)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_confirmed")


async def test_requests_on_the_bus_do_not_wait_for_each_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Semaphore(0)

    async def never(append: Append) -> Answer:
        begun.release()
        await asyncio.Event().wait()
        raise AssertionError(append)

    monkeypatch.setattr(site.log, "append", never)
    monkeypatch.setattr("argos_gateway.runner.BUDGET_S", 60)
    await serve_inject(site.bus, site.intake, site.limiter, SystemClock())
    bodies = [json.dumps(BUY | {"id": str(number)}).encode() for number in range(4)]
    asked = [
        asyncio.create_task(site.bus.request("argos.inject.argos", body, 60)) for body in bodies
    ]
    try:
        async with asyncio.timeout(20):
            for _ in bodies:
                await begun.acquire()
    finally:
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_a_heartbeat_is_passed_on_and_not_recorded(site: Site) -> None:
    heard: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def hear(subject: str, payload: bytes) -> None:
        heard.put_nowait((subject, json.loads(payload)))

    await site.bus.subscribe("argos.strategy.*", hear)
    answer = await site.post({"type": "heartbeat", "strategy": "trend"})
    assert answer.json() == {"status": "alive", "strategy": "trend"}
    async with asyncio.timeout(5):
        subject, payload = await heard.get()
    assert (subject, payload["source"]) == ("argos.strategy.trend", "argos")
    assert site.events() == []


async def test_the_same_intake_answers_on_the_bus(site: Site) -> None:
    await serve_inject(site.bus, site.intake, site.limiter, SystemClock())
    body = json.dumps(BUY).encode()
    first = json.loads(await site.bus.request("argos.inject.argos", body, 5))
    again = json.loads(await site.bus.request("argos.inject.argos", body, 5))
    ghost = json.loads(await site.bus.request("argos.inject.ghost", body, 5))
    assert (first["status"], first["http_status"]) == ("accepted", 200)
    assert again["status"] == "duplicate"
    assert (ghost["code"], ghost["http_status"]) == ("unknown_source", 404)
    assert (await site.post(BUY)).json()["status"] == "duplicate"
