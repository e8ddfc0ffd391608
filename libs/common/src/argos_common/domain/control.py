"""Control: what a person (or risk itself) orders an account to do, and the account's latches.

    KillEngaged      latch: nothing that adds risk. Scope FLEET or ACCOUNT are two latches.
    KillReleased     opens the latch of its scope; by risk only, on an operator's word
    ConfigApplied    the account's configuration from here on, whole, by hash
    ConfigProposed   a configuration that raises a limit: waits for an operator's approval
    FlattenOrdered   close everything on the account (or on one symbol) by system intents

The *control sequence* of an account is the log sequence of its newest control event: the fence.
The *epoch* is the log sequence of its newest *tightening* one: what a venue node remembers for ever.
Kills and flattens tighten; a release never does; a configuration says so itself (`tightening`).

HARMLESS says which newer events leave an intent valid that was approved before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account
from argos_common.domain.verdict import Effect


class Scope(Enum):
    FLEET = 1
    ACCOUNT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class KillEngaged:
    account: Account
    scope: Scope
    actor: str
    reason: str
    request_id: str
    asked_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KillReleased:
    account: Account
    scope: Scope
    actor: str
    reason: str
    request_id: str
    asked_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied:
    """`document` is canonical JSON of an AccountConfig; `config_hash` its SHA-256 in hex."""

    account: Account
    config_hash: str
    document: str
    tightening: bool
    actor: str
    reason: str
    asked_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProposed:
    """`raises` names what would become looser, one sentence each."""

    account: Account
    config_hash: str
    document: str
    raises: tuple[str, ...]
    asked_at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlattenOrdered:
    """`symbol` empty: everything on the account."""

    account: Account
    symbol: str
    actor: str
    reason: str
    request_id: str
    asked_at_ns: int


Control = KillEngaged | KillReleased | ConfigApplied | ConfigProposed | FlattenOrdered


def tightens(event: Control) -> bool:
    """Whether an event raises the account's epoch."""
    match event:
        case KillEngaged() | FlattenOrdered():
            return True
        case ConfigApplied():
            return event.tightening
        case KillReleased() | ConfigProposed():
            return False


HARMLESS: dict[type[Control], frozenset[Effect]] = {
    # An exit is never made stale: nothing here is a reason to keep risk on.
    KillEngaged: frozenset({Effect.CLOSE}),
    FlattenOrdered: frozenset({Effect.CLOSE}),
    ConfigApplied: frozenset({Effect.CLOSE}),
    # Opening a latch or proposing something takes nothing away from what was approved before.
    KillReleased: frozenset({Effect.CLOSE, Effect.OPEN}),
    ConfigProposed: frozenset({Effect.CLOSE, Effect.OPEN}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountControl:
    """What the control events of one account add up to. Latches open only by a release.

    `bars_open_since` is the sequence of the newest event that is not harmless for an OPEN leg:
    an intent approved on an older control sequence than that is stale.
    """

    sequence: int = 0
    epoch: int = 0
    bars_open_since: int = 0
    fleet_killed: bool = False
    account_killed: bool = False
    kill_reason: str = ""
    config_hash: str = ""
    config_document: str = ""
    proposal: ConfigProposed | None = None

    @property
    def killed(self) -> bool:
        return self.fleet_killed or self.account_killed


def fold_control(state: AccountControl, sequence: int, event: Control) -> AccountControl:
    """The state after one more control event of the account, which stands at `sequence`."""
    if sequence <= state.sequence:
        raise OurMistake(f"control event {sequence} folded after {state.sequence}")
    state = replace(
        state,
        sequence=sequence,
        epoch=sequence if tightens(event) else state.epoch,
        bars_open_since=state.bars_open_since
        if Effect.OPEN in HARMLESS[type(event)] or not tightens(event)
        else sequence,
    )
    match event:
        case KillEngaged(scope=Scope.FLEET):
            return replace(state, fleet_killed=True, kill_reason=event.reason)
        case KillEngaged():
            return replace(state, account_killed=True, kill_reason=event.reason)
        case KillReleased(scope=Scope.FLEET):
            return replace(state, fleet_killed=False)
        case KillReleased():
            return replace(state, account_killed=False)
        case ConfigApplied():
            return replace(
                state,
                config_hash=event.config_hash,
                config_document=event.document,
                proposal=None,
            )
        case ConfigProposed():
            return replace(state, proposal=event)
        case FlattenOrdered():
            return state  # what it asks for is risk's to answer


def fold_unreadable(state: AccountControl, sequence: int) -> AccountControl:
    """Take a control event that cannot be read, as from a newer program, for the worst: a kill.

    Its sequence counts, or whoever appends on the head or the fence would be refused for ever. A
    release of the account opens the latch.
    """
    return replace(
        state,
        sequence=sequence,
        epoch=sequence,
        bars_open_since=sequence,
        account_killed=True,
        kill_reason=f"control event {sequence} cannot be read",
    )


def open_leg_is_stale(state: AccountControl, approved_on: int) -> bool:
    """Whether an OPEN leg approved on that control sequence may no longer be submitted."""
    return state.killed or state.bars_open_since > approved_on
