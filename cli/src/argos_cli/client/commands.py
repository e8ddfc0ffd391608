"""An operator's orders: to the log itself (a kill), and to risk by request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.ids import Account
from argos_common.domain.node import Command, CommandKind, CommandReply
from argos_common.domain.venue import NodeConfirmed
from argos_common.runtime.bus import NoReply
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.log import Append, LogUnavailable, Mine, Unconditional
from argos_common.wire import codec, subjects

from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.client.history import follow, read_until
from argos_cli.client.opened import Opened
from argos_cli.exits import unreachable, usage

LEASE_S = 2.0
REPLY_S = 5.0
TRIES = 3
TRY_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """A submission that a kill came too late for; it may still fill."""

    account: str
    order_id: str
    trade_id: str
    symbol: str
    side: str
    quantity: str
    state: str
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillReport:
    """What a kill did. `log_position`: no new risk was submitted after it.

    `final_by` is `nodes` (each named one has confirmed) or `lease` (one lease has passed).
    """

    log_position: int
    recorded_by: str
    accounts: tuple[str, ...]
    positions: dict[str, int]
    under_way: tuple[UnderWay, ...]
    confirmed: tuple[str, ...]
    unconfirmed: tuple[str, ...]
    final_by: str


def new_request_id() -> str:
    return SystemEntropy().token(8).hex()


def default_actor() -> str:
    """Who sits here, as the machine says."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"


async def ask_risk(opened: Opened, command: Command, timeout_s: float = REPLY_S) -> CommandReply:
    """Send a command. Raises Ended (not reachable) if risk does not answer."""
    try:
        reply = await opened.bus.request(subjects.COMMAND, codec.pack(command), timeout_s)
    except NoReply as error:
        raise unreachable(
            f"risk does not answer ({error}): it is unknown whether it did anything; look at"
            " `argos log tail` and try again"
        ) from None
    return codec.unpack(CommandReply, reply)


def command(
    kind: CommandKind,
    *,
    actor: str,
    reason: str,
    accounts: Sequence[str] = (),
    symbol: str = "",
    reference: str = "",
) -> Command:
    """A command with a fresh request id, asked now."""
    return Command(
        kind=kind,
        actor=actor,
        reason=reason,
        request_id=new_request_id(),
        asked_at_ns=SystemClock().now_ns(),
        accounts=tuple(accounts),
        symbol=symbol,
        reference=reference,
    )


async def known_accounts(opened: Opened) -> tuple[str, ...]:
    """Every account of the fleet: as it was started, or else as the log speaks of them."""
    if opened.record is not None and opened.record.accounts:
        return opened.record.accounts
    return (await folded(opened)).accounts()


async def check_account(opened: Opened, account: str) -> None:
    """Raises Ended (usage) if a named account is none of the fleet's; empty means all."""
    accounts = await known_accounts(opened)
    if account and account not in accounts:
        raise usage(f"there is no account {account!r}: use one of {', '.join(accounts) or 'none'}")


async def engage_kill(
    opened: Opened, accounts: Sequence[str], scope: Scope, actor: str, reason: str
) -> tuple[dict[str, int], str]:
    """Put the kill on record; (account -> log position, who recorded it).

    The log is asked first, unconditionally and for all accounts at once, so no other process is
    needed; if it does not take it, risk is asked, which stops granting leases at once. A kill that
    is recorded twice is still one kill. Raises Ended (not reachable) if neither took it.
    """
    request_id, now_ns = new_request_id(), SystemClock().now_ns()
    appends = [
        Append(
            subject=subjects.control(account),
            data=codec.encode(
                KillEngaged(
                    account=Account(account),
                    scope=scope,
                    actor=actor,
                    reason=reason,
                    request_id=request_id,
                    asked_at_ns=now_ns,
                )
            ),
            condition=Unconditional(),
        )
        for account in accounts
    ]
    answer: object = None
    for attempt in range(TRIES):
        answer = await opened.log.append_batch(appends)
        if isinstance(answer, Mine):
            first = answer.sequence - len(appends) + 1
            return {account: first + n for n, account in enumerate(accounts)}, "log"
        if attempt == 0:
            asked = await _kill_by_risk(opened, accounts, scope, actor, reason)
            if asked is not None:
                return asked, "risk"
        await asyncio.sleep(TRY_PAUSE_S)
    raise unreachable(
        f"the kill is NOT confirmed: the log answered {type(answer).__name__} and risk is silent;"
        " stop the fleet now (Ctrl-C where `argos up` runs): without risk, leases end within 2 s"
    )


async def _kill_by_risk(
    opened: Opened, accounts: Sequence[str], scope: Scope, actor: str, reason: str
) -> dict[str, int] | None:
    named = () if scope is Scope.FLEET else tuple(accounts)
    asked = command(CommandKind.KILL, actor=actor, reason=reason, accounts=named)
    try:
        reply = codec.unpack(
            CommandReply,
            await opened.bus.request(subjects.COMMAND, codec.pack(asked), LEASE_S),
        )
    except NoReply:
        return None
    if not reply.ok or not reply.sequences:
        return None
    found = await _kills_at(opened, reply.sequences)
    if any(account not in found for account in accounts):
        return None
    return {account: found[account] for account in accounts}


async def _kills_at(opened: Opened, sequences: Sequence[int]) -> dict[str, int]:
    """Account -> log position, as the log has them: risk has an order of its own for accounts."""
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(LEASE_S):
            async for item in read_until(opened.log, max(sequences), min(sequences) - 1):
                if isinstance(item.event, KillEngaged) and item.entry.sequence in sequences:
                    found[item.event.account] = item.entry.sequence
    except (TimeoutError, LogUnavailable):
        pass  # what was not found is not confirmed
    return found


async def under_way(opened: Opened, positions: dict[str, int]) -> tuple[UnderWay, ...]:
    """Every submission that adds risk and that the kill came too late for."""
    fold = await folded(opened, max(positions.values()))
    return tuple(
        UnderWay(
            account=account,
            order_id=order.order_id,
            trade_id=order.trade_id,
            symbol=order.submitting.symbol,
            side=order.submitting.side.name.lower(),
            quantity=str(order.submitting.quantity),
            state=order.state.name.lower(),
            entry=order.submitting.verdict_sequence,
        )
        for account in positions
        for order in fold.under_way(Account(account))
        if order.submitting is not None
    )


async def confirmations(
    opened: Opened, positions: dict[str, int], timeout_s: float = LEASE_S
) -> tuple[str, ...]:
    """The accounts whose nodes say within one lease that they keep the kill's epoch."""
    confirmed: dict[str, None] = {}
    try:
        async with asyncio.timeout(timeout_s):
            async for item in follow(opened.log, min(positions.values())):
                event = item.event
                if isinstance(event, NodeConfirmed) and event.account in positions:
                    if event.epoch >= positions[event.account]:
                        confirmed[event.account] = None
                    if len(confirmed) == len(positions):
                        break
    except (TimeoutError, LogUnavailable):
        pass  # one lease has passed: nothing that adds risk can start any more
    return tuple(account for account in positions if account in confirmed)


async def folded(opened: Opened, last: int | None = None) -> FleetFold:
    """What the log adds up to, up to and with an entry, or all of it."""
    if last is None:
        last = (await opened.log.status()).last_sequence
    fold = FleetFold()
    async for item in read_until(opened.log, last):
        fold.take(item.entry, item.event)
    return fold
