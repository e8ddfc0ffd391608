"""At the door: identity, freshness, registration; and nothing that is sent can do harm."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from argos_common.domain.ids import Source, Symbol
from argos_common.domain.times import NS_PER_S
from argos_common.wire.codec import decode, encode
from argos_gateway.core.dialect import StrategyBeat
from argos_gateway.core.intake import (
    Accepted,
    Door,
    Finding,
    KnownSource,
    KnownStrategy,
    Refused,
    Unauthorised,
    conflict,
    examine,
)
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = 1_767_323_050 * NS_PER_S
DOOR = Door(
    strategies={"trend": KnownStrategy(sources=("argos", "tv"), bot_versions=("v1",)),
                "other": KnownStrategy(sources=("tv",), bot_versions=("v1",))},
    symbols={"EURUSD": Symbol("EURUSD"), "FX:GBPUSD": Symbol("GBPUSD")},
)  # fmt: skip
SOURCE = KnownSource(
    name=Source("argos"), dialect="argos", max_age_ns=30 * NS_PER_S, bucket_ns=10 * NS_PER_S
)
SECRET = replace(SOURCE, body_secret="swordfish")
BUY: dict[str, Any] = {
    "strategy": "trend",
    "bot_version": "v1",
    "ticker": "EURUSD",
    "action": "buy",
    "id": "n-1",
    "fired_at": "2026-01-02T03:04:05Z",
}


def look(fields: dict[str, Any], source: KnownSource = SOURCE, now_ns: int = NOW) -> Finding:
    return examine(json.dumps(fields).encode(), source, DOOR, now_ns)


def accepted(fields: dict[str, Any], now_ns: int = NOW) -> Accepted:
    found = look(fields, now_ns=now_ns)
    assert isinstance(found, Accepted), found
    return found


def refused(found: Finding) -> Refused:
    assert isinstance(found, Refused), found
    return found


def without(*names: str) -> dict[str, Any]:
    return {key: value for key, value in BUY.items() if key not in names}


def test_the_senders_own_id_makes_the_signal_whatever_else_it_says() -> None:
    first, other = accepted(BUY).signal, accepted(BUY | {"action": "sell"}).signal
    assert first.signal_id == other.signal_id
    assert first.content_hash != other.content_hash
    assert conflict(first).signal_id != first.signal_id
    assert conflict(first).signal_id != conflict(other).signal_id


def test_the_same_alert_is_the_same_signal_however_it_is_written_and_whenever_it_comes() -> None:
    first = accepted(BUY | {"quantity": "1.50"}).signal
    again = accepted({"quantity": 1.5, **BUY}, now_ns=NOW + 5 * NS_PER_S).signal
    assert (first.signal_id, first.content_hash) == (again.signal_id, again.content_hash)


def test_without_an_id_the_fire_time_tells_two_alerts_apart() -> None:
    first = accepted(without("id"))
    again = accepted(without("id"), now_ns=NOW + 9 * NS_PER_S)
    later = accepted(without("id") | {"fired_at": "2026-01-02T03:04:06Z"})
    assert first.signal.signal_id == again.signal.signal_id != later.signal.signal_id
    assert first.earlier_id is None


def test_without_id_and_time_equal_alerts_near_each_other_are_one() -> None:
    plain = without("id", "fired_at")
    first = accepted(plain, now_ns=NOW)
    same_bucket = accepted(plain, now_ns=NOW + 9 * NS_PER_S)
    next_bucket = accepted(plain, now_ns=NOW + 10 * NS_PER_S)
    assert same_bucket.signal.signal_id == first.signal.signal_id
    assert next_bucket.signal.signal_id != first.signal.signal_id
    assert next_bucket.earlier_id == first.signal.signal_id
    assert next_bucket.signal.content_hash == first.signal.content_hash


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        (BUY | {"ticker": "DOGE"}, "unknown_symbol", "ticker"),
        (BUY | {"strategy": "ghost"}, "unknown_strategy", "strategy"),
        (BUY | {"strategy": "other"}, "source_not_allowed", "strategy"),
        (BUY | {"bot_version": "v9"}, "unknown_bot_version", "bot_version"),
        (BUY | {"fired_at": "2026-01-02T03:03:39Z"}, "stale", "fired_at"),
        (BUY | {"max_lag": 3}, "stale", "fired_at"),
        (BUY | {"fired_at": "2026-01-02T03:04:16Z"}, "from_the_future", "fired_at"),
        (without("bot_version"), "missing_field", "bot_version"),
        (without("action"), "missing_field", "action"),
    ],
)
def test_what_is_refused_is_on_record_with_its_reason(
    fields: dict[str, Any], code: str, field: str
) -> None:
    found = refused(look(fields))
    assert (found.refusal.code, found.refusal.field) == (code, field)
    assert found.recorded
    assert decode(encode(found.refusal)) == found.refusal


def test_a_symbol_is_found_with_or_without_its_exchange() -> None:
    assert accepted(BUY | {"exchange": "OANDA"}).signal.symbol == "EURUSD"
    assert accepted(BUY | {"ticker": "gbpusd", "exchange": "fx"}).signal.symbol == "GBPUSD"
    assert refused(look(BUY | {"ticker": "GBPUSD"})).refusal.code == "unknown_symbol"


def test_a_heartbeat_needs_a_registered_strategy() -> None:
    beat = {"type": "heartbeat", "strategy": "trend"}
    assert look(beat) == StrategyBeat(strategy="trend")
    assert refused(look(beat | {"strategy": "ghost"})).refusal.code == "unknown_strategy"


def test_a_wrong_body_secret_is_nobody() -> None:
    assert look(BUY, SECRET) == Unauthorised()
    assert look(BUY | {"secret": "swordfisi"}, SECRET) == Unauthorised()
    assert look(BUY | {"secret": 5}, SECRET) == Unauthorised()
    assert not refused(examine(b"{", SECRET, DOOR, NOW)).recorded


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(BUY | {"secret": "swordfish"}),
        json.dumps(BUY | {"secret": "swordfish", "comment": "swordfish"}),
        json.dumps(BUY | {"secret": "swordfish", "ticker": "X"}),
    ],
)
def test_the_body_secret_is_never_on_record(body: str) -> None:
    found = examine(body.encode(), SECRET, DOOR, NOW)
    raw = found.signal.raw if isinstance(found, Accepted) else refused(found).refusal.raw
    assert "swordfish" not in raw
    assert '"strategy"' in raw


def test_a_needless_secret_is_not_on_record_either() -> None:
    assert "hunter" not in refused(examine(b'{"secret":"hunter', SOURCE, DOOR, NOW)).refusal.raw


def _json_like() -> st.SearchStrategy[bytes]:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    )
    keys = st.sampled_from(
        sorted({*BUY, "quantity", "stopLoss", "market_position", "type", "time"})
    )
    return st.dictionaries(keys | st.text(max_size=4), values, max_size=8).map(
        lambda fields: json.dumps(BUY | fields, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


@settings(max_examples=400, deadline=None)
@given(
    body=st.binary(max_size=200) | _json_like(), dialect=st.sampled_from(["argos", "tradingview"])
)
def test_whatever_is_sent_is_taken_or_cleanly_refused(body: bytes, dialect: str) -> None:
    found = examine(body, replace(SOURCE, dialect=dialect), DOOR, NOW)
    match found:
        case Accepted():
            assert decode(encode(found.signal)) == found.signal
        case Refused():
            assert decode(encode(found.refusal)) == found.refusal
            assert found.refusal.sentence
            assert "\n" not in found.refusal.sentence
        case _:
            assert isinstance(found, StrategyBeat)
