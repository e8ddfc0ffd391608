"""The numbers of the MetaTrader 5 module that decisions here depend on.

They are part of its wire format and the same in every build; a test compares them with the module's
own, where it has them.
"""

from __future__ import annotations

from typing import Final

ACTION_DEAL: Final = 1
ORDER_TYPE_BUY: Final = 0
ORDER_TYPE_SELL: Final = 1
BUYING_TYPES: Final = (0, 2, 4, 6)
ORDER_TIME_GTC: Final = 0

FILLING_FOK: Final = 0
FILLING_IOC: Final = 1
FILLING_RETURN: Final = 2
FILLING_BIT_FOK: Final = 1  # in a symbol's filling_mode; the module has no name for them
FILLING_BIT_IOC: Final = 2

EXECUTION_REQUEST: Final = 0
EXECUTION_INSTANT: Final = 1
EXECUTION_MARKET: Final = 2
EXECUTION_EXCHANGE: Final = 3

STATES_OVER: Final = (2, 4, 5, 6)  # cancelled, filled, rejected, expired
STATE_FILLED: Final = 4

REASON_EXPERT: Final = 3
REASON_SL: Final = 4
REASON_TP: Final = 5
REASON_SO: Final = 6
REASONS_OF_VENUE: Final = (REASON_SL, REASON_TP, REASON_SO)

DEAL_BUY: Final = 0
DEAL_SELL: Final = 1

MARGIN_HEDGING: Final = 2
TRADE_MODE_REAL: Final = 2

POSITION_BUY: Final = 0
