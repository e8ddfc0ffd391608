"""Who is late: a service says every second that it lives, and silence has degrees.

    UNKNOWN   not heard of since we began to listen, and that is not long ago
    ONLINE    heard of within `LATE_NS`
    LATE      not heard of for longer: stuck, overloaded, or just gone
    OFFLINE   not heard of for longer than `OFFLINE_NS`, or never

Ages are counted from the moment a beat arrived, on the listener's own clock, so the sender's clock
does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from argos_common.domain.node import Beat

LATE_NS = 5_000_000_000
OFFLINE_NS = 15_000_000_000


class Liveness(Enum):
    UNKNOWN = "unknown"
    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """One service at one moment. `age_ns` None: never heard of. `lag`: log entries behind."""

    name: str
    liveness: Liveness
    age_ns: int | None
    said: str
    detail: str
    sequence: int
    lag: int | None


@dataclass(slots=True)
class Heartbeats:
    """The last beat of each service. `expected`: those that should be there, heard of or not."""

    expected: tuple[str, ...]
    began_ns: int
    heard: dict[str, tuple[int, Beat]] = field(default_factory=dict)

    def hear(self, beat: Beat, now_ns: int) -> None:
        self.heard[beat.service] = (now_ns, beat)

    def liveness(self, service: str, now_ns: int) -> Liveness:
        heard = self.heard.get(service)
        if heard is None:
            young = now_ns - self.began_ns < OFFLINE_NS
            return Liveness.UNKNOWN if young else Liveness.OFFLINE
        age_ns = now_ns - heard[0]
        if age_ns <= LATE_NS:
            return Liveness.ONLINE
        return Liveness.LATE if age_ns <= OFFLINE_NS else Liveness.OFFLINE

    def names(self) -> tuple[str, ...]:
        """Expected services in their order, then any other that was heard of."""
        others: Iterable[str] = sorted(name for name in self.heard if name not in self.expected)
        return (*self.expected, *others)

    def views(self, now_ns: int, last_sequence: int) -> tuple[ServiceView, ...]:
        found = []
        for name in self.names():
            heard = self.heard.get(name)
            beat = heard[1] if heard else None
            found.append(
                ServiceView(
                    name=name,
                    liveness=self.liveness(name, now_ns),
                    age_ns=max(now_ns - heard[0], 0) if heard else None,
                    said=beat.state if beat else "",
                    detail=beat.detail if beat else "",
                    sequence=beat.sequence if beat else 0,
                    lag=max(last_sequence - beat.sequence, 0) if beat and beat.sequence else None,
                )
            )
        return tuple(found)
