"""Reading tables of a configuration file so that every mistake is found, not only the first.

A `Table` hands out values of the asked kind. What is missing, of the wrong kind or unknown becomes a
`Mistake` with its line; the reader gets a harmless stand-in and goes on.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.runtime.toml_lines import Path, TomlLines


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake: `line` from 1, the dotted `key`, and a sentence with the fix."""

    line: int
    key: str
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


@dataclass(slots=True)
class Findings:
    """All mistakes of one file."""

    lines: TomlLines
    mistakes: list[Mistake] = field(default_factory=list)
    settled: frozenset[str] = frozenset()
    """Keys already found wrong: their stand-ins say nothing more about the file."""

    def settle(self) -> None:
        """From here on only keys without a mistake can get one."""
        self.settled = frozenset(each.key for each in self.mistakes)

    def add(self, path: Path, sentence: str) -> None:
        key = dotted(path)
        if key in self.settled:
            return
        self.mistakes.append(Mistake(self.lines.line(path), key, f"{key}: {sentence}"))


def dotted(path: Path) -> str:
    """A path as it is written in the file."""
    plain = (part if part.replace("-", "").replace("_", "").isalnum() else f'"{part}"'
             for part in path)  # fmt: skip
    return ".".join(plain)


INLINE_SECRETS = {
    "token": "token_files (a file) or token_hashes (SHA-256 in hex)",
    "tokens": "token_files (files) or token_hashes (SHA-256 in hex)",
    "secret": "body_secret_file or body_secret_env",
    "body_secret": "body_secret_file or body_secret_env",
    "password": "password_file or password_env",
    "api_key": "a file or an environment variable",
}


class Table:
    """One table under reading. Call `done` when every known key has been asked for."""

    def __init__(self, values: Mapping[str, object], path: Path, findings: Findings) -> None:
        self.path = path
        self._values = values
        self._findings = findings
        self._known: list[str] = []

    def has(self, key: str) -> bool:
        return key in self._values

    def add(self, key: str, sentence: str) -> None:
        """A mistake at one key of this table (the table itself if empty)."""
        self._findings.add((*self.path, key) if key else self.path, sentence)

    def text(self, key: str, default: str | None = None, choices: tuple[str, ...] = ()) -> str:
        value = self._value(key, required=default is None)
        fallback = default or next(iter(choices), "")
        if value is None:
            return fallback
        if not isinstance(value, str) or (not value and default is None):
            self.add(key, f"is {value!r}, must be a text in quotes that is not empty")
            return fallback
        if choices and value not in choices:
            self.add(key, f"is {value!r}, must be one of {_list(choices)}{_meant(value, choices)}")
            return choices[0]
        return value

    def integer(self, key: str, default: int | None = None, low: int = 0, high: int = 2**53) -> int:
        value = self._value(key, required=default is None)
        fallback = low if default is None else default
        if value is None:
            return fallback
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.add(key, f"is {_shown(value)}, must be a whole number from {low} to {high}")
            return fallback
        return value

    def number(self, key: str, default: Decimal | None = None) -> Decimal:
        """A finite number above zero."""
        value = self._value(key, required=default is None)
        fallback = Decimal(1) if default is None else default
        if value is None:
            return fallback
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.add(key, f"is {value!r}, must be a number without quotes")
            return fallback
        found = Decimal(value)
        if not found.is_finite() or found <= 0:
            self.add(key, f"is {_shown(value)}, must be a number above zero")
            return fallback
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._value(key, required=False)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.add(key, f"is {_shown(value)}, must be true or false")
        return default

    def texts(self, key: str, *, required: bool = True, most: int = 1000) -> tuple[str, ...]:
        value = self._value(key, required=required)
        if value is None:
            return ()
        ok = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
        if not isinstance(value, list) or not ok or len(value) > most or (required and not value):
            bound = (
                f" of at most {most}" if most < 1000 else ""
            )  # the default: no bound worth naming
            self.add(key, f'must be a list of texts{bound}, as in ["a", "b"]')
            return ()
        if len(set(value)) != len(value):
            self.add(key, "names something twice: leave it once")
        return tuple(dict.fromkeys(value))

    def table(self, key: str, *, required: bool = False) -> Table:
        """The table under `key`; an empty one if it is absent or not a table."""
        value = self._value(key, required=required)
        if value is not None and not isinstance(value, dict):
            self.add(key, f"must be a table, written as [{dotted((*self.path, key))}]")
        inner = value if isinstance(value, dict) else {}
        return Table(inner, (*self.path, key), self._findings)

    def tables(self) -> dict[str, Table]:
        """Every key of this table as a table of its own, by name."""
        return {name: self.table(name) for name in self._values}

    def entries(self) -> dict[str, str]:
        """Every key of this table as a text."""
        return {name: self.text(name) for name in self._values}

    def done(self) -> None:
        """Report the keys nobody asked for."""
        for key in self._values:
            if key in self._known:
                continue
            if key in INLINE_SECRETS:
                self.add(key, f"a secret must not stand in this file: use {INLINE_SECRETS[key]}")
            else:
                self.add(key, f"is not known here{_meant(key, tuple(self._known))}")

    def _value(self, key: str, *, required: bool) -> object | None:
        self._known.append(key)
        if required and key not in self._values:
            self.add(key, "is missing: write it")
        return self._values.get(key)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | Decimal) else repr(value)


def _list(choices: tuple[str, ...]) -> str:
    return ", ".join(choices)


def _meant(word: str, choices: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean {close[0]}?" if close else ""
