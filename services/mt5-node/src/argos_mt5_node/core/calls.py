"""Calls of the terminal's functions, and their answers, as plain values that can cross a process.

Rules:
1. A call names a function of the module, its positional arguments and its keywords.
2. A call may carry `must`: fields of the record it returns, each with the values that are allowed.
   If one has another value, or there is no record, the calls after it are not made. So a send that
   stands behind such reads happens only on the account and in the state that they showed. Of a
   record that is as it must be, those fields alone are answered: the rest is nobody's question.
3. A call may carry `seen`: tickets of records that its caller has. They are left out.
4. Records arrive as dictionaries. `value` None is never "nothing there": `code` and `text`, the
   module's error slot, say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argos_mt5_node.core.numbers import Float

Row = Mapping[str, Any]  # one MT5 record: integers, floats, texts and booleans by field
Scalar = int | Float | str | bool
Json = dict[str, Any]  # a JSON object, as it comes from or goes to a pipe


@dataclass(frozen=True, slots=True)
class Call:
    """`args` may also hold one request of `order_send`, a dictionary."""

    function: str
    args: tuple[Any, ...] = ()  # scalars, or a trade request
    keywords: Mapping[str, Scalar] = field(default_factory=dict)
    must: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    seen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` and `text` are `last_error` right after the call; 1 is success."""

    value: Any  # what the function returned, records as dictionaries; None: see `code`
    code: int = 1
    text: str = ""

    @property
    def row(self) -> Row | None:
        """The record, if there is one."""
        return self.value if isinstance(self.value, Mapping) else None

    @property
    def rows(self) -> list[Row] | None:
        """The records, if the terminal knows."""
        return self.value if isinstance(self.value, list) else None


RAISED = -1
"""The code of a call that raised instead of answering: as unknown as the terminal's own -1."""


def holds(call: Call, answer: Answer) -> bool:
    """Whether the calls after this one may be made."""
    if not call.must:
        return True
    row = answer.row
    return row is not None and all(row.get(name) in wanted for name, wanted in call.must.items())


def call_to_json(call: Call) -> Json:
    return {
        "f": call.function,
        "a": call.args,
        "k": call.keywords,
        "m": call.must,
        "s": call.seen,
    }


def call_from_json(data: Json) -> Call:
    must = {name: tuple(wanted) for name, wanted in data["m"].items()}
    return Call(data["f"], tuple(data["a"]), data["k"], must, tuple(data["s"]))


def answer_to_json(answer: Answer) -> list[Any]:
    return [answer.value, answer.code, answer.text]


def answer_from_json(data: list[Any]) -> Answer:
    value, code, text = data
    return Answer(value, code, text)
