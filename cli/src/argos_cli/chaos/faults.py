"""The faults, by name: what each does, and what it needs of the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argos_common.domain.errors import BadInput

NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`targets`: what it may strike. `for_ms`: how long it lasts, drawn from this range.

    `in_traffic`: not a stroke of its own but a habit of the senders in that cycle.
    """

    name: str
    what: str
    targets: tuple[str, ...] = ("",)
    for_ms: tuple[int, int] = (0, 0)
    small_disk: bool = False
    in_traffic: bool = False


SERVICES = ("gateway", "risk", "bridge", "reconciler", "monitor")
NODES = ("mt5-node-mt5", "exchange-node-paper")
WORKERS = ("worker chaos-hedge", "worker chaos-net")
LOG_CABLES = tuple(f"{service}→nats" for service in SERVICES)
NODE_CABLES = tuple(f"{caller}→{node}" for caller in ("bridge", "reconciler") for node in NODES)
CABLES = LOG_CABLES + NODE_CABLES

_ALL = (
    Fault(
        name="kill-service",
        what="kill -9 of a service or a node",
        targets=SERVICES + NODES,
    ),
    Fault(name="kill-worker", what="kill -9 of a terminal's worker", targets=WORKERS),
    Fault(name="kill-nats", what="kill -9 of the log server", targets=("nats",)),
    Fault(
        name="kill-supervisor",
        what="kill -9 of the supervisor; another is started on the same folder",
        targets=("supervisor",),
    ),
    Fault(
        name="freeze",
        what="SIGSTOP past the lease, then SIGCONT",
        targets=(*SERVICES, *NODES, *WORKERS, "nats"),
        for_ms=(2_500, 4_000),
    ),
    Fault(
        name="second-bridge",
        what="a second bridge beside the first, ended gently or by kill -9",
        targets=("gently", "kill -9"),
        for_ms=(2_500, 4_500),
    ),
    Fault(name="cut", what="every TCP connection of a cable is reset", targets=CABLES),
    Fault(
        name="drop",
        what="what the server says on a cable is lost, then the cable is cut",
        targets=CABLES,
        for_ms=(500, 3_000),
    ),
    Fault(
        name="delay",
        what="what the client says on a cable arrives late",
        targets=CABLES,
        for_ms=(300, 3_000),
    ),
    Fault(
        name="full-log",
        what="the disk of the log server is full",
        targets=("nats",),
        for_ms=(1_000, 2_500),
        small_disk=True,
    ),
    Fault(
        name="full-ledger",
        what="the disk of the ledger is full",
        targets=("ledger",),
        for_ms=(1_000, 3_000),
        small_disk=True,
    ),
    Fault(
        name="kill-switch-tool",
        what="`argos kill` and, after a while, `argos resume`",
        targets=("", "chaos-hedge", "chaos-net", "chaos-spot"),
        for_ms=(1_200, 2_500),
    ),
    Fault(
        name="kill-switch-risk",
        what="a kill asked of risk, and its release",
        targets=("", "chaos-hedge", "chaos-net", "chaos-spot"),
        for_ms=(1_200, 2_500),
    ),
    Fault(name="resend", what="an alert is sent four times at once", in_traffic=True),
    Fault(name="conflict", what="an id is sent again with other content", in_traffic=True),
)
FAULTS = {fault.name: fault for fault in _ALL}


def chosen(text: str) -> tuple[str, ...]:
    """The faults of a comma-separated list; empty text means all. Raises BadInput."""
    if not text:
        return tuple(FAULTS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == [NONE]:
        return ()
    for name in names:
        if name not in FAULTS:
            raise BadInput(
                f"there is no fault {name!r}: use {NONE} alone, or some of {', '.join(FAULTS)}"
            )
    return tuple(name for name in FAULTS if name in names)


def needs_small_disk(names: Sequence[str]) -> tuple[str, ...]:
    """Those that need a file system of their own."""
    return tuple(name for name in names if FAULTS[name].small_disk)
