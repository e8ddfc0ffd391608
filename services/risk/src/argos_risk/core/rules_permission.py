"""May this be done here and now at all: latches, holds, allow-lists, and what must be known."""

from __future__ import annotations

from argos_common.domain.instrument import AccountKind
from argos_common.domain.money import plain
from argos_common.domain.order import OrderState
from argos_common.domain.side import Side

from argos_risk.core.rule import Finding, OpenCase, OpenRule, allowed, missing, refused, seconds


def _config(case: OpenCase) -> Finding:
    wrong = case.risk.config_wrong
    if wrong:
        return refused("none", "valid", wrong)
    return allowed(case.risk.control.config_hash[:12], "valid")


def _kill(case: OpenCase) -> Finding:
    control = case.risk.control
    if not control.killed:
        return allowed("open", "open")
    scope = "the fleet" if control.fleet_killed else "the account"
    return refused("killed", "open", f"{scope} is killed ({control.kill_reason})")


def _hold(case: OpenCase) -> Finding:
    symbol = case.signal.symbol
    for hold in case.risk.holds.values():
        if hold.symbol in ("", symbol):
            where = symbol if hold.symbol else "the account"
            return refused("held", "free", f"{where} is held by a discrepancy: {hold.sentence}")
    return allowed("free", "free")


def _in_doubt(case: OpenCase) -> Finding:
    for order in case.risk.book.orders.values():
        if (
            order.state is OrderState.IN_DOUBT
            and order.submitting is not None
            and order.submitting.symbol == case.signal.symbol
        ):
            return refused(
                order.order_id,
                "none",
                f"the outcome of order {order.order_id} on {case.signal.symbol} is unknown",
            )
    return allowed("none", "none")


def _strategy(case: OpenCase) -> Finding:
    name = case.signal.strategy
    if case.route is None:
        return refused(
            name, "listed", f"strategy {name} is not listed on account {case.risk.account}"
        )
    return allowed(name, "listed")


def _bot_version(case: OpenCase) -> Finding:
    version = case.signal.bot_version
    if case.route is None:
        return missing("which bot versions are registered")
    known = ", ".join(case.route.bot_versions)
    if version in case.route.bot_versions:
        return allowed(version, known)
    return refused(
        version,
        known,
        f"bot version {version!r} is not registered for {case.signal.strategy} (known: {known})",
    )


def _symbol(case: OpenCase) -> Finding:
    symbol = case.signal.symbol
    if case.route is None or case.config is None:
        return missing("which symbols are allowed")
    symbols = ", ".join(case.route.symbols)
    if symbol not in case.route.symbols:
        return refused(
            symbol,
            symbols,
            f"{symbol} is not allowed for {case.signal.strategy} (allowed: {symbols})",
        )
    if all(route.symbol != symbol for route in case.config.symbols):
        return refused(
            symbol, symbols, f"{symbol} has no venue symbol on account {case.risk.account}"
        )
    return allowed(symbol, symbols)


def _signal_age(case: OpenCase) -> Finding:
    if case.config is None:
        return missing("how old a signal may be")
    signal, now_ns = case.signal, case.facts.now_ns
    age_ns = now_ns - signal.received_at_ns
    if signal.fired_at_ns is not None:
        age_ns = max(age_ns, now_ns - signal.fired_at_ns)
    limit_ns = case.config.limits.signal_age_max_ns
    if age_ns <= limit_ns:
        return allowed(seconds(age_ns), seconds(limit_ns))
    return refused(
        seconds(age_ns),
        seconds(limit_ns),
        f"the signal is {seconds(age_ns)} old, more than the {seconds(limit_ns)} allowed",
    )


def _venue(case: OpenCase) -> Finding:
    facts = case.facts
    if case.config is None or facts.account_age_ns is None:
        return missing("the state of the venue", "ready")
    limit_ns = case.config.limits.facts_age_max_ns
    if facts.account_age_ns > limit_ns:
        return refused(
            seconds(facts.account_age_ns),
            seconds(limit_ns),
            f"the venue was last heard of {seconds(facts.account_age_ns)} ago,"
            f" more than the {seconds(limit_ns)} allowed",
        )
    if not facts.venue_ready:
        return refused("not ready", "ready", "the venue is not ready to trade")
    return allowed("ready", "ready")


def _quote(case: OpenCase) -> Finding:
    facts, symbol = case.facts, case.signal.symbol
    if case.config is None or facts.bid is None or facts.ask is None or facts.quote_age_ns is None:
        return missing(f"the price of {symbol}", "fresh")
    limit_ns = case.config.limits.facts_age_max_ns
    if facts.quote_age_ns > limit_ns:
        return refused(
            seconds(facts.quote_age_ns),
            seconds(limit_ns),
            f"the price of {symbol} is {seconds(facts.quote_age_ns)} old,"
            f" more than the {seconds(limit_ns)} allowed",
        )
    shown = f"{plain(facts.bid)}/{plain(facts.ask)}"
    if facts.bid <= 0 or facts.ask < facts.bid:
        return refused(shown, "0 < bid <= ask", f"the quote {shown} of {symbol} makes no sense")
    return allowed(shown, "0 < bid <= ask")


def _equity(case: OpenCase) -> Finding:
    equity = case.facts.equity
    if equity is None:
        return missing("the account's equity", "above 0")
    if equity <= 0:
        return refused(plain(equity), "above 0", f"the account's equity is {plain(equity)}")
    return allowed(plain(equity), "above 0")


def _spot_short(case: OpenCase) -> Finding:
    spot = case.config is not None and case.config.kind is AccountKind.SPOT
    if spot and case.side is Side.SELL:
        return refused("short", "long only", "a spot account cannot sell what it does not hold")
    return allowed(case.side.name.lower(), "long only" if spot else "any")


PERMISSION_RULES: tuple[OpenRule, ...] = (
    OpenRule("config", _config),
    OpenRule("kill", _kill),
    OpenRule("hold", _hold),
    OpenRule("in_doubt", _in_doubt),
    OpenRule("strategy", _strategy),
    OpenRule("bot_version", _bot_version),
    OpenRule("symbol", _symbol),
    OpenRule("signal_age", _signal_age),
    OpenRule("venue", _venue),
    OpenRule("quote", _quote),
    OpenRule("equity", _equity),
    OpenRule("spot_short", _spot_short),
)
