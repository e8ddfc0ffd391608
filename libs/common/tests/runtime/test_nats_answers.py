"""Every reply of the server has one meaning."""

from __future__ import annotations

import json

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    CreateOnce,
    Exists,
    Fence,
    Full,
    Head,
    Mine,
    Stale,
    Unconditional,
    Unknown,
)
from argos_common.runtime.nats_answers import answer_of, headers_for
from argos_common.runtime.nats_log import parse_time_ns
from argos_common.testing.log_contract import event

CREATE = event("signal.tv.a", CreateOnce())
HEAD = event("verdict.acc", Head(7))
FENCE = event("order.acc.o.1", Fence("argos.v1.control.acc", 3), once_id="o")


def refusal(code: int, text: str) -> bytes:
    return json.dumps(
        {"error": {"code": 400, "err_code": code, "description": text}, "stream": "S", "seq": 0}
    ).encode()


@pytest.mark.parametrize(
    ("reply", "append", "answer"),
    [
        (b'{"stream":"S","seq":5}', CREATE, Mine(5)),
        (b'{"stream":"S","seq":5,"duplicate": true}', FENCE, Exists()),
        (refusal(10071, "wrong last sequence: 1"), CREATE, Exists()),
        (refusal(10071, "wrong last sequence: 9"), HEAD, Stale()),
        (refusal(10071, "wrong last sequence: 0"), FENCE, Stale()),
        (refusal(10201, "contains duplicate message id"), CREATE, Exists()),
    ],
)
def test_answer_about_the_condition(reply: bytes, append: Append, answer: Answer) -> None:
    assert answer_of(reply, [append]) == answer


@pytest.mark.parametrize("append", [CREATE, HEAD, FENCE])
def test_refusal_that_names_the_very_sequence_expected_is_no_verdict(append: Append) -> None:
    expected = headers_for(append, "S")["Nats-Expected-Last-Subject-Sequence"]
    reply = refusal(10071, f"wrong last sequence: {expected}")
    assert isinstance(answer_of(reply, [append]), Busy)


@pytest.mark.parametrize("code", [10008, 10009, 10063, 10158, 10164, 10176, 10194, 10210])
def test_passing_trouble_is_busy(code: int) -> None:
    assert isinstance(answer_of(refusal(code, "…"), [CREATE]), Busy)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (10002, "resource limits exceeded for account"),
        (10023, "insufficient resources"),
        (10028, "insufficient memory resources available"),
        (10047, "insufficient storage resources available"),
        (10053, "limit"),
        (10077, "maximum bytes exceeded"),
        (10077, "maximum messages exceeded"),
    ],
)
def test_lack_of_room_is_full(code: int, text: str) -> None:
    assert isinstance(answer_of(refusal(code, text), [CREATE]), Full)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (10060, "expected stream does not match"),
        (10054, "message size exceeds maximum allowed"),
        (10077, "message too large"),
        (10109, "invalid operation on sealed stream"),
        (10174, "atomic publish is disabled"),
    ],
)
def test_everything_else_is_our_mistake(code: int, text: str) -> None:
    with pytest.raises(OurMistake, match=text):
        answer_of(refusal(code, text), [CREATE])


@pytest.mark.parametrize("reply", [b"", b"no json", b"[]", b'{"stream":"S","seq":0}'])
def test_unreadable_reply_is_unknown(reply: bytes) -> None:
    assert isinstance(answer_of(reply, [CREATE]), Unknown)


def test_refused_batch_exists_only_if_all_of_it_is_create_once() -> None:
    reply = refusal(10071, "wrong last sequence: 0")
    free = event("control.acc", Unconditional())
    assert answer_of(reply, [CREATE, free]) == Exists()
    assert answer_of(reply, [CREATE, HEAD]) == Stale()


def test_headers_carry_condition_id_and_stream() -> None:
    assert headers_for(FENCE, "S") == {
        "Nats-Expected-Stream": "S",
        "Nats-Expected-Last-Subject-Sequence": "3",
        "Nats-Expected-Last-Subject-Sequence-Subject": "argos.v1.control.acc",
        "Nats-Msg-Id": "o",
    }
    assert headers_for(event("control.acc", Unconditional()), "S") == {"Nats-Expected-Stream": "S"}


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T00:00:01.000000002Z", 1_000_000_002),
        ("1970-01-01T01:00:01.5+01:00", 1_500_000_000),
    ],
)
def test_server_times_keep_their_nanoseconds(text: str, ns: int) -> None:
    assert parse_time_ns(text) == ns
