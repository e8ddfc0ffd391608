"""Identities, all derived from facts, so that a replay or a second copy derives the same ones.

    signal_id   UUID, from the sender's own id or from the facts of the alert with its fire time
    trade_id    the signal_id of the signal that opened the trade; derived from the venue's position
                id for a position nobody here opened. Its 128 bits are the trace id.
    order_id    13 base32 characters (65 bits) from (trade, account, leg, attempt). Short, because a
                venue's comment is: with its two-letter mark it takes 15 of MetaTrader's 26 safe ones.
    magic       a number below 2^53 that carries 41 bits of the order id and 12 of the strategy, for
                venues that keep a number where they may rewrite a text

The grain of everything downstream of risk is (trade_id, account).
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import NewType

SignalId = NewType("SignalId", str)
TradeId = NewType("TradeId", str)
OrderId = NewType("OrderId", str)
Account = NewType("Account", str)
Source = NewType("Source", str)
Strategy = NewType("Strategy", str)
Symbol = NewType("Symbol", str)

NAMESPACE = uuid.UUID("6f9a1c1e-3a55-5d0b-9f5e-0f2f3a7c9b10")
TAG_MARK = "a1"
TAG_LENGTH = len(TAG_MARK) + 13

_SEPARATOR = "\x1f"
_ORDER_BITS_IN_MAGIC = 41


def _uuid5(kind: str, *facts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, _SEPARATOR.join((kind, *facts))))


def signal_id(source: str, *facts: str) -> SignalId:
    """The id of a signal from what makes it one of a kind. The order of the facts counts."""
    return SignalId(_uuid5("signal", source, *facts))


def external_trade_id(account: str, venue_position_id: str) -> TradeId:
    """The trade of a position that was not opened here."""
    return TradeId(_uuid5("external", account, venue_position_id))


def system_cause_id(kind: str, account: str, control_sequence: int, subject: str = "") -> SignalId:
    """The cause of an intent that no signal asked for, such as a flatten."""
    return SignalId(_uuid5("system", kind, account, str(control_sequence), subject))


def order_id(trade_id: str, account: str, leg: str, attempt: int) -> OrderId:
    """The id of one attempt at one leg; 13 characters of a-z and 2-7."""
    facts = _SEPARATOR.join((trade_id, account, leg, str(attempt))).encode()
    bits = int.from_bytes(hashlib.blake2b(facts, digest_size=9).digest(), "big") >> 7
    text = base64.b32encode((bits << 15).to_bytes(10, "big")).decode()
    return OrderId(text[:13].lower())


def tag(order: str) -> str:
    """What a venue's free text carries for this order."""
    return TAG_MARK + order


def order_id_of_tag(text: str) -> OrderId | None:
    """The order id that a venue's free text carries, or None. Tolerates text after it, not before."""
    body = text[len(TAG_MARK) : TAG_LENGTH]
    known = text.startswith(TAG_MARK) and len(body) == 13 and set(body) <= set(_ALPHABET)
    return OrderId(body) if known else None


def magic(order: str, strategy: str) -> int:
    """A number below 2^53 that carries 41 bits of the order id below 12 bits of the strategy."""
    digest = hashlib.blake2b(strategy.encode(), digest_size=2).digest()
    return ((int.from_bytes(digest, "big") >> 4) << _ORDER_BITS_IN_MAGIC) | order_bits(order)


def order_bits(order: str) -> int:
    """The 41 bits of an order id that a magic number carries."""
    bits = 0
    for character in order:
        bits = bits << 5 | _ALPHABET.index(character)
    return bits >> (13 * 5 - _ORDER_BITS_IN_MAGIC)


def magic_matches(number: int, order: str) -> bool:
    """Whether a magic number was made for this order."""
    return number > 0 and number & ((1 << _ORDER_BITS_IN_MAGIC) - 1) == order_bits(order)


_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def trace_id(trade: str) -> int:
    """The 128-bit trace id of a trade."""
    return uuid.UUID(trade).int
