"""How each dataclass goes over into its message and back: one pair, built once, from both shapes.

Conversions: Decimal <-> string, Enum <-> enum (its zero value is never valid), tuple <-> repeated,
`X | None` <-> field presence, NewType <-> its base. A pair whose fields differ does not come to be.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import cache
from typing import Any, cast

from argos_common.domain.errors import WireError
from argos_common.domain.money import plain
from argos_common.wire.pb import (
    control_pb2,
    instrument_pb2,
    node_pb2,
    order_pb2,
    reconcile_pb2,
    restore_pb2,
    signal_pb2,
    venue_pb2,
    verdict_pb2,
)

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


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    optional: bool
    repeated: bool
    nested: bool
    base: Any
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class Pair:
    """One dataclass and its message, and how each field goes over and back.

    Both ways are written out as a function of plain assignments, once for each pair: every event of
    the log passes through them in every process, and looking up how a field goes costs more than
    the field.
    """

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.message_class = _message_class(kind.__name__)
        types_of = hints(kind)
        fields = [_field(f.name, types_of[f.name]) for f in dataclasses.fields(cast("Any", kind))]
        ours = {field.name for field in fields}
        theirs = {field.name for field in self.message_class.DESCRIPTOR.fields}
        if ours != theirs:
            raise TypeError(f"{kind.__name__}: fields differ from its message: {ours ^ theirs}")
        self._fields = fields
        self.fill: Callable[[Any, Any], None] = _written(kind, fields, "fill", _fill_lines(fields))
        self.read_quick: Callable[[Any], Any] = _written(kind, fields, "read", _read_lines(fields))

    def read(self, message: Any) -> object:
        try:
            return self.read_quick(message)
        except (ValueError, KeyError, InvalidOperation):
            raise WireError(self._wrong(message)) from None

    def _wrong(self, message: Any) -> str:
        """Which field it is that cannot be read."""
        for field in self._fields:
            if field.optional and not message.HasField(field.name):
                continue
            item = getattr(message, field.name)
            try:
                for each in item if field.repeated else (item,):
                    pair(field.base).read(each) if field.nested else field.read(each)
            except (ValueError, KeyError, InvalidOperation):
                return f"{self.kind.__name__}.{field.name} holds {str(item)[:40]!r}"
        return f"{self.kind.__name__} holds what it may not"


def _fill_lines(fields: list[_Field]) -> list[str]:
    """`fill(v, m)`: from the value into the message."""
    lines = ["def fill(v, m):"]
    for field in fields:
        name = field.name
        match field.repeated, field.nested:
            case False, False:
                put = f"m.{name} = write_{name}(x)"
            case False, True:
                put = f"y = m.{name}; y.SetInParent(); fill_{name}(x, y)"
            case True, False:
                put = f"m.{name}.extend([write_{name}(e) for e in x])"
            case _:
                put = f"[fill_{name}(e, m.{name}.add()) for e in x]"
        if field.write is _same:
            put = put.replace(f"write_{name}(x)", "x").replace(f"write_{name}(e)", "e")
        given = "if x is not None: " if field.optional else ""
        lines += [f"  x = v.{name}", f"  {given}{put}"]
    return lines if fields else [*lines, "  pass"]


def _read_lines(fields: list[_Field]) -> list[str]:
    """`read(m)`: the value of a message, made as a frozen dataclass's own `__init__` would."""
    lines = ["def read(m):", "  v = new(kind)"]
    for field in fields:
        name = field.name
        item = f"m.{name}" if field.read is _same else f"read_{name}(m.{name})"
        if field.repeated and field.read is _same:
            item = f"tuple(m.{name})"
        elif field.repeated:
            item = f"tuple([read_{name}(e) for e in m.{name}])"
        if field.optional:
            item = f"{item} if m.HasField({name!r}) else None"
        lines.append(f"  set_{name}(v, {item})")
    return [*lines, "  return v"]


def _written(kind: type, fields: list[_Field], name: str, lines: list[str]) -> Any:
    """The function that these lines define. Only the names of our own fields are in them."""
    known: dict[str, Any] = {"kind": kind, "new": object.__new__}
    for field in fields:
        if field.nested:
            known[f"fill_{field.name}"] = pair(field.base).fill
        known[f"write_{field.name}"], known[f"read_{field.name}"] = field.write, field.read
        known[f"set_{field.name}"] = vars(kind)[field.name].__set__
    exec("\n".join(lines), known)  # noqa: S102 - as dataclasses makes its methods
    return known[name]


def pair(kind: type) -> Pair:
    """The pair of a dataclass, made once. TypeError if its message differs."""
    known = _PAIRS.get(kind)
    if known is None:
        known = _PAIRS[kind] = Pair(kind)
    return known


_PAIRS: dict[type, Pair] = {}


@cache
def _message_class(name: str) -> Any:
    for module in _MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise TypeError(f"there is no message {name} under proto/")


def _field(name: str, hint: Any) -> _Field:
    hint, optional = without_none(hint)
    repeated = typing.get_origin(hint) is tuple
    if repeated:
        hint = typing.get_args(hint)[0]
    base = getattr(hint, "__supertype__", hint)
    nested = dataclasses.is_dataclass(base)
    write, read = _conversion(base)
    return _Field(name, optional, repeated, nested, base, write, read)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(kind)


def without_none(hint: Any) -> tuple[Any, bool]:
    """`X` and True of `X | None`; anything else as it is, and False."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (inner,) = [item for item in typing.get_args(hint) if item is not type(None)]
        return inner, True
    return hint, False


def _conversion(base: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if dataclasses.is_dataclass(base):
        return _same, pair(cast("type", base)).read_quick
    if base is Decimal:
        return plain, decimal
    if issubclass(base, Enum):
        return lambda item: item.value, {each.value: each for each in base}.__getitem__
    if base in (str, int, bool, bytes):
        return _same, _same
    raise TypeError(f"no conversion for {base}")


def _same(item: Any) -> Any:
    return item


def decimal(text: str) -> Decimal:
    """A finite Decimal. Raises ValueError or InvalidOperation."""
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError(text)
    return value
