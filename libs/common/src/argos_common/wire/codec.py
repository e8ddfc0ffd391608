"""Events to bytes and back, by reflection: one dataclass, one message of the same name and fields.

The dataclasses in `domain` are what the code speaks; the files under `proto/` are what is stored.
A codec for a pair is built once and cached. Conversions: Decimal <-> string, Enum <-> enum (its
zero value is never valid), tuple <-> repeated, `X | None` <-> field presence, NewType <-> its base.

`encode`/`decode` handle the log's envelope. `pack`/`unpack` handle any single message that has a
dataclass (node contract, facts). `to_json`/`from_json` give the same value as plain JSON with
sorted keys, for configuration documents, snapshots and `--json`; it is canonical, so it hashes.

Decoding raises WireError for anything that is not exactly such a value.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.money import plain
from argos_common.wire.pb import (
    control_pb2,
    event_pb2,
    instrument_pb2,
    node_pb2,
    order_pb2,
    reconcile_pb2,
    restore_pb2,
    signal_pb2,
    venue_pb2,
    verdict_pb2,
)

T = TypeVar("T")
_MODULES = (
    signal_pb2,
    verdict_pb2,
    control_pb2,
    order_pb2,
    venue_pb2,
    reconcile_pb2,
    restore_pb2,
    instrument_pb2,
    node_pb2,
)


def encode(event: Event) -> bytes:
    """One event in its envelope, as stored."""
    envelope = event_pb2.Event()
    name = _body_name(type(event))
    _pair(type(event)).fill(event, getattr(envelope, name))
    getattr(envelope, name).SetInParent()
    return envelope.SerializeToString(deterministic=True)


def decode(data: bytes) -> Event:
    """The event in an envelope. Raises WireError."""
    envelope = event_pb2.Event()
    try:
        envelope.ParseFromString(data)
    except DecodeError:
        raise WireError("these bytes are not an event") from None
    name = envelope.WhichOneof("body")
    if name is None:
        raise WireError("this event has no body that is known here")
    return cast("Event", _pair(_event_class(name)).read(getattr(envelope, name)))


def to_message(value: object) -> Any:
    """The protobuf message of a dataclass value."""
    pair = _pair(type(value))
    message = pair.message_class()
    pair.fill(value, message)
    return message


def from_message(kind: type[T], message: Message) -> T:
    """The dataclass value of a protobuf message. Raises WireError."""
    return cast("T", _pair(kind).read(message))


def pack(value: object) -> bytes:
    """A single dataclass value as bytes, without an envelope."""
    return cast("bytes", to_message(value).SerializeToString(deterministic=True))


def unpack(kind: type[T], data: bytes) -> T:
    """The dataclass value in bytes made by `pack`. Raises WireError."""
    pair = _pair(kind)
    message = pair.message_class()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise WireError(f"these bytes are not a {kind.__name__}") from None
    return cast("T", pair.read(message))


def event_classes() -> tuple[type, ...]:
    """Every event class, in the order of the Event union."""
    return typing.get_args(Event)


def _body_name(kind: type) -> str:
    name = _NAMES.get(kind)
    if name is None:
        name = _NAMES[kind] = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", kind.__name__).lower()
    return name


_NAMES: dict[type, str] = {}


@cache
def _event_class(body_name: str) -> type:
    for kind in event_classes():
        if _body_name(kind) == body_name:
            return kind
    raise WireError(f"there is no event for {body_name}")


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    optional: bool
    repeated: bool
    nested: bool
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class _Pair:
    """One dataclass and its message, and how each field goes over and back."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.message_class = _message_class(kind.__name__)
        hints = _hints(kind)
        self.fields = [_field(f.name, hints[f.name]) for f in dataclasses.fields(cast("Any", kind))]
        self._reads = [(f.name, f.optional, f.repeated, f.read) for f in self.fields]
        ours = {f.name for f in self.fields}
        theirs = {f.name for f in self.message_class.DESCRIPTOR.fields}
        if ours != theirs:
            raise TypeError(f"{kind.__name__}: fields differ from its message: {ours ^ theirs}")

    def fill(self, value: object, message: Any) -> None:
        for field in self.fields:
            item = getattr(value, field.name)
            if item is None:
                continue
            if field.repeated:
                target = getattr(message, field.name)
                if field.nested:
                    for element in item:
                        _pair(type(element)).fill(element, target.add())
                else:
                    target.extend(field.write(element) for element in item)
            elif field.nested:
                target = getattr(message, field.name)
                target.SetInParent()
                _pair(type(item)).fill(item, target)
            else:
                setattr(message, field.name, field.write(item))

    def read(self, message: Any) -> object:
        values: dict[str, Any] = {}
        name, item = "", None
        try:
            for name, optional, repeated, read in self._reads:
                if optional and not message.HasField(name):
                    values[name] = None
                    continue
                item = getattr(message, name)
                if read is _same:
                    values[name] = tuple(item) if repeated else item
                else:
                    values[name] = tuple([read(each) for each in item]) if repeated else read(item)
        except (ValueError, KeyError, InvalidOperation):
            raise WireError(f"{self.kind.__name__}.{name} holds {str(item)[:40]!r}") from None
        return self.kind(**values)


def _pair(kind: type) -> _Pair:
    pair = _PAIRS.get(kind)
    if pair is None:
        pair = _PAIRS[kind] = _Pair(kind)
    return pair


_PAIRS: dict[type, _Pair] = {}


@cache
def _message_class(name: str) -> Any:
    for module in _MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise TypeError(f"there is no message {name} under proto/")


def _field(name: str, hint: Any) -> _Field:
    hint, optional = _without_none(hint)
    repeated = typing.get_origin(hint) is tuple
    if repeated:
        hint = typing.get_args(hint)[0]
    base = getattr(hint, "__supertype__", hint)
    nested = dataclasses.is_dataclass(base)
    write, read = _conversion(base)
    return _Field(name, optional, repeated, nested, write, read)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (inner,) = [item for item in typing.get_args(hint) if item is not type(None)]
        return inner, True
    return hint, False


def _conversion(base: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if dataclasses.is_dataclass(base):
        return _same, lambda message: _pair(cast("type", base)).read(message)
    if base is Decimal:
        return plain, _decimal
    if issubclass(base, Enum):
        return lambda item: item.value, {each.value: each for each in base}.__getitem__
    if base in (str, int, bool, bytes):
        return _same, _same
    raise TypeError(f"no conversion for {base}")


def _same(item: Any) -> Any:
    return item


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value


def to_plain(value: Any) -> Any:
    """A dataclass value as JSON-ready dicts, lists and texts: Decimals as text, enums by name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    match value:
        case Decimal():
            return plain(value)
        case Enum():
            return value.name
        case list() | tuple():
            return [to_plain(item) for item in value]
        case dict():
            return {_key(key): to_plain(item) for key, item in value.items()}
        case _:
            return value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(to_plain(key), separators=(",", ":"))


def to_json(value: object) -> str:
    """Canonical JSON of a dataclass value: sorted keys, no spaces; the same value, the same text."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_json(kind: type[T], text: str) -> T:
    """The dataclass value in JSON made by `to_json`. Raises WireError."""
    try:
        return cast("T", _from_plain(kind, json.loads(text)))
    except (ValueError, InvalidOperation, TypeError, KeyError) as error:
        raise WireError(f"this is not the JSON of a {kind.__name__}: {error}") from None


def _from_plain(hint: Any, item: Any) -> Any:
    hint, optional = _without_none(hint)
    if item is None and optional:
        return None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return tuple(_from_plain(args[0], element) for element in item)
    if origin is tuple:
        return tuple(_from_plain(kind, element) for kind, element in zip(args, item, strict=True))
    if origin is list:
        return [_from_plain(args[0], element) for element in item]
    if origin is dict:
        return {_from_key(args[0], key): _from_plain(args[1], value) for key, value in item.items()}
    base = getattr(hint, "__supertype__", hint)
    if dataclasses.is_dataclass(base):
        kind = cast("type", base)
        hints = _hints(kind)
        return kind(**{name: _from_plain(hints[name], value) for name, value in item.items()})
    if base is Decimal:
        return _decimal(item)
    if issubclass(base, Enum):
        return base[item]
    if type(item) is not base:
        raise TypeError(f"{item!r} is not {base.__name__}")
    return item


def _from_key(hint: Any, key: str) -> Any:
    base = getattr(hint, "__supertype__", hint)
    return key if base is str else _from_plain(hint, json.loads(key))
