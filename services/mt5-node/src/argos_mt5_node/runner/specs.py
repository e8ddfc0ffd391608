"""Reading the descriptions of symbols."""

from __future__ import annotations

from decimal import Decimal

from argos_mt5_node.core import constants as c
from argos_mt5_node.core.calls import Call, Row
from argos_mt5_node.core.numbers import to_decimal
from argos_mt5_node.core.translate import conversion, instrument_of
from argos_mt5_node.ports import Terminal
from argos_mt5_node.runner.readings import Readings

_MOVE_TICKS = 1000


async def learn(terminal: Terminal, readings: Readings, *, again: bool = False) -> None:
    """Describe the symbols that are not known yet, or all. Raises TerminalDown, CallLost."""
    wanted = [name for name in readings.symbols if again or name not in readings.instruments]
    if not wanted:
        return
    calls = [
        call
        for name in wanted
        for call in (Call("symbol_select", (name, True)), Call("symbol_info", (name,)))
    ]
    answers = await terminal.ask(*calls)
    rows = {
        name: row for name, answer in zip(wanted, answers[1::2], strict=True)
        if (row := answer.row) is not None
    }  # fmt: skip
    readings.specs |= rows
    rates = await _rates(terminal, readings, rows)
    for name, rate in rates.items():
        readings.instruments[name] = instrument_of(rows[name], readings.symbols[name], rate)


async def _rates(
    terminal: Terminal, readings: Readings, rows: dict[str, Row]
) -> dict[str, Decimal]:
    """Account currency per unit of each symbol's profit currency, where the terminal knows."""
    currency = readings.expected.currency
    rates = {name: Decimal(1) for name, row in rows.items() if row["currency_profit"] == currency}
    foreign = {name: row for name, row in rows.items() if name not in rates and row["bid"]}
    if not foreign:
        return rates
    moves = {name: _MOVE_TICKS * to_decimal(row["point"]) for name, row in foreign.items()}
    answers = await terminal.ask(
        *(
            Call(
                "order_calc_profit",
                (c.ORDER_TYPE_BUY, name, 1.0, row["bid"], row["bid"] + float(moves[name])),
            )
            for name, row in foreign.items()
        )
    )
    for name, answer in zip(foreign, answers, strict=True):
        rate = conversion(foreign[name], answer.value, moves[name])
        if rate is not None:
            rates[name] = rate
    return rates
