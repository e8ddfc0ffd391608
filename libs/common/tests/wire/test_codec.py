"""Every event survives the way to bytes and back; what is no such value is a WireError."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from decimal import Decimal
from typing import Any

import pytest
from argos_common.domain.errors import WireError
from argos_common.wire import codec
from argos_common.wire.pb import event_pb2


def made(hint: Any) -> Any:
    """Some value of a type, with something in every field."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return made(typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        return (made(typing.get_args(hint)[0]),) * 2
    base = getattr(hint, "__supertype__", hint)
    if dataclasses.is_dataclass(base):
        hints = typing.get_type_hints(base)
        values = {field.name: made(hints[field.name]) for field in dataclasses.fields(base)}
        return typing.cast("Any", base)(**values)
    if issubclass(base, enum.Enum):
        return list(base)[-1]
    return {str: "text", int: 12, bool: True, Decimal: Decimal("1.25")}[base]


@pytest.mark.parametrize("kind", codec.event_classes())
def test_an_event_comes_back_as_it_was(kind: type) -> None:
    event = made(kind)
    assert codec.decode(codec.encode(event)) == event


def test_an_enum_value_that_is_not_known_is_no_event() -> None:
    envelope = event_pb2.Event()
    envelope.ParseFromString(codec.encode(made(codec.event_classes()[8])))
    envelope.order_submitting.side = 77  # type: ignore[assignment]  # what a newer writer may send
    with pytest.raises(WireError, match=r"OrderSubmitting\.side"):
        codec.decode(envelope.SerializeToString())


def test_a_number_that_is_none_is_no_event() -> None:
    envelope = event_pb2.Event()
    envelope.ParseFromString(codec.encode(made(codec.event_classes()[8])))
    envelope.order_submitting.quantity = "many"
    with pytest.raises(WireError, match=r"OrderSubmitting\.quantity holds 'many'"):
        codec.decode(envelope.SerializeToString())
