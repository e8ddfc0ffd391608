"""Sending one order, once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from argos_common.domain.ids import OrderId
from argos_common.domain.node import Outcome, Result, Submission
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.times import NS_PER_S
from argos_common.lasthop.contract import in_doubt
from argos_common.runtime.clock import Clock

from argos_mt5_node.core import outcomes, server_time
from argos_mt5_node.core.calls import Call, Row
from argos_mt5_node.core.numbers import to_decimal
from argos_mt5_node.core.request import Unsendable, build, needs_price
from argos_mt5_node.core.standing import account_barred, guards, terminal_barred
from argos_mt5_node.ports import CallLost, Terminal, TerminalDown
from argos_mt5_node.runner.readings import Readings

_RESOLVE_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.4)
_RESOLVE_BACK_NS = 120 * NS_PER_S


class Placing:
    """`sending` names the order whose call is under way."""

    def __init__(
        self, terminal: Terminal, readings: Readings, clock: Clock, deviation_points: int
    ) -> None:
        self._terminal = terminal
        self._readings = readings
        self._clock = clock
        self._deviation_points = deviation_points
        self.sending: OrderId | None = None

    async def place(self, submission: Submission) -> Outcome:
        """Never raises for trouble with the terminal; see `Venue.place`."""
        self.sending = submission.order_id
        try:
            request = await self._prepare(submission)
            if isinstance(request, Outcome):
                return request
            outcome = await self._send(submission, request)
        finally:
            self.sending = None
        if outcome.code in {"DONE", "DONE_PARTIAL"} and outcome.result is Result.ACCEPTED:
            outcome = await self._with_deals(submission, outcome)
        return outcome

    async def _prepare(self, submission: Submission) -> dict[str, Any] | Outcome:  # a trade request
        """The request, or why nothing is sent. Nothing here reaches the broker."""
        name = submission.venue_symbol
        try:
            symbol = self._readings.specs.get(name) or await self._describe(name)
            if symbol is None:
                sentence = f"the terminal does not know the symbol {name}"
                return outcomes.refused(submission, RefusalClass.FINAL, "unknown_symbol", sentence)
            price = await self._price(submission) if needs_price(symbol) else None
        except (TerminalDown, CallLost) as error:
            return outcomes.not_asked(submission, "terminal_down", str(error))
        built = build(
            submission,
            symbol,
            kind=self._readings.expected.kind,
            price=price,
            deviation_points=self._deviation_points,
        )
        if isinstance(built, Unsendable):
            return outcomes.refused(submission, RefusalClass.FINAL, built.code, built.sentence)
        return built

    async def _describe(self, name: str) -> Row | None:
        _, described = await self._terminal.ask(
            Call("symbol_select", (name, True)), Call("symbol_info", (name,))
        )
        if described.row is not None:
            self._readings.specs[name] = described.row
        elif described.code != -4:  # not found
            raise TerminalDown(f"the terminal does not describe {name} ({described.text})")
        return described.row

    async def _price(self, submission: Submission) -> Decimal | None:
        (answer,) = await self._terminal.ask(Call("symbol_info_tick", (submission.venue_symbol,)))
        if answer.row is None:
            raise TerminalDown(f"there is no quote of {submission.venue_symbol} ({answer.text})")
        return to_decimal(answer.row["ask" if submission.side is Side.BUY else "bid"])

    async def _send(self, submission: Submission, request: dict[str, Any]) -> Outcome:
        """One call, with a second only after "no such position" when its ticket has changed."""
        outcome = await self._send_once(submission, request)
        if outcome.refusal is RefusalClass.NOTHING_TO_CLOSE and "position" in request:
            ticket = await self._renamed(submission)
            if ticket:
                return await self._send_once(submission, request | {"position": ticket})
        return outcome

    async def _send_once(self, submission: Submission, request: dict[str, Any]) -> Outcome:
        readings = self._readings
        try:
            answers = await self._terminal.ask(
                *guards(readings.expected), Call("order_send", (request,))
            )
        except TerminalDown as error:
            return outcomes.not_asked(submission, "terminal_down", str(error))
        except CallLost as error:
            return in_doubt(submission.order_id, "no_answer", str(error))
        match answers:
            case [_, _, sent]:
                filling = request["type_filling"]
                return outcomes.judge(submission, sent, readings.expected.kind, filling)
            case [_, account]:
                sentence = account_barred(account.row, readings.expected)
            case _:
                sentence = terminal_barred(answers[0].row if answers else None)
        sentence = sentence or "the terminal does not stand as it should"
        return outcomes.not_asked(submission, "terminal_barred", sentence)

    async def _renamed(self, submission: Submission) -> int:
        """The ticket of the position if it is no longer its identifier; 0 if there is none."""
        try:
            (answer,) = await self._terminal.ask(
                Call("positions_get", keywords={"symbol": submission.venue_symbol})
            )
        except (TerminalDown, CallLost):
            return 0
        for row in answer.rows or ():
            if str(row["identifier"]) == submission.position_ref != str(row["ticket"]):
                return int(row["ticket"])
        return 0

    async def _with_deals(self, submission: Submission, outcome: Outcome) -> Outcome:
        """Executed, but quantity and price were not told: look for the deals for a moment."""
        if not outcome.venue_order_id:
            return outcome
        for pause_s in _RESOLVE_PAUSES_S:
            now_ns = self._clock.now_ns()
            bounds = server_time.bounds(now_ns - _RESOLVE_BACK_NS, now_ns, self._readings.offset_ns)
            try:
                (answer,) = await self._terminal.ask(Call("history_deals_get", bounds))
            except (TerminalDown, CallLost):
                return outcome
            done = outcomes.with_deals(submission, outcome, answer.rows or [])
            if done is not None:
                return done
            await self._clock.sleep(pause_s)
        return outcome
