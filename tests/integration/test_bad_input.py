"""Whatever comes in wrong is answered with one sentence that says what to do, and is never traded."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from argos_cli.client.history import read_now
from argos_cli.client.http import request
from argos_cli.client.opened import open_fleet
from argos_cli.fleet.state_folder import FleetRecord, read_record
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.runtime.credentials import read_secret_file
from argos_common.wire import subjects

from tests.integration.command import argos
from tests.integration.kit import alert, running

pytestmark = pytest.mark.timeout(180)

GOOD = json.loads(alert("good"))


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is sent, and what must come back."""

    name: str
    body: bytes
    status: int
    words: str
    recorded: bool = True
    """Whether an authenticated message that is refused must be on record with its reason."""


def with_field(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


MESSAGES = (
    Wrong("malformed", b'{"action":', 400, "the message is not JSON"),
    Wrong("plain words", b"buy EURUSD now", 400, "the message is not JSON"),
    Wrong("empty", b"", 400, "the message is empty: write a JSON object into it"),
    Wrong("an array", b"[1]", 400, "the message must be a JSON object, such as"),
    Wrong("huge", b'{"a": "' + b"x" * 200_000 + b'"}', 413, "is larger than 16384 bytes: send less"),
    Wrong("not UTF-8", b'{"id": "\xff\xfe"}', 415, "is not UTF-8 text: send it as such"),
    Wrong("gzip in secret", gzip.compress(alert("zip")), 415, "is not UTF-8 text: send it as such"),
    Wrong("NaN", alert("nan").replace(b'"0.10"', b"NaN"), 422, "holds NaN: a value was missing"),
    Wrong("twice", b'{"action": "buy", "action": "sell"}', 422, "action is given twice: leave it"),
    Wrong("placeholder", with_field(quantity="{{strategy.order.contracts}}"), 422,
          "quantity holds {{strategy.order.contracts}}: the placeholder was not substituted"),
    Wrong("misspelt", with_field(stoploss=1), 422, "not a known field: did you mean stopLoss?"),
    Wrong("no number", with_field(quantity="lots"), 422, "is not a number: send digits"),
    Wrong("below zero", with_field(quantity="-1"), 422, "quantity is -1: it must be above zero"),
    Wrong("unknown action", with_field(action="yolo"), 422, "use one of buy, sell, exit"),
    Wrong("unknown symbol", with_field(ticker="ZZZ"), 422, "add it to [symbols] in fleet.toml"),
    Wrong("unknown bot", with_field(bot_version="x"), 422, "not registered for scalper: add it"),
    Wrong("unknown strategy", with_field(strategy="x"), 422, "not registered: add it to fleet.toml"),
    Wrong("too old", with_field(fired_at="2020-01-01T00:00:00Z"), 422, "it is too old to trade"),
    Wrong("early", with_field(fired_at="2099-01-01T00:00:00Z"), 422, "correct the sender's clock"),
)  # fmt: skip


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running fleet's folder."""
    folder = tmp_path_factory.mktemp("input") / "state"
    with asyncio.Runner() as runner:
        opened = running(folder)
        runner.run(opened.__aenter__())
        try:
            yield folder
        finally:
            runner.run(opened.__aexit__(None, None, None))


def record_of(state: Path) -> FleetRecord:
    record = read_record(state)
    assert record is not None
    return record


def one_sentence(found: object, words: str) -> str:
    """Check the sentence of an answer; its signal id, if it has one."""
    assert isinstance(found, dict)
    sentence = found["error"]
    assert words in sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    return str(found.get("signal_id", ""))


def webhook(state: Path) -> str:
    record = record_of(state)
    token = read_secret_file(Path(record.token_files["argos"])).reveal()
    return f"{record.urls['gateway']}/v1/webhooks/argos/{token}"


async def accepted_and_refused(state: Path) -> tuple[int, dict[str, str]]:
    """How many signals are on record, and the reason of every refusal by id."""
    async with open_fleet(state) as opened:
        items = await read_now(opened.log)
    events = [item.event for item in items]
    refused = {str(e.signal_id): e.sentence for e in events if isinstance(e, SignalRefused)}
    return sum(isinstance(e, SignalAccepted) for e in events), refused


async def test_a_bad_alert_is_answered_with_a_sentence_and_kept_with_its_reason(
    state: Path,
) -> None:
    before, _ = await accepted_and_refused(state)
    ids = {}
    for wrong in MESSAGES:
        answer = await request(webhook(state), method="POST", body=wrong.body)
        assert answer.status == wrong.status, (wrong.name, answer)
        ids[wrong.name] = one_sentence(answer.json(), wrong.words)
    after, refused = await accepted_and_refused(state)
    assert after == before
    assert {name for name, each in ids.items() if each not in refused} == set()


async def test_the_same_over_nats_is_answered_the_same(state: Path) -> None:
    before, _ = await accepted_and_refused(state)
    async with open_fleet(state) as opened:
        for wrong in MESSAGES:
            reply = await opened.bus.request(f"{subjects.INJECT}.argos", wrong.body, 5.0)
            found = json.loads(reply)
            assert found["http_status"] == wrong.status, (wrong.name, found)
            one_sentence(found, wrong.words)
        reply = await opened.bus.request(f"{subjects.INJECT}.nosuch", alert("x"), 5.0)
        one_sentence(json.loads(reply), "nosuch is no source: name one of fleet.toml")
    after, _ = await accepted_and_refused(state)
    assert after == before


async def test_a_wrong_door_a_wrong_key_and_a_wrong_way_are_told_apart(state: Path) -> None:
    record = record_of(state)
    gateway = record.urls["gateway"]
    token, other = (
        read_secret_file(Path(record.token_files[name])).reveal()
        for name in ("argos", "tradingview")
    )
    door = f"{gateway}/v1/webhooks/argos"
    before, _ = await accepted_and_refused(state)
    for url, method, headers, status, words in (
        (f"{door}/{token}", "GET", {}, 405, "this address takes POST only"),
        (f"{door}/{token}", "PUT", {}, 405, "this address takes POST only"),
        (f"{door}/wrong", "POST", {}, 401, "correct the source and the token in the address"),
        (f"{door}/{other}", "POST", {}, 401, "correct the source and the token in the address"),
        (f"{gateway}/v1/webhooks/x/{token}", "POST", {}, 401, "correct the source and the token"),
        (f"{gateway}/webhook", "POST", {}, 404, "POST to /v1/webhooks/<source>/<token>"),
        (door, "POST", {}, 404, "POST to /v1/webhooks/<source>/<token>"),
        (f"{door}/{token}", "POST", {"Content-Encoding": "gzip"}, 415, "send it as it is"),
    ):
        answer = await request(url, method=method, body=alert("door"), headers=headers)
        assert answer.status == status, (url, method)
        one_sentence(answer.json(), words)
    after, _ = await accepted_and_refused(state)
    assert after == before


async def test_the_content_counts_not_its_header(state: Path) -> None:
    headers = {"Content-Type": "text/plain"}
    body = alert("as-text")
    answer = await request(webhook(state), method="POST", body=body, headers=headers)
    assert answer.status == 200
    other = await request(webhook(state), method="POST", body=alert("as-text", "sell"))
    assert other.status == 409
    one_sentence(other.json(), "on record with other content: give each signal an id")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("kill --account nosuch --reason x", 2, "use one of mt5-hedge, mt5-net, paper-spot"),
        ("flatten --account nosuch --reason x", 2, "use one of mt5-hedge, mt5-net, paper-spot"),
        ("resume --reason x --yes", 1, "the fleet is not killed"),
        ("trade show nosuch", 1, "no trade or signal begins with 'nosuch': see `argos trades`"),
        ("ledger rebuild", 1, "the reconciler holds the ledger"),
        ("signal send --strategy scalper --action buy --symbol EURUSD --source x", 2,
         "there is no token for the source 'x' here: known are tradingview, argos"),
        ("signal send --strategy scalper --action yolo --symbol EURUSD", 1, "was not accepted"),
        ("signal send --strategy scalper --action yolo --symbol EURUSD --via nats", 1,
         "was not accepted"),
        ("signal send nosuch.json", 2, "nosuch.json cannot be read (No such file or directory)"),
        ("config approve --account mt5-net --reason x", 1, "nothing waits for approval"),
        ("verify --wait soon", 2, "should be a valid number"),
        ("trades --nosuch", 2, "No such option"),
        ("rebuild", 2, "No such command"),
    ],
)  # fmt: skip
def test_a_command_used_wrongly_on_a_running_fleet_says_so_in_one_sentence(
    state: Path, line: str, code: int, words: str
) -> None:
    where = [] if line == "rebuild" else ["--state", str(state)]
    found = argos(*line.split(), *where, cwd=state.parent)
    assert found.returncode == code, found.stderr
    assert words in found.stderr.replace("\n", " ")
    assert "Traceback" not in found.stderr


def test_a_command_without_a_fleet_is_told_how_to_get_one(tmp_path: Path) -> None:
    for name in ("status", "trades", "verify", "kill"):
        found = argos(name, "--state", str(tmp_path))
        assert (found.returncode, found.stdout) == (4, "")
        assert found.stderr.startswith(f"no fleet runs on {tmp_path}")
        assert "`argos up`" in found.stderr
