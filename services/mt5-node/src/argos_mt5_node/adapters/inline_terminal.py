"""A terminal module called on the spot, for a simulation that owns time, and by the worker process.

Only a module that answers at once belongs here: a real one blocks whatever thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from argos_mt5_node.core.calls import RAISED, Answer, Call, holds
from argos_mt5_node.ports import CallLost, TerminalDown, TerminalModule

if TYPE_CHECKING:  # a worker process stays small: no event loop in it
    from argos_common.runtime.clock import Clock


class InlineTerminal:
    """Implements `Terminal`. `connect` initialises the module; False if it cannot be reached.

    A call that raises `never_returns` is one that would block for ever: the answer is given up
    after `patience_s`.
    """

    def __init__(
        self,
        module: TerminalModule,
        connect: Callable[[], bool],
        clock: Clock,
        *,
        never_returns: type[Exception] | None = None,
        patience_s: float = 3.0,
    ) -> None:
        self._module = module
        self._connect = connect
        self._clock = clock
        self._never_returns = never_returns
        self._patience_s = patience_s
        self._connected = False
        self._life = 0

    @property
    def life(self) -> int:
        return self._life

    async def ask(self, *calls: Call) -> list[Answer]:
        try:
            if not self._connected:
                self._open()
            answers = perform(self._module, calls, self._never_returns)
        except Exception as error:
            if self._never_returns is None or not isinstance(error, self._never_returns):
                raise
            self._connected = False
            await self._clock.sleep(self._patience_s)
            raise CallLost(f"the terminal did not answer in {self._patience_s:g} s") from None
        if any(answer.code in GONE for answer in answers):
            self._connected = False
        return answers

    def _open(self) -> None:
        if not self._connect():
            _, text = self._module.last_error()
            raise TerminalDown(f"the terminal cannot be reached ({text})")
        self._connected = True
        self._life += 1

    async def kill(self) -> None:
        self._connected = False

    async def alone(self) -> bool:
        return True


GONE = (-10001, -10002, -10004)
"""`last_error` codes after which the module must be initialised anew."""


def perform(
    module: TerminalModule,
    calls: Sequence[Call],
    never_returns: type[Exception] | None = None,
) -> list[Answer]:
    """Make the calls in order, until one's `must` does not hold."""
    answers: list[Answer] = []
    for call in calls:
        answer = _one(module, call, never_returns)
        row = answer.row
        if not holds(call, answer):
            answers.append(answer)
            break
        if call.must and row is not None:
            answer = Answer({name: row[name] for name in call.must})
        answers.append(answer)
    return answers


def _one(module: TerminalModule, call: Call, never_returns: type[Exception] | None) -> Answer:
    function = getattr(module, call.function)
    try:
        # An empty keyword dictionary breaks the real module, so it is never passed.
        value = function(*call.args, **call.keywords) if call.keywords else function(*call.args)
    except Exception as error:
        if never_returns is not None and isinstance(error, never_returns):
            raise
        return Answer(None, RAISED, f"{type(error).__name__}: {error}")
    if value is None or value is False:
        code, text = module.last_error()
        return Answer(value, code, text)
    if call.seen:
        seen = frozenset(call.seen)
        value = [record for record in value if record.ticket not in seen]
    return Answer(plain(value))


_SCALARS = frozenset({int, float, str, bool})


def plain(value: Any) -> Any:  # whatever the module returns
    """Records as dictionaries, sequences of them as lists; numbers and texts as they are."""
    as_dict = getattr(value, "_asdict", None)
    if as_dict is not None:
        fields: dict[str, Any] = as_dict()
        for name, field in fields.items():
            if type(field) not in _SCALARS:
                fields[name] = plain(field)
        return fields
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
