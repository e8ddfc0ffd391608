"""What the terminal's answers mean.

Rules:
1. DONE, ACCEPTED and REFUSED are only what the trade server or the terminal said in so many words.
   An answer that leaves room for an execution is IN_DOUBT, and so is a code that is not in the table.
2. A call that returned None is judged by `last_error`: only codes that say that nothing left the
   terminal's client are refusals; every other one is IN_DOUBT.
3. A refusal's class says what may follow: see `RefusalClass`.
"""

from __future__ import annotations

from dataclasses import dataclass

from argos_common.domain.node import Result
from argos_common.domain.order import RefusalClass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row. `refusal` is set for REFUSED, and only then."""

    name: str
    result: Result
    refusal: RefusalClass | None
    sentence: str


def _row(name: str, kind: Result | RefusalClass, sentence: str) -> Meaning:
    if isinstance(kind, RefusalClass):
        return Meaning(name, Result.REFUSED, kind, sentence)
    return Meaning(name, kind, None, sentence)


R = RefusalClass
_DONE, _ACCEPTED, _DOUBT = Result.DONE, Result.ACCEPTED, Result.IN_DOUBT

RETCODES: dict[int, Meaning] = {
    10004: _row("REQUOTE", R.REQUOTE, "the price moved before the order was executed"),
    10006: _row("REJECT", R.VENUE_ERROR, "the broker rejected the order"),
    10007: _row("CANCEL", R.FINAL, "the broker's dealer cancelled the order"),
    10008: _row("PLACED", _ACCEPTED, "the broker took the order; it is not executed yet"),
    10009: _row("DONE", _DONE, "executed"),
    10010: _row("DONE_PARTIAL", _DONE, "executed in part"),
    10011: _row("ERROR", _DOUBT, "the broker failed while it processed the order"),
    10012: _row("TIMEOUT", _DOUBT, "the broker did not answer in time"),
    10013: _row("INVALID", R.FINAL, "the broker calls the request invalid"),
    10014: _row("INVALID_VOLUME", R.FINAL, "the volume is not one that the symbol allows"),
    10015: _row("INVALID_PRICE", R.FINAL, "the price is not one that the symbol allows"),
    10016: _row("INVALID_STOPS", R.FINAL, "stop or target are on the wrong side or too close"),
    10017: _row("TRADE_DISABLED", R.FINAL, "trading is disabled for this account or symbol"),
    10018: _row("MARKET_CLOSED", R.MARKET_CLOSED, "the market is closed"),
    10019: _row("NO_MONEY", R.NO_MONEY, "there is not enough free margin"),
    10020: _row("PRICE_CHANGED", R.REQUOTE, "the price changed before the order was executed"),
    10021: _row("PRICE_OFF", R.REQUOTE, "there is no quote to execute at"),
    10022: _row("INVALID_EXPIRATION", R.FINAL, "the expiration is not allowed"),
    10023: _row("ORDER_CHANGED", _DOUBT, "the order changed while it was processed"),
    10024: _row("TOO_MANY_REQUESTS", R.RATE_LIMIT, "the broker asks for fewer requests"),
    10025: _row("NO_CHANGES", R.FINAL, "the request changes nothing"),
    10026: _row("SERVER_DISABLES_AT", R.VENUE_ERROR, "the broker has disabled automated trading"),
    10027: _row(
        "CLIENT_DISABLES_AT",
        R.VENUE_ERROR,
        "automated trading is switched off in the terminal; switch Algo Trading on",
    ),
    10028: _row("LOCKED", _DOUBT, "the broker is still processing a request for it"),
    10029: _row("FROZEN", R.VENUE_ERROR, "the price is too close to a stop to change anything"),
    10030: _row("INVALID_FILL", R.FINAL, "the symbol does not allow this filling mode"),
    10031: _row("CONNECTION", _DOUBT, "the terminal lost the broker while it sent the order"),
    10032: _row("ONLY_REAL", R.FINAL, "only accounts with real money may do this"),
    10033: _row("LIMIT_ORDERS", R.FINAL, "the account may not have more pending orders"),
    10034: _row("LIMIT_VOLUME", R.FINAL, "the account may not hold more of this symbol"),
    10035: _row("INVALID_ORDER", R.FINAL, "the order type is not allowed"),
    10036: _row("POSITION_CLOSED", R.NOTHING_TO_CLOSE, "the position is closed already"),
    10038: _row("INVALID_CLOSE_VOLUME", R.FINAL, "the position is smaller than what should close"),
    10039: _row("CLOSE_ORDER_EXIST", R.VENUE_ERROR, "another order already closes this position"),
    10040: _row("LIMIT_POSITIONS", R.FINAL, "the account may not have more open positions"),
    10041: _row("REJECT_CANCEL", R.FINAL, "the pending order was rejected and cancelled"),
    10042: _row("LONG_ONLY", R.FINAL, "only buying is allowed for this symbol"),
    10043: _row("SHORT_ONLY", R.FINAL, "only selling is allowed for this symbol"),
    10044: _row("CLOSE_ONLY", R.FINAL, "only closing is allowed for this symbol"),
    10045: _row("FIFO_CLOSE", R.FINAL, "the broker wants the oldest position closed first"),
    10046: _row("HEDGE_PROHIBITED", R.FINAL, "opposite positions are not allowed"),
}

# `last_error` codes after which it is certain that nothing was sent.
NOT_SENT: dict[int, Meaning] = {
    -2: _row("INVALID_PARAMS", R.FINAL, "the terminal's client refused the request"),
    -4: _row("NOT_FOUND", R.FINAL, "the terminal knows no such symbol"),
    -8: _row(
        "API_DISABLED",
        R.NODE_GATE,
        "automated trading through the API is switched off in the terminal; switch it on",
    ),
    -10004: _row("NOT_CONNECTED", R.NODE_GATE, "the terminal is not there"),
}


def of_retcode(code: int) -> Meaning:
    """What a retcode of `order_send` means."""
    unknown = Meaning(f"RETCODE_{code}", _DOUBT, None, f"the broker answered {code}, which is new")
    return RETCODES.get(code, unknown)


def of_error(code: int, text: str) -> Meaning:
    """What `last_error` means after an `order_send` that returned None."""
    known = NOT_SENT.get(code)
    if known is None:
        sentence = f"the terminal gave no answer ({code}: {text})"
        return Meaning(f"ERROR_{abs(code)}", _DOUBT, None, sentence)
    return Meaning(known.name, known.result, known.refusal, f"{known.sentence} ({code}: {text})")
