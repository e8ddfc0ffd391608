"""Every model with its invariants and its table."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model import netting_exits, one_order, one_order_cases, one_order_rules, two_orders
from tests.model.explore import Case


@dataclass(frozen=True, slots=True)
class Table:
    """`title` is a sentence; a case's `breaks` is a number of `invariants`."""

    name: str
    title: str
    invariants: dict[int, str]
    cases: tuple[Case[one_order.State] | Case[two_orders.State] | Case[netting_exits.State], ...]


def _title(text: str | None) -> str:
    return (text or "").splitlines()[0]


TABLES = (
    Table("order", _title(one_order.__doc__), one_order_rules.INVARIANTS, one_order_cases.CASES),
    Table("orders", _title(two_orders.__doc__), two_orders.INVARIANTS, two_orders.CASES),
    Table("exits", _title(netting_exits.__doc__), netting_exits.INVARIANTS, netting_exits.CASES),
)
