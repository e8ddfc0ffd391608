"""Turns of PromQL that several panels use."""

from __future__ import annotations

A = 'account=~"$account"'
RATE = "$__rate_interval"
SHARES = (0.5, 0.95, 0.99)


def per_second(name: str, by: str, where: str = "") -> str:
    """How many per second, by label."""
    return f"sum by ({by}) (rate({name}{{{where}}}[{RATE}]))"


def in_range(name: str, by: str = "", where: str = "") -> str:
    """How many in the time shown, by label."""
    total = f"(increase({name}{{{where}}}[$__range]))"
    return f"sum by ({by}) {total}" if by else f"sum{total}"


def share(name: str, part: float, by: str = "", where: str = "") -> str:
    """The value that `part` of the observations do not exceed, by label."""
    labels = f"le, {by}" if by else "le"
    return (
        f"histogram_quantile({part:g}, sum by ({labels}) (rate({name}_bucket{{{where}}}[{RATE}])))"
    )


def shares(name: str, where: str = "") -> dict[str, str]:
    """Median, 95 and 99 of 100, by legend."""
    return {f"p{part * 100:g}": share(name, part, where=where) for part in SHARES}
