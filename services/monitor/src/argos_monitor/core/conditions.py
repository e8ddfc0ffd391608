"""What is worth waking someone for, read off the state at one moment.

service-late, service-offline    no heartbeat for 5 s, for 15 s
order-in-doubt                   nobody has known an order's outcome for 10 s
discrepancy                      the venue and the log disagree; the symbol is held
kill-engaged                     nothing that adds risk gets through
config-proposal                  a configuration with a raised limit waits for approval
log-watermark                    the log is filling up
log-unreachable                  the log has not answered for 10 s
strategy-silent                  neither signal nor heartbeat for 2.5 times its period
unprotected-entry                a position without the stop its entry should have carried
order-failures                   three orders in a row were refused on one account
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.instrument import AccountKind
from argos_common.domain.times import NS_PER_S
from argos_common.domain.verdict import Effect

from argos_monitor.core.desk import Condition
from argos_monitor.core.fleet_state import AccountState, FleetState
from argos_monitor.core.heartbeat import Heartbeats, Liveness

DOUBT_NS = 10 * NS_PER_S
UNREACHABLE_NS = 10 * NS_PER_S
FAILURES = 3
WATERMARKS = (
    (Decimal("0.9"), "critical", "almost full: nothing can be recorded soon"),
    (Decimal("0.8"), "critical", "filling up: no new risk is taken above 80 %"),
    (Decimal("0.7"), "warning", "filling up: no signals are accepted above 70 %"),
)

_UNDECIDED = {
    Liveness.UNKNOWN: ("service-late", "service-offline"),
    # Worse than late: that it was late is not over.
    Liveness.OFFLINE: ("service-late",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """What the log server last said of itself, and when. Ages in nanoseconds."""

    generation: str = ""
    last_sequence: int = 0
    used_ratio: Decimal = Decimal(0)
    answered_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """How often something of a strategy is to be expected, and when it last was."""

    every_ns: int
    seen_ns: int


def conditions(
    state: FleetState,
    beats: Heartbeats,
    log: LogView,
    strategies: Mapping[str, Period],
    now_ns: int,
) -> tuple[list[Condition], frozenset[str]]:
    """Everything that is wrong now, and the prefixes of which nothing can be said yet."""
    found = [*_services(beats, now_ns), *_log(log, now_ns), *_silent(strategies, now_ns)]
    for account in state.accounts.values():
        found.extend(_account(account, now_ns))
    undecided = [
        Condition(code=code, subject=name, level="", sentence="").prefix
        for name in beats.names()
        for code in _UNDECIDED.get(beats.liveness(name, now_ns), ())
    ]
    return found, frozenset(undecided)


def _services(beats: Heartbeats, now_ns: int) -> Iterable[Condition]:
    for name in beats.names():
        match beats.liveness(name, now_ns):
            case Liveness.LATE:
                yield Condition(
                    code="service-late",
                    subject=name,
                    level="warning",
                    sentence=f"{name} has not been heard of for more than 5 s",
                )
            case Liveness.OFFLINE:
                yield Condition(
                    code="service-offline",
                    subject=name,
                    level="critical",
                    sentence=f"{name} has not been heard of for more than 15 s: look at its log, and"
                    " start it again",
                )
            case Liveness.ONLINE | Liveness.UNKNOWN:
                pass


def _log(log: LogView, now_ns: int) -> Iterable[Condition]:
    if log.answered_ns and now_ns - log.answered_ns > UNREACHABLE_NS:
        yield Condition(
            code="log-unreachable",
            subject="log",
            level="critical",
            sentence="the log has not answered for more than 10 s: look at NATS",
        )
    for ratio, level, what in WATERMARKS:
        if log.used_ratio >= ratio:
            percent = int(log.used_ratio * 100)
            yield Condition(
                code="log-watermark",
                subject=f"{ratio}",
                level=level,
                sentence=f"the log is {percent} % full and {what}: make room for it",
            )
            break


def _silent(strategies: Mapping[str, Period], now_ns: int) -> Iterable[Condition]:
    for name, period in strategies.items():
        limit_ns = period.every_ns * 5 // 2
        if period.every_ns and now_ns - period.seen_ns > limit_ns:
            yield Condition(
                code="strategy-silent",
                subject=name,
                level="warning",
                sentence=f"strategy {name} has sent neither a signal nor a heartbeat for more than"
                f" {limit_ns // NS_PER_S} s: look at its alert on the sending side",
            )


def _account(state: AccountState, now_ns: int) -> Iterable[Condition]:
    name = state.account
    for order in state.in_doubt():
        if now_ns - order.changed_at_ns > DOUBT_NS:
            yield Condition(
                code="order-in-doubt",
                subject=order.order_id,
                level="critical",
                sentence=f"order {order.order_id} on {name} has been in doubt for more than 10 s: its"
                " symbol takes no new risk until the venue shows what became of it",
                account=name,
                trade_id=order.trade_id,
            )
    for identity, (sequence, found) in state.discrepancies.items():
        yield Condition(
            code="discrepancy",
            subject=identity,
            level="critical",
            sentence=f"{name}: {found.sentence}",
            anchor=sequence,
            account=name,
            trade_id=found.trade_id or "",
        )
    yield from _control(state)
    yield from _unprotected(state)
    if state.failures >= FAILURES:
        yield Condition(
            code="order-failures",
            subject=name,
            level="critical",
            sentence=f"{state.failures} orders in a row were refused on {name}, the last because:"
            f" {state.failure}",
            account=name,
        )


def _control(state: AccountState) -> Iterable[Condition]:
    name, control = state.account, state.control
    if control.killed:
        what = "the fleet" if control.fleet_killed else name
        yield Condition(
            code="kill-engaged",
            subject=f"{name} {what}",
            level="critical",
            sentence=f"the kill switch of {what} is engaged on {name}: {control.kill_reason}",
            account=name,
        )
    if control.proposal is not None:
        yield Condition(
            code="config-proposal",
            subject=f"{name} {control.proposal.config_hash}",
            level="warning",
            sentence=f"a configuration of {name} waits for approval: "
            + "; ".join(control.proposal.raises),
            account=name,
        )


def _unprotected(state: AccountState) -> Iterable[Condition]:
    if state.config is None or state.config.kind is AccountKind.SPOT:
        return  # a spot account holds no stops
    for trade in state.book.trades.values():
        if trade.external or trade.position == 0:
            continue
        for view in trade.legs.values():
            bare = view.leg.effect is Effect.OPEN and view.leg.stop_price is None
            if bare and state.book.filled(view) > 0:
                yield Condition(
                    code="unprotected-entry",
                    subject=trade.trade_id,
                    level="warning",
                    sentence=f"trade {trade.trade_id} on {state.account} holds {trade.symbol} without"
                    " a protective stop at the venue",
                    account=state.account,
                    trade_id=trade.trade_id,
                )
                break
