"""Subject patterns as NATS reads them: `*` is one token, a last `>` is one or more."""

from __future__ import annotations

from collections.abc import Sequence


def matches(pattern: str, subject: str) -> bool:
    """Whether a literal subject falls under a pattern."""
    if pattern == subject:
        return True
    wanted, given = pattern.split("."), subject.split(".")
    for position, part in enumerate(wanted):
        if part == ">":
            return len(given) > position
        if position >= len(given) or part not in {"*", given[position]}:
            return False
    return len(wanted) == len(given)


class SubjectFilter:
    """Several patterns at once; none means all. Remembers what it has decided."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = tuple(patterns)
        self._known: dict[str, bool] = {}

    def wants(self, subject: str) -> bool:
        if not self._patterns:
            return True
        known = self._known.get(subject)
        if known is None:
            known = any(matches(pattern, subject) for pattern in self._patterns)
            self._known[subject] = known
        return known
