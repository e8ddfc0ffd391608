"""When a certificate expires, read out of its bytes.

A certificate is nested records of tag, length and content (DER). The times stand in the first
record's fifth: after an optional version, the serial number, the algorithm and the issuer.
"""

from __future__ import annotations

from datetime import UTC, datetime

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S

_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17
_FIELDS_BEFORE_VALIDITY = 3  # serial number, algorithm, issuer


def expires_ns(der: bytes) -> int:
    """Nanoseconds since the Unix epoch. Raises OurMistake if the bytes are no certificate."""
    try:
        body = _content(_content(der, _SEQUENCE)[0], _SEQUENCE)[0]
        if body[0] == _VERSION:
            body = _content(body, _VERSION)[1]
        for _ in range(_FIELDS_BEFORE_VALIDITY):
            body = _content(body, body[0])[1]
        validity = _content(body, _SEQUENCE)[0]
        end = _content(validity, validity[0])[1]
        text = _content(end, end[0])[0].decode("ascii")
        # Of two digits for the year, 50 and more are of the last century.
        if end[0] == _UTC_TIME:
            text = ("19" if text >= "50" else "20") + text
        at = datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except (IndexError, ValueError):
        raise OurMistake("this is no certificate: name a file in PEM") from None
    return int(at.timestamp()) * NS_PER_S


def _content(record: bytes, tag: int) -> tuple[bytes, bytes]:
    """A record's content, and what comes after it. Raises IndexError or ValueError."""
    if record[0] != tag:
        raise ValueError
    length, start = record[1], 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(record[2 : 2 + size], "big"), 2 + size
    if len(record) < start + length:
        raise ValueError
    return record[start : start + length], record[start + length :]
