"""What becomes of a message at the door: a signal, a heartbeat, or a refusal with its reason.

The sender has proved who it is (its token); if its source also has a body secret, that is compared
here, over the whole message. Then: is it well formed, whose is it, is it allowed to be that, is it
fresh? What is new is decided by the log alone.

The signal's id is that of the sender's own `id`, else of the alert's facts with its fire time. If
there is neither, equal alerts within a receipt bucket are one: the id is then that of the bucket,
and the bucket before is looked at, too, because a resend may cross the boundary.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import Enum

from argos_common.domain.errors import BadInput
from argos_common.domain.ids import SignalId, Source, Strategy, Symbol, signal_id
from argos_common.domain.money import plain
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.times import NS_PER_S

from argos_gateway.core.dialect import StrategyBeat, Wanted
from argos_gateway.core.payload import Payload
from argos_gateway.core.registry import DIALECTS
from argos_gateway.core.strict_json import BODY_BYTES_MAX, Json, read_object

FUTURE_NS_MAX = 5 * NS_PER_S
STALE = "stale"
HIDDEN = "***"

_NOT_MEANT = ("signal_id", "received_at_ns", "raw", "trace_parent", "content_hash")
_SECRET = re.compile(r'("secret"\s*:\s*)"(?:[^"\\]|\\.)*"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStrategy:
    """What the door must know of a strategy."""

    sources: tuple[str, ...]
    bot_versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """What the door must know of a source. `body_secret` None: it needs none."""

    name: Source
    dialect: str
    max_age_ns: int
    bucket_ns: int
    body_secret: str | None = None

    def __repr__(self) -> str:
        return f"KnownSource({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """All the door knows. `symbols`: a sender's name -> our symbol."""

    strategies: Mapping[str, KnownStrategy]
    symbols: Mapping[str, Symbol]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """To be appended. `earlier_id`: an id under which the same alert may be on record already."""

    signal: SignalAccepted
    earlier_id: SignalId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """To be recorded, if the sender proved itself. `signal` where it is one but for this reason."""

    refusal: SignalRefused
    recorded: bool = True
    signal: SignalAccepted | None = None


@dataclass(frozen=True, slots=True)
class Unauthorised:
    """The body's secret is not the source's. Nothing is recorded, nothing is hinted."""


Finding = Accepted | Refused | StrategyBeat | Unauthorised


def examine(body: bytes, source: KnownSource, door: Door, received_at_ns: int) -> Finding:
    """What one message of a source means. `received_at_ns` is the gateway's wall clock."""
    raw = hide_secret(body, source)
    wanted: Wanted | None = None
    proved = source.body_secret is None
    try:
        values = read_object(body)
        if not proved and not _secret_matches(values, source):
            return Unauthorised()
        proved = True
        message = DIALECTS[source.dialect](Payload(values))
        if isinstance(message, StrategyBeat):
            _known_strategy(message.strategy, message.bot_version, source, door)
            return message
        wanted = message
        _known_strategy(wanted.strategy, wanted.bot_version, source, door)
        signal, earlier = _signal(wanted, source, raw, received_at_ns, _symbol(wanted, door))
        late = _lateness(wanted, source, received_at_ns)
        if late is None:
            return Accepted(signal=signal, earlier_id=earlier)
        refusal = _refusal(late, source, raw, received_at_ns, signal.signal_id)
        refusal = replace(refusal, strategy=signal.strategy, symbol=signal.symbol)
        return Refused(refusal=refusal, signal=signal)
    except BadInput as error:
        found_id = (
            _identity(wanted, source, received_at_ns)[0]
            if wanted
            else _bytes_id(body, source, received_at_ns)
        )
        refusal = _refusal(error, source, raw, received_at_ns, found_id)
        if wanted:
            refusal = replace(refusal, strategy=wanted.strategy, symbol=wanted.symbols[0])
        return Refused(refusal=refusal, recorded=proved)


def conflict(signal: SignalAccepted) -> SignalRefused:
    """The record of a signal whose id stands for something else already."""
    return SignalRefused(
        signal_id=signal_id(signal.source, "conflict", signal.signal_id, signal.content_hash),
        source=signal.source,
        code="conflict",
        sentence=f"signal {signal.signal_id} is on record with other content: give each signal an"
        " id of its own",
        received_at_ns=signal.received_at_ns,
        raw=signal.raw,
        field="id",
        strategy=signal.strategy,
        symbol=signal.symbol,
        trace_parent=signal.trace_parent,
    )


def too_many(source: KnownSource, received_at_ns: int, per_minute: int) -> SignalRefused:
    """The record of one minute in which a source exceeded its rate."""
    minute = received_at_ns // (60 * NS_PER_S)
    return SignalRefused(
        signal_id=signal_id(source.name, "rate", str(minute)),
        source=source.name,
        code="rate_limited",
        sentence=f"more than {per_minute} messages in a minute: send fewer, or raise"
        f" sources.{source.name}.rate_per_minute",
        received_at_ns=received_at_ns,
        raw="",
    )


def content_hash(signal: SignalAccepted) -> str:
    """SHA-256 of what the sender meant: everything but how and when it came in."""
    parts = []
    for each in fields(SignalAccepted):
        if each.name not in _NOT_MEANT:
            value = getattr(signal, each.name)
            match value:
                case Decimal():
                    text = plain(value)
                case Enum():
                    text = value.name
                case _:
                    text = "" if value is None else str(value)
            parts.append(f"{each.name}={text}")
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def hide_secret(body: bytes, source: KnownSource) -> str:
    """A message as text fit for the record: bounded, storable, and without its secret."""
    text = body[:BODY_BYTES_MAX].decode("utf-8", "replace").replace("\0", "\ufffd")
    if source.body_secret:
        text = text.replace(source.body_secret, HIDDEN)
    return _SECRET.sub(rf'\1"{HIDDEN}"', text)


def _secret_matches(values: Mapping[str, Json], source: KnownSource) -> bool:
    given = values.get("secret")
    text = given if isinstance(given, str) else ""
    return hmac.compare_digest(text.encode(), (source.body_secret or "").encode())


def _known_strategy(name: str, version: str, source: KnownSource, door: Door) -> None:
    known = door.strategies.get(name)
    if known is None:
        raise BadInput(
            f"strategy is {name[:60]!r}, which is not registered: add it to fleet.toml or correct"
            " the name",
            "strategy",
            "unknown_strategy",
        )
    if source.name not in known.sources:
        raise BadInput(
            f"strategy {name} does not take signals of source {source.name}: add the source to"
            f" strategies.{name}.sources",
            "strategy",
            "source_not_allowed",
        )
    if version and version not in known.bot_versions:
        raise BadInput(
            f"bot_version is {version[:60]!r}, which is not registered for {name}: add it to"
            f" strategies.{name}.bot_versions or correct it",
            "bot_version",
            "unknown_bot_version",
        )


def _symbol(wanted: Wanted, door: Door) -> Symbol:
    for name in wanted.symbols:
        if name in door.symbols:
            return door.symbols[name]
    raise BadInput(
        f"ticker is {wanted.symbols[0][:60]!r}, which is not mapped: add it to [symbols] in"
        " fleet.toml or correct it",
        "ticker",
        "unknown_symbol",
    )


def _signal(
    wanted: Wanted, source: KnownSource, raw: str, received_at_ns: int, symbol: Symbol
) -> tuple[SignalAccepted, SignalId | None]:
    own, earlier = _identity(wanted, source, received_at_ns)
    signal = SignalAccepted(
        signal_id=own,
        source=source.name,
        strategy=Strategy(wanted.strategy),
        bot_version=wanted.bot_version,
        symbol=symbol,
        action=wanted.action,
        received_at_ns=received_at_ns,
        content_hash="",
        dialect=source.dialect,
        raw=raw,
        side=wanted.side,
        quantity_rule=wanted.quantity_rule,
        quantity=wanted.quantity,
        target_position=wanted.target_position,
        stop_price=wanted.stop_price,
        stop_distance=wanted.stop_distance,
        take_profit_price=wanted.take_profit_price,
        take_profit_distance=wanted.take_profit_distance,
        price=wanted.price,
        bar_time_ns=wanted.bar_time_ns,
        fired_at_ns=wanted.fired_at_ns,
        comment=wanted.comment,
    )
    return replace(signal, content_hash=content_hash(signal)), earlier


def _identity(
    wanted: Wanted, source: KnownSource, received_at_ns: int
) -> tuple[SignalId, SignalId | None]:
    """(the signal's id, the one it would have in the receipt bucket before)."""
    if wanted.sender_id:
        return signal_id(source.name, "id", wanted.sender_id), None
    if wanted.fired_at_ns is not None:
        return signal_id(source.name, "fired", *wanted.facts, str(wanted.fired_at_ns)), None
    bucket = received_at_ns // source.bucket_ns
    ids = (signal_id(source.name, "bucket", *wanted.facts, str(bucket - back)) for back in (0, 1))
    return next(ids), next(ids)


def _bytes_id(body: bytes, source: KnownSource, received_at_ns: int) -> SignalId:
    bucket = received_at_ns // source.bucket_ns
    digest = hashlib.sha256(body).hexdigest()
    return signal_id(source.name, "bytes", digest, str(bucket))


def _lateness(wanted: Wanted, source: KnownSource, received_at_ns: int) -> BadInput | None:
    if wanted.fired_at_ns is None:
        return None
    age_ns = received_at_ns - wanted.fired_at_ns
    allowed_ns = source.max_age_ns
    if wanted.max_lag_s is not None:
        allowed_ns = min(allowed_ns, int(wanted.max_lag_s * NS_PER_S))
    if age_ns > allowed_ns:
        return BadInput(
            f"the signal fired {age_ns // NS_PER_S} s ago, more than the {allowed_ns // NS_PER_S} s"
            " allowed: it is too old to trade",
            wanted.fired_field,
            STALE,
        )
    if age_ns < -FUTURE_NS_MAX:
        return BadInput(
            f"the signal fired {-age_ns // NS_PER_S} s in the future: correct the sender's clock,"
            " or the time zone of its time",
            wanted.fired_field,
            "from_the_future",
        )
    return None


def _refusal(
    error: BadInput, source: KnownSource, raw: str, received_at_ns: int, found_id: SignalId
) -> SignalRefused:
    return SignalRefused(
        signal_id=found_id,
        source=source.name,
        code=error.code,
        sentence=str(error),
        received_at_ns=received_at_ns,
        raw=raw,
        field=error.field,
    )
