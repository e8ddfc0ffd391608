"""Where in a TOML file a key stands, so that a mistake can name its line.

Knows just enough of TOML to skip values: strings, multi-line strings and arrays. What stands inside
an inline table or an array has the line of its key.
"""

from __future__ import annotations

import re

Path = tuple[str, ...]

_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_\-]+))\s*""")
_QUOTES = ('"""', "'''")


class TomlLines:
    """The lines of all keys and tables of one file that `tomllib` has accepted."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._scan(text.splitlines())

    def line(self, path: Path) -> int:
        """The line (from 1) of a key, of the first within it, or of the nearest table around it."""
        while path:
            if path in self._lines:
                return self._lines[path]
            within = [line for key, line in self._lines.items() if key[: len(path)] == path]
            if within:  # a table that only its sub-tables make
                return min(within)
            path = path[:-1]
        return 1

    def _scan(self, lines: list[str]) -> None:
        table: Path = ()
        index = 0
        while index < len(lines):
            line = lines[index].strip()
            if line.startswith("["):
                table = _keys(line.lstrip("["))[0]
                self._lines.setdefault(table, index + 1)
            elif line and not line.startswith("#"):
                keys, rest = _keys(line)
                for end in range(1, len(keys) + 1):
                    self._lines.setdefault(table + keys[:end], index + 1)
                index += _more_lines(rest.lstrip("= \t"), lines[index + 1 :])
            index += 1


def _keys(text: str) -> tuple[Path, str]:
    """The dotted keys a line begins with, and what follows them."""
    keys: list[str] = []
    while found := _KEY.match(text):
        keys.append(next(group for group in found.groups() if group is not None))
        text = text[found.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    return tuple(keys), text


def _more_lines(value: str, following: list[str]) -> int:
    """How many further lines a value takes."""
    depth, closing, used = 0, "", 0
    line = value
    while True:
        depth, closing = _walk(line, depth, closing)
        if (depth <= 0 and not closing) or used >= len(following):
            return used
        line = following[used]
        used += 1


def _walk(line: str, depth: int, closing: str) -> tuple[int, str]:
    """Bracket depth and open quote after one line."""
    at = 0
    while at < len(line):
        if closing:
            at, closing = _inside(line, at, closing)
            continue
        character = line[at]
        if character == "#":
            break
        if character in "\"'":
            closing = line[at : at + 3] if line[at : at + 3] in _QUOTES else character
            at += len(closing)
            continue
        depth += (character in "[{") - (character in "]}")
        at += 1
    return depth, closing if len(closing) == len(_QUOTES[0]) else ""


def _inside(line: str, at: int, closing: str) -> tuple[int, str]:
    """One step inside a string."""
    if line.startswith(closing, at):
        return at + len(closing), ""
    escaped = line[at] == "\\" and closing[0] == '"'
    return at + (2 if escaped else 1), closing
