"""From what was written down outside (JSON, sentences, rows) to the checker's records.

Parsers of our own: nothing here knows the fleet's code, only what its public documents say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from argos_cli.chaos.checker.records import (
    Answer,
    Declared,
    VenueDeal,
    VenueOrder,
    VenueRequest,
    Verdict,
)

TAG_LENGTH = 15
Json = Mapping[str, Any]

_ORDER_NAMED = re.compile(r"\b([a-z2-7]{13}) \([\w.-]+\)")
_ENTRY_IN, _ENTRY_INOUT = 0, 2
_DEAL_ACTION, _BUY = 1, 0


def answer(
    key: str, sent_ns: int, answered_ns: int, status: int, body: bytes, *, same: bool
) -> Answer:
    """One HTTP answer; a body that is no JSON object says nothing."""
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict):
        said = {}
    return Answer(
        key=key,
        sent_ns=sent_ns,
        answered_ns=answered_ns,
        status=status,
        word=str(said.get("status") or said.get("code") or ""),
        signal_id=str(said.get("signal_id", "")),
        same=same,
    )


def broker_record(
    entries: Iterable[Json], accounts: Mapping[int, str]
) -> tuple[list[VenueRequest], list[VenueOrder], list[VenueDeal]]:
    """The simulated broker's own record. `accounts`: login -> account."""
    requests: list[VenueRequest] = []
    orders: list[VenueOrder] = []
    deals: list[VenueDeal] = []
    for entry in entries:
        account = accounts.get(int(entry["login"]), str(entry["login"]))
        tag = str(entry["comment"])[:TAG_LENGTH]
        ours = entry["origin"] == "expert"
        received_ns = int(entry["received_ns"])
        match entry["kind"]:
            case "request" if ours and entry["action"] == _DEAL_ACTION:
                requests.append(VenueRequest(account=account, tag=tag, received_ns=received_ns))
            case "order" if ours:
                orders.append(
                    VenueOrder(
                        account=account,
                        order=str(entry["order"]),
                        tag=tag,
                        symbol=str(entry["symbol"]),
                        received_ns=received_ns,
                    )
                )
            case "deal" if entry["type"] in (_BUY, 1):
                quantity = Decimal(entry["volume"])
                deals.append(
                    VenueDeal(
                        account=account,
                        deal=str(entry["deal"]),
                        tag=tag,
                        symbol=str(entry["symbol"]),
                        quantity=quantity,
                        delta=quantity if entry["type"] == _BUY else -quantity,
                        opens=entry["entry"] in (_ENTRY_IN, _ENTRY_INOUT),
                        ours=ours,
                        received_ns=received_ns,
                    )
                )
            case _:
                pass
    return requests, orders, deals


def broker_positions(books: Json, account: str) -> dict[tuple[str, str], Decimal]:
    """(account, symbol) -> signed quantity, from the broker's books of one account."""
    held: dict[tuple[str, str], Decimal] = {}
    for position in books["positions"]:
        sign = 1 if position["type"] == _BUY else -1
        key = (account, str(position["symbol"]))
        held[key] = held.get(key, Decimal(0)) + sign * Decimal(position["volume"])
    return held


def paper_record(
    rows: Iterable[str], account: str, symbols: Sequence[tuple[str, str]]
) -> tuple[list[VenueOrder], list[VenueDeal], dict[tuple[str, str], Decimal]]:
    """The paper exchange's executions, one JSON text each. `symbols`: (symbol, base asset)."""
    orders: dict[str, VenueOrder] = {}
    deals: list[VenueDeal] = []
    balances: dict[str, Decimal] = {}
    for row in rows:
        execution = json.loads(row)
        for order in execution["orders"]:
            if order["kind"] != "MARKET":
                continue
            orders[order["venue_order_id"]] = VenueOrder(
                account=account,
                order=str(order["venue_order_id"]),
                tag=str(order["client_id"])[:TAG_LENGTH],
                symbol=str(order["venue_symbol"]),
                received_ns=int(order["placed_at_ns"]),
            )
        for trade in execution["trades"]:
            deals.append(
                VenueDeal(
                    account=account,
                    deal=str(trade["trade_id"]),
                    tag=str(trade["client_id"])[:TAG_LENGTH],
                    symbol=str(trade["venue_symbol"]),
                    quantity=Decimal(trade["quantity"]),
                    delta=Decimal(trade["base_delta"]),
                    opens=trade["side"] == "BUY",
                    ours=trade["venue_order_id"] in orders,
                    received_ns=int(trade["at_ns"]),
                )
            )
        for asset, amount in execution["balances"]:
            balances[asset] = Decimal(amount)
    held = {(account, name): balances.get(base, Decimal(0)) for name, base in symbols}
    return list(orders.values()), deals, held


def verdicts(signal: Json) -> list[Verdict]:
    """Of one line of /api/signals."""
    return [
        Verdict(
            signal_id=str(signal["signal_id"]),
            account=str(each["account"]),
            decision=str(each["decision"]),
            trade_id=str(each["trade_id"] or ""),
            reason=str(each["reason"]),
        )
        for each in signal["verdicts"]
    ]


def declared(trade: Json) -> list[Declared]:
    """The orders of one /api/trades/<trade_id>."""
    return [
        Declared(
            order_id=str(order["order_id"]),
            cause_id=str(order["cause_id"]),
            trade_id=str(trade["trade_id"]),
            account=str(order["account"]),
            leg=int(order["leg"]),
            part=int(order["part"]),
            attempt=int(order["attempt"]),
            effect=str(order["effect"]),
            state=str(order["state"]),
            filled=Decimal(order["filled_quantity"]),
            quantity=Decimal(order["quantity"] or 0),
        )
        for order in trade["orders"]
    ]


def named_by_tool(report: Json) -> frozenset[str]:
    """The order ids that `argos kill --json` says are under way."""
    return frozenset(str(each["order_id"]) for each in report["under_way"])


def named_by_risk(sentence: str) -> frozenset[str]:
    """The order ids that risk's reply to a kill names: `id (account)`."""
    return frozenset(_ORDER_NAMED.findall(sentence))
