"""The monitor's pages over a ledger that the reconciler's own writer made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from argos_common.domain.errors import ConfigMistake
from argos_monitor.adapters.http import make_app
from argos_monitor.adapters.ledger_sql import SqlLedgerReader
from argos_reconciler.adapters.sql.ledger import SqlLedger
from sqlalchemy import text

from services.reconciler.tests.reconciler_kit import Tape, entry_story, foreign, signal, verdict

TRADE = signal(1).signal_id


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        found = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        found = str(request.getfixturevalue("empty_postgres"))
    ledger = SqlLedger(found)
    await ledger.open("g1")
    tape = Tape().says(*entry_story(1), *entry_story(2), foreign())
    refused = verdict(signal(3).signal_id, ())
    await ledger.project(tape.says(signal(3), refused).garbage().items())
    await ledger.close()
    return found


def client(url: str, *, ready: bool = True) -> httpx.AsyncClient:
    app = make_app(
        status=lambda: {"status": "online", "healthy": True},
        ledger=SqlLedgerReader(url),
        metrics=lambda: b"argos_service 1\n",
        ready=lambda: ready,
    )
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://monitor", trust_env=False)


@pytest.fixture
async def pages(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with client(url) as found:
        yield found


async def test_a_trade_is_shown_with_everything_that_belongs_to_it(
    pages: httpx.AsyncClient,
) -> None:
    answer = await pages.get(f"/api/trades/{TRADE}")
    assert answer.status_code == 200
    found = answer.json()
    assert [len(found[name]) for name in ("signals", "verdicts", "orders", "deals")] == [1, 1, 1, 1]
    assert [each["hop"] for each in found["hops"]] == [
        "signal received", "appended", "verdict", "claimed", "node received", "journaled",
        "called", "returned", "outcome appended",
    ]  # fmt: skip
    assert found["position"] == "1"


async def test_a_refused_signal_is_shown_under_its_own_id(pages: httpx.AsyncClient) -> None:
    found = (await pages.get(f"/api/trades/{signal(3).signal_id}")).json()
    assert (found["orders"], found["verdicts"][0]["decision"]) == ([], "refused")


async def test_a_trade_that_is_not_there_is_one_sentence(pages: httpx.AsyncClient) -> None:
    answer = await pages.get("/api/trades/nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "error": "there is no trade or signal 'nothing' in the ledger, which stands at log entry 14"
    }


async def test_trades_are_listed_newest_first_with_exact_amounts(
    pages: httpx.AsyncClient,
) -> None:
    found = (await pages.get("/api/trades")).json()["trades"]
    assert [(each["external"], each["position"], each["status"]) for each in found] == [
        (True, "2", "open"),
        (False, "1", "open"),
        (False, "1", "open"),
    ]
    assert found[2]["trade_id"] == TRADE
    assert found[2]["commission"] == "-3.5"
    assert len((await pages.get("/api/trades?limit=1")).json()["trades"]) == 1
    assert (await pages.get("/api/trades?account=other")).json() == {"trades": []}


async def test_every_signal_is_listed_with_its_verdict(pages: httpx.AsyncClient) -> None:
    found = (await pages.get("/api/signals")).json()["signals"]
    assert [each["verdicts"][0]["decision"] for each in found] == [
        "refused",
        "approved",
        "approved",
    ]
    assert found[0]["verdicts"][0]["failed_rules"][0]["limit"] == "5"


async def test_a_reader_cannot_write(url: str) -> None:
    reader = SqlLedgerReader(url)
    with pytest.raises(Exception, match=r"readonly|read-only"), reader._connection() as connection:
        connection.execute(text("DELETE FROM events"))
    reader.close()


async def test_the_small_pages(pages: httpx.AsyncClient, url: str) -> None:
    assert (await pages.get("/api/system/status")).json()["healthy"] is True
    assert (await pages.get("/metrics")).text == "argos_service 1\n"
    assert (await pages.get("/healthz")).status_code == 200
    assert (await pages.get("/readyz")).status_code == 200
    async with client(url, ready=False) as starting:
        assert (await starting.get("/readyz")).status_code == 503
    nowhere = await pages.get("/api/nothing")
    assert (nowhere.status_code, "there is no /api/nothing" in nowhere.json()["error"]) == (
        404,
        True,
    )


@pytest.mark.parametrize("missing", ["sqlite", "postgres"])
async def test_a_ledger_that_is_not_there_is_503_with_a_sentence(
    missing: str, tmp_path: Path
) -> None:
    path = tmp_path / "none.db"
    away = "postgresql+psycopg://argos@127.0.0.1:9/argos"
    async with client(f"sqlite:///{path}" if missing == "sqlite" else away) as pages:
        answer = await pages.get("/api/trades")
    assert answer.status_code == 503
    assert "is the reconciler running?" in answer.json()["error"]
    assert not path.exists()


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/api/trades?limit=abc", 422, "limit: input should be a valid integer"),
        ("GET", "/api/signals?limit=0", 422, "limit: input should be greater"),
        ("GET", f"/api/trades?account={'x' * 90}", 422, "account: string should have at most 80"),
        ("POST", "/api/system/status", 405, "use GET"),
        ("GET", "/metrics/", 404, "there is no /metrics/"),
    ],
)
async def test_a_wrong_request_is_one_sentence(
    method: str, path: str, status: int, words: str, tmp_path: Path
) -> None:
    async with client(f"sqlite:///{tmp_path / 'ledger.db'}") as pages:
        answer = await pages.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"]


def test_an_address_that_is_none_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigMistake):
        SqlLedgerReader("ledger")
