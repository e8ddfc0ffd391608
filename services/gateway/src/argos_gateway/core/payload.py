"""Fields of a message, taken out one by one, each checked; a refusal names the field and the fix.

Values of placeholders often come in quotes, so a number may be a text. An empty text and null count
as absent. A field nobody knows is refused: a misspelt stop must not be lost in silence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from argos_common.domain.errors import BadInput
from argos_common.domain.money import parse
from argos_common.domain.times import NS_PER_S

from argos_gateway.core.strict_json import Json, shown

TEXT_MAX = 200

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
_DIGITS = re.compile(r"\d{9,19}\Z", re.ASCII)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)\Z", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 100_000_000_000
"""A whole number this large counts milliseconds, a smaller one seconds."""


class Payload:
    """An object's fields. `where` stands before their names in sentences."""

    def __init__(self, values: Mapping[str, Json], where: str = "") -> None:
        self._values = values
        self._where = where

    def name(self, field: str) -> str:
        return f"{self._where}{shown(field)}"

    def has(self, field: str) -> bool:
        return self._values.get(field) not in (None, "")

    def refuse(self, field: str, sentence: str, code: str = "bad_value") -> BadInput:
        name = self.name(field)
        return BadInput(f"{name} {sentence}", name, code)

    def missing(self, field: str, fix: str) -> BadInput:
        return self.refuse(field, f"is missing: {fix}", "missing_field")

    def only(self, known: tuple[str, ...]) -> None:
        """Refuse any field that is not one of these."""
        for field in self._values:
            if field not in known:
                close = difflib.get_close_matches(field, known, n=1)
                fix = f"did you mean {close[0]}?" if close else 'put fields of your own in "extras"'
                raise self.refuse(field, f"is not a known field: {fix}", "unknown_field")

    def text(self, field: str, fix: str = "") -> str:
        """A text; if `fix` is given it is required, else absent is the empty text."""
        value = self._values.get(field)
        if value is None or value == "":
            if fix:
                raise self.missing(field, fix)
            return ""
        if isinstance(value, Decimal):
            value = format(value, "f") if abs(value.adjusted()) < TEXT_MAX else str(value)
        if not isinstance(value, str):
            raise self.refuse(field, "must be a text")
        if len(value) > TEXT_MAX:
            raise self.refuse(field, f"is longer than {TEXT_MAX} characters: shorten it")
        return value.strip()

    def choice(self, field: str, choices: tuple[str, ...], fix: str = "") -> str:
        """One of some words, in any case; absent is the empty text unless `fix` is given."""
        word = self.text(field, fix).lower()
        if word and word not in choices:
            raise self.refuse(field, f"is {word[:40]!r}: use one of {', '.join(choices)}")
        return word

    def number(self, field: str) -> Decimal | None:
        """A finite number, or None if absent."""
        value = self._values.get(field)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = value.strip()
            if not _NUMBER.match(value):
                raise self.refuse(field, f"is {value[:40]!r}, which is not a number: send digits")
            return parse(value, self.name(field))
        if isinstance(value, Decimal):
            return parse(str(value), self.name(field))
        raise self.refuse(field, "must be a number")

    def positive(self, field: str) -> Decimal | None:
        """A number above zero, or None if absent."""
        value = self.number(field)
        if value is not None and value <= 0:
            raise self.refuse(field, f"is {value}: it must be above zero")
        return value

    def time_ns(self, field: str) -> int | None:
        """A moment: RFC 3339 with a zone, or whole seconds or milliseconds since 1970."""
        text = self.text(field)
        if not text:
            return None
        if _DIGITS.match(text):
            number = int(text)
            unit = NS_PER_S if number < _MILLISECONDS_FROM else NS_PER_S // 1000
            return self._sane(field, number * unit)
        found = _TIME.match(text)
        if not found:
            raise self.refuse(field, f"is {text[:40]!r}: send a time such as 2026-01-31T12:00:00Z")
        day, clock, fraction, zone = found.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
        except ValueError:
            raise self.refuse(field, f"is {text!r}, which is no moment in time") from None
        seconds = (moment - _EPOCH) // timedelta(seconds=1)
        return self._sane(field, seconds * NS_PER_S + int((fraction or "").ljust(9, "0")))

    def inner(self, field: str) -> Payload | None:
        """An object within, or None if absent."""
        value = self._values.get(field)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.refuse(field, "must be an object in braces")
        return Payload(value, f"{self.name(field)}.")

    def _sane(self, field: str, at_ns: int) -> int:
        if not 0 < at_ns < 2**62:
            raise self.refuse(field, "is out of range")
        return at_ns
