"""The dialects, by the name a source has in fleet.toml."""

from __future__ import annotations

from argos_gateway.core.dialect import Dialect
from argos_gateway.core.dialects import argos, tradingview

DIALECTS: dict[str, Dialect] = {
    "argos": argos.read,
    "tradingview": tradingview.read,
}
