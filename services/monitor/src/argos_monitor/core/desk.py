"""The alert desk: a condition is told when it begins, every hour while it lasts, and when it ends.

A condition is known by its code and subject. Its alert ids are

    <code>-<subject>-<anchor>-0       it began
    <code>-<subject>-<anchor>-<n>     it still lasts, the n-th reminder
    <code>-<subject>-<anchor>-over    it ended

with the subject as a digest, and as anchor the log sequence it began with, else the second. What
is on record is folded by `on_record`, so after a restart nothing is told twice, and the end of what
began before the restart is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from argos_common.domain.reconcile import AlertRaised
from argos_common.domain.times import NS_PER_S

from argos_monitor.core.notice import Notice, digest

REPEAT_NS = 3_600_000_000_000
OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that lasts. `anchor`: the log sequence it began with, 0 if it has none."""

    code: str
    subject: str
    level: str
    sentence: str
    anchor: int = 0
    account: str = ""
    trade_id: str = ""

    @property
    def prefix(self) -> str:
        return f"{self.code}-{digest(self.subject)}"


@dataclass(slots=True, kw_only=True)
class _Open:
    anchor: str
    count: int
    last_ns: int
    notice: Notice


@dataclass(slots=True)
class Desk:
    """What has been told and is not over."""

    open: dict[str, _Open] = field(default_factory=dict)

    def on_record(self, event: AlertRaised) -> None:
        """Take an alert from the log, whoever appended it."""
        head, _, count = event.alert_id.rpartition("-")
        prefix, _, anchor = head.rpartition("-")
        if not prefix.startswith(f"{event.code}-"):
            return  # something that happened once
        if count == OVER:
            known = self.open.get(prefix)
            if known is not None and known.anchor == anchor:
                del self.open[prefix]
            return
        if count.isdigit():
            known = self.open.get(prefix)
            if known is None or known.anchor != anchor or int(count) >= known.count:
                self.open[prefix] = _Open(
                    anchor=anchor,
                    count=int(count),
                    last_ns=event.raised_at_ns,
                    notice=Notice(
                        alert_id=event.alert_id,
                        level=event.level,
                        code=event.code,
                        sentence=event.sentence,
                        account=event.account,
                        trade_id=event.trade_id,
                    ),
                )

    def standing(self) -> list[Notice]:
        """What was told and is not over, as it was told last."""
        return [each.notice for each in self.open.values()]

    def observe(
        self, conditions: Iterable[Condition], undecided: frozenset[str], now_ns: int
    ) -> list[Notice]:
        """What to tell now. `undecided`: prefixes of which nothing can be said yet."""
        notices = []
        present: dict[str, None] = {}
        for condition in conditions:
            present[condition.prefix] = None
            known = self.open.get(condition.prefix)
            if known is None:
                anchor = str(condition.anchor or now_ns // NS_PER_S)
                notices.append(self._tell(condition, anchor, 0, now_ns))
            elif now_ns - known.last_ns >= REPEAT_NS:
                notices.append(self._tell(condition, known.anchor, known.count + 1, now_ns))
        for prefix in [each for each in self.open if each not in present]:
            if prefix not in undecided:
                notices.append(_over(prefix, self.open.pop(prefix)))
        return notices

    def _tell(self, condition: Condition, anchor: str, count: int, now_ns: int) -> Notice:
        again = "still: " if count else ""
        notice = Notice(
            alert_id=f"{condition.prefix}-{anchor}-{count}",
            level=condition.level,
            code=condition.code,
            sentence=again + condition.sentence,
            account=condition.account,
            trade_id=condition.trade_id,
        )
        self.open[condition.prefix] = _Open(
            anchor=anchor, count=count, last_ns=now_ns, notice=notice
        )
        return notice


def _over(prefix: str, known: _Open) -> Notice:
    return Notice(
        alert_id=f"{prefix}-{known.anchor}-{OVER}",
        level="info",
        code=known.notice.code,
        sentence="over: " + known.notice.sentence.removeprefix("still: "),
        account=known.notice.account,
        trade_id=known.notice.trade_id,
    )
