"""The subject table: where each kind of event is written, and under which condition.

    signal.<source>.<signal_id>         an accepted signal                gateway     create-once
    intake.<source>.<signal_id>         one refused at the door           gateway     create-once
    verdict.<account>                   approved or refused, with why     risk        head
    control.<account>                   kill, resume, configuration …     risk        head; kill: none
    order.<account>.<order_id>.<n>      the life of one order             bridge      n = 1: fence and
                                                                                      once-only; else
                                                                                      create-once
    turn.<account>                      whose turn it is to close     bridge      head, in one batch
                                        without a limit                           with the claim
    venue.<account>.<kind>.<venue_id>   what the venue reports            bridge      create-once
    reconcile.<account>.<kind>.<id>     match, discrepancy, resolution    reconciler  create-once
    alert.<id>                          what a person must know           monitor     create-once
    restore.<generation>                places of what is lost; the end   operator    none: nothing
                                        of a restore                                  else runs

All stand under `argos.v1.`, which the stream owns. Everything else under `argos.` is core NATS and
leaves no record. A name in a subject is a token: lower-case letters, digits, `-` and `_`.
"""

from __future__ import annotations

import re

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account

PREFIX = "argos.v1."
ALL = PREFIX + ">"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


def token(text: str) -> str:
    """The text itself if it may stand between two dots of a subject; raises OurMistake otherwise."""
    if not _TOKEN.match(text):
        raise OurMistake(f"{text!r} cannot be part of a subject: use letters, digits, - and _")
    return text


def signal(source: str, signal_id: str) -> str:
    return f"{PREFIX}signal.{token(source)}.{token(signal_id)}"


def intake(source: str, signal_id: str) -> str:
    return f"{PREFIX}intake.{token(source)}.{token(signal_id)}"


def verdict(account: str) -> str:
    return f"{PREFIX}verdict.{token(account)}"


def control(account: str) -> str:
    return f"{PREFIX}control.{token(account)}"


def control_account(subject: str) -> Account | None:
    """Whose control subject it is; None if it is another one."""
    head, _, account = subject.rpartition(".")
    return Account(account) if f"{head}." == f"{PREFIX}control." else None


def order(account: str, order_id: str, number: int) -> str:
    return f"{PREFIX}order.{token(account)}.{token(order_id)}.{number}"


def turn(account: str) -> str:
    return f"{PREFIX}turn.{token(account)}"


def venue(account: str, kind: str, venue_id: str) -> str:
    return f"{PREFIX}venue.{token(account)}.{token(kind)}.{token(venue_id)}"


def reconcile(account: str, kind: str, fact_id: str) -> str:
    return f"{PREFIX}reconcile.{token(account)}.{token(kind)}.{token(fact_id)}"


def alert(alert_id: str) -> str:
    return f"{PREFIX}alert.{token(alert_id)}"


def restore(generation: str) -> str:
    return f"{PREFIX}restore.{token(generation)}"


# Core NATS: no record, at most once.

INJECT = (
    "argos.inject"  # argos.inject.<source>          request: a signal as JSON -> answer as JSON
)
LEASE = "argos.lease"  # argos.lease.<account>            request: LeaseAsk -> LeaseAnswer
COMMAND = "argos.command"  # argos.command                request: an operator's command to risk
FACTS = "argos.facts"  # argos.facts.<account>            AccountFacts, from the bridge
BEAT = "argos.beat"  # argos.beat.<service>               a service's heartbeat
STRATEGY_BEAT = "argos.strategy"  # argos.strategy.<strategy>   a strategy's heartbeat alert
