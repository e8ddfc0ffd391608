"""What the log server's reply to an append means: one table, and nothing is guessed.

The server checks in this order on one replica: stream, condition, once-only id, room. So where a
stale condition and a known id meet, one replica says stale and three say duplicate (there the id
comes first; so it does in a batch). Both mean the same to a writer: this call stored nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from argos_common.domain.errors import OurMistake
from argos_common.runtime.append_rules import only_create_once
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

WRONG_LAST_SEQUENCE = 10071
STORE_FAILED = 10077
DUPLICATE_IN_BATCH = 10201
NOT_FOUND_MESSAGE = 10037
NOT_FOUND_STREAM = 10059
NOT_NOW = frozenset({10005, 10008, 10009})
"""A cluster's servers do not all know each other yet, or it has no leader: ask again."""

_BUSY = {
    10008: "JetStream is temporarily unavailable",
    10009: "another server leads the stream",
    10063: "the stream is catching up",
    10158: "the same once-only id is under way",
    10164: "another append to the subject is under way",
    10176: "the batch arrived in parts, nothing of it was stored",
    10194: "the stream is offline",
    10210: "too many batches under way",
}
_FULL = {
    10002: "the account's storage is used up",
    10023: "the server's storage is used up",
    10028: "the server's memory is used up",
    10047: "the server's storage is used up",
    10053: "a limit of the stream is reached",
}
APPENDED_HEADER = "Argos-Appended-Ns"
"""When an entry was stored first, where that was in an older generation of the log."""
_LAST_SEQUENCE = re.compile(r"wrong last sequence: (\d+)")


def headers_for(append: Append, stream: str) -> dict[str, str]:
    """The headers that let the server check the append."""
    headers = {"Nats-Expected-Stream": stream}
    match append.condition:
        case CreateOnce():
            headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        case Head(sequence=sequence):
            headers["Nats-Expected-Last-Subject-Sequence"] = str(sequence)
        case Fence(subject=subject, sequence=sequence):
            headers["Nats-Expected-Last-Subject-Sequence"] = str(sequence)
            headers["Nats-Expected-Last-Subject-Sequence-Subject"] = subject
        case Unconditional():
            pass
    if append.once_id:
        headers["Nats-Msg-Id"] = append.once_id
    if append.appended_ns:
        headers[APPENDED_HEADER] = str(append.appended_ns)
    return headers


def answer_of(reply: bytes, appends: Sequence[Append]) -> Answer:
    """Classify a reply to one append or to a whole batch.

    Raises:
        OurMistake: the server refuses for a reason that no waiting and no re-reading cures.
    """
    try:
        ack = json.loads(reply)
    except ValueError:
        return Unknown("the server's answer cannot be read")
    if not isinstance(ack, Mapping):
        return Unknown("the server's answer cannot be read")
    error = ack.get("error")
    if isinstance(error, Mapping):
        code, text = int(error.get("err_code", 0)), str(error.get("description", ""))
        return _refusal(code, text, appends)
    if ack.get("duplicate") is True:
        return Exists()
    sequence = ack.get("seq")
    return Mine(sequence) if isinstance(sequence, int) and sequence > 0 else Unknown("no sequence")


def _refusal(code: int, text: str, appends: Sequence[Append]) -> Answer:
    if code == WRONG_LAST_SEQUENCE:
        return _wrong_last_sequence(text, appends)
    if code == DUPLICATE_IN_BATCH:
        return Exists()
    if code in _BUSY:
        return Busy(_BUSY[code])
    if code in _FULL:
        return Full(_FULL[code])
    if code == STORE_FAILED and text.startswith("maximum "):
        return Full(f"the stream is full: {text}")
    if code == STORE_FAILED and "too large" not in text:
        return Busy(f"the server could not store: {text}")
    raise OurMistake(f"the log refuses {appends[0].subject}: {text} (error {code})")


def _wrong_last_sequence(text: str, appends: Sequence[Append]) -> Answer:
    found = _LAST_SEQUENCE.search(text)
    if len(appends) == 1 and found and int(found[1]) == _expected(appends[0]):
        # The server could not look the sequence up, and says so in this way.
        return Busy("the server could not check the condition")
    return Exists() if only_create_once(appends) else Stale()


def _expected(append: Append) -> int:
    condition = append.condition
    return condition.sequence if isinstance(condition, (Head, Fence)) else 0
