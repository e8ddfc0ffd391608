"""MT5's records: tuple subclasses shaped like C struct sequences.

Exact field order, ``_asdict()``, read-only, no ``_fields``, and not picklable, because the class
claims to live in ``builtins`` where pickle cannot find it.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from argos_mt5_node.simulator.constants import STRUCTS


class _Record(tuple[Any, ...]):  # a record's fields are of mixed types, as in the C module
    """Base with what every record has; the fields are added per class."""

    __slots__ = ()
    n_fields = 0
    n_sequence_fields = 0
    n_unnamed_fields = 0


def _make(name: str, names: tuple[str, ...]) -> type[_Record]:
    def new(cls: type[_Record], values: Iterable[Any]) -> _Record:
        row = tuple(values)
        if len(row) != len(names):
            message = f"{name}() takes a {len(names)}-sequence ({len(row)}-sequence given)"
            raise TypeError(message)
        return tuple.__new__(cls, row)

    def as_dict(self: _Record) -> dict[str, Any]:
        return dict(zip(names, self, strict=True))

    def show(self: _Record) -> str:
        body = ", ".join(f"{n}={v!r}" for n, v in zip(names, self, strict=True))
        return f"{name}({body})"

    members: dict[str, Any] = {n: property(itemgetter(i)) for i, n in enumerate(names)}
    members.update(
        __slots__=(),
        __module__="builtins",
        __qualname__=name,
        __new__=new,
        __repr__=show,
        _asdict=as_dict,
        n_fields=len(names),
        n_sequence_fields=len(names),
    )
    return type(name, (_Record,), members)


RECORDS: dict[str, type[_Record]] = {name: _make(name, names) for name, names in STRUCTS.items()}
