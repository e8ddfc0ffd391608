"""Nonce leases of one account.

Rules:
1. The node asks with a random nonce and remembers when it asked, on its own monotonic clock. A
   granted lease lives for TTL counted from the *ask*, so that a late answer can only shorten it.
2. An answer counts only for a nonce that is still waiting for one. A nonce is answered once.
3. An answer that grants under an epoch older than the one the node remembers is ignored. One with
   a newer epoch raises the node's epoch durably first, and a raise drops every lease granted
   before it.
4. An answer that does not grant ends every lease and every open question of the account, whatever
   nonce it names.

So nothing that adds risk starts later than TTL after risk stops granting, whatever the clocks say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from argos_common.domain.ids import Account
from argos_common.domain.node import LeaseAnswer

TTL_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A nonce and when it was asked for, or granted for; monotonic nanoseconds."""

    nonce: str
    asked_monotonic_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """What an account may rely on. `granted` holds under `epoch` and none other."""

    account: Account
    epoch: int
    waiting: tuple[Asked, ...] = ()
    granted: tuple[Asked, ...] = ()


def ask(leases: Leases, nonce: str, now_monotonic_ns: int) -> Leases:
    """A question is on its way. What has run out is forgotten."""
    return replace(
        leases,
        waiting=(*_young(leases.waiting, now_monotonic_ns), Asked(nonce, now_monotonic_ns)),
        granted=_young(leases.granted, now_monotonic_ns),
    )


def raised(leases: Leases, epoch: int) -> Leases:
    """The epoch is remembered for good; leases granted under an older one are dropped."""
    if epoch <= leases.epoch:
        return leases
    return replace(leases, epoch=epoch, granted=())


def answered(leases: Leases, answer: LeaseAnswer) -> Leases:
    """Takes risk's answer. A newer epoch in it must be durable before this is called."""
    if not answer.granted:
        return replace(raised(leases, answer.epoch), waiting=(), granted=())
    asked = next((item for item in leases.waiting if item.nonce == answer.nonce), None)
    leases = raised(leases, answer.epoch)
    if asked is None or answer.epoch < leases.epoch:
        return leases
    return replace(
        leases,
        waiting=tuple(item for item in leases.waiting if item.nonce != answer.nonce),
        granted=(*leases.granted, asked),
    )


def live(leases: Leases, nonce: str, now_monotonic_ns: int) -> bool:
    """Whether this very lease still lets risk be added."""
    return any(item.nonce == nonce for item in _young(leases.granted, now_monotonic_ns))


def _young(items: tuple[Asked, ...], now_monotonic_ns: int) -> tuple[Asked, ...]:
    return tuple(item for item in items if now_monotonic_ns - item.asked_monotonic_ns < TTL_NS)
