"""Events to bytes and back, by reflection: one dataclass, one message of the same name and fields.

The dataclasses in `domain` are what the code speaks; the files under `proto/` are what is stored.
`pairs` holds how each field goes over and back.

`encode`/`decode` handle the log's envelope. `pack`/`unpack` handle any single message that has a
dataclass (node contract, facts). `to_json`/`from_json` give the same value as plain JSON with
sorted keys, for configuration documents, snapshots and `--json`; it is canonical, so it hashes.

Decoding raises WireError for anything that is not exactly such a value.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.money import plain
from argos_common.wire.pairs import decimal, hints, pair, without_none
from argos_common.wire.pb import event_pb2

T = TypeVar("T")


def encode(event: Event) -> bytes:
    """One event in its envelope, as stored."""
    envelope = event_pb2.Event()
    name = _body_name(type(event))
    pair(type(event)).fill(event, getattr(envelope, name))
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
    return cast("Event", pair(_event_class(name)).read(getattr(envelope, name)))


def to_message(value: object) -> Any:
    """The protobuf message of a dataclass value."""
    two = pair(type(value))
    message = two.message_class()
    two.fill(value, message)
    return message


def from_message(kind: type[T], message: Message) -> T:
    """The dataclass value of a protobuf message. Raises WireError."""
    return cast("T", pair(kind).read(message))


def pack(value: object) -> bytes:
    """A single dataclass value as bytes, without an envelope."""
    return cast("bytes", to_message(value).SerializeToString(deterministic=True))


def unpack(kind: type[T], data: bytes) -> T:
    """The dataclass value in bytes made by `pack`. Raises WireError."""
    two = pair(kind)
    message = two.message_class()
    try:
        message.ParseFromString(data)
    except DecodeError:
        raise WireError(f"these bytes are not a {kind.__name__}") from None
    return cast("T", two.read(message))


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


def to_plain(value: Any) -> Any:
    """A dataclass value as JSON-ready dicts, lists and texts: Decimals as text, enums by name."""
    names = _field_names(cast("Any", type(value)))
    if names is not None:
        return {name: to_plain(getattr(value, name)) for name in names}
    match value:
        case str() | int() if not isinstance(value, Enum):
            return value
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


@cache
def _field_names(kind: Any) -> tuple[str, ...] | None:
    if not dataclasses.is_dataclass(kind):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


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
    hint, optional = without_none(hint)
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
        types_of = hints(kind)
        return kind(**{name: _from_plain(types_of[name], value) for name, value in item.items()})
    if base is Decimal:
        return decimal(item)
    if issubclass(base, Enum):
        return base[item]
    if type(item) is not base:
        raise TypeError(f"{item!r} is not {base.__name__}")
    return item


def _from_key(hint: Any, key: str) -> Any:
    base = getattr(hint, "__supertype__", hint)
    return key if base is str else _from_plain(hint, json.loads(key))
