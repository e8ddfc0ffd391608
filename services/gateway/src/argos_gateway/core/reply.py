"""What a sender is told."""

from __future__ import annotations

import json
from dataclasses import dataclass

from argos_common.domain.signal import SignalAccepted, SignalRefused


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, and a JSON object."""

    status: int
    body: dict[str, str]

    def to_json(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode()


def refusal(status: int, code: str, sentence: str, field: str = "") -> Reply:
    """An error as every refusal looks: the sentence, its code, the field."""
    return Reply(status, {"error": sentence, "code": code, "field": field})


def taken(status: str, signal: SignalAccepted) -> Reply:
    """`accepted` or `duplicate`, with the id of the signal on record."""
    return Reply(200, {"status": status, "signal_id": signal.signal_id})


def refused(event: SignalRefused, signal_id: str) -> Reply:
    """The answer to what is on record as refused."""
    found = refusal(STATUS.get(event.code, 422), event.code, event.sentence, event.field)
    return Reply(found.status, {**found.body, "signal_id": signal_id})


STATUS = {"malformed": 400, "too_large": 413, "not_text": 415, "conflict": 409, "rate_limited": 429}
"""HTTP status by code where it is not 422."""

UNAUTHORISED = refusal(
    401, "unauthorised", "not authorised: correct the source and the token in the address"
)
NOT_CONFIRMED = refusal(
    503, "not_confirmed", "storage is not confirmed: send it again, it will not be taken twice"
)
LOG_FULL = refusal(503, "log_full", "the log is nearly full: an operator must make room")
