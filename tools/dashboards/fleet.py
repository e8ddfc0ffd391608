"""Fleet at a glance: can it trade, is it exposed, does the broker agree, what needs me."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dashboards.panels import BAD, FAIR, GOOD, Dashboard, Panel, Row
from dashboards.queries import A, in_range, per_second

_ANY_BAD = ((0.0, GOOD), (1.0, BAD))


def _stat(
    title: str,
    about: str,
    query: str,
    unit: str = "none",
    *,
    steps: Sequence[tuple[float, str]] = (),
    words: Mapping[int, tuple[str, str]] | None = None,
    decimals: int | None = None,
) -> Panel:
    """One figure with a coloured ground."""
    return Panel(
        title=title,
        about=about,
        queries={"": query},
        unit=unit,
        shape="stat",
        width=4,
        height=4,
        steps=steps,
        words=words,
        decimals=decimals,
    )


CAN_IT_TRADE = Row(
    title="Can it trade?",
    panels=(
        _stat(
            "New risk",
            "1 while every venue is ready, no kill switch is engaged and the fleet is healthy.",
            f"min(argos_venue_ready{{{A}}}) * (1 - max(argos_killed{{{A}}})) * max(argos_healthy)",
            words={1: ("CAN TRADE", GOOD), 0: ("CANNOT", BAD)},
        ),
        _stat(
            "Mode",
            "Whether any account trades real money.",
            f"max(argos_live{{{A}}})",
            words={0: ("PAPER", GOOD), 1: ("LIVE", FAIR)},
        ),
        _stat(
            "Kill switch",
            "Engaged on any account.",
            f"max(argos_killed{{{A}}})",
            words={0: ("released", GOOD), 1: ("ENGAGED", BAD)},
        ),
        _stat(
            "Processes away",
            "Services that Prometheus cannot reach.",
            'count(up{job="argos"}) - sum(up{job="argos"})',
            steps=_ANY_BAD,
        ),
        _stat(
            "Oldest heartbeat",
            "A service beats every second; 5 s is late, 15 s is offline.",
            "max(argos_beat_age_seconds)",
            "s",
            steps=((0.0, GOOD), (5.0, FAIR), (15.0, BAD)),
            decimals=1,
        ),
        _stat(
            "Oldest lease",
            "Asked for every half second; above 2 s nothing that adds risk is sent.",
            f"max(argos_lease_age_seconds{{{A}}})",
            "s",
            steps=((0.0, GOOD), (2.0, BAD)),
            decimals=1,
        ),
    ),
)

IS_IT_EXPOSED = Row(
    title="Is it exposed?",
    panels=(
        _stat("Positions", "At the venues.", f"sum(argos_positions{{{A}}})"),
        _stat("Trades open", "In the book.", f"sum(max by (account) (argos_trades_open{{{A}}}))"),
        _stat(
            "Without a stop",
            "Positions at a venue that carry no protective stop.",
            f"sum(argos_unprotected_positions{{{A}}})",
            steps=_ANY_BAD,
        ),
        Panel(
            title="Limits used",
            about="How much of each limit is used; above 80 % is told, at 100 % risk refuses.",
            queries={
                "{{account}} {{limit}}": f"max by (account, limit) (argos_limit_used_ratio{{{A}}})"
            },
            unit="percentunit",
            shape="bargauge",
            width=12,
            height=8,
            steps=((0.0, GOOD), (0.8, FAIR), (1.0, BAD)),
        ),
        Panel(
            title="Equity",
            about="In the account's currency, as the venue says.",
            queries={"{{account}}": f"max by (account) (argos_equity{{{A}}})"},
            unit="none",
            width=12,
        ),
    ),
)

DOES_THE_BROKER_AGREE = Row(
    title="Does the broker agree?",
    panels=(
        _stat(
            "Discrepancies",
            "Open differences between the log and a venue; each holds its symbol.",
            f"sum(max by (account, kind) (argos_discrepancies_open{{{A}}}))",
            steps=_ANY_BAD,
        ),
        _stat(
            "In doubt",
            "Orders whose outcome nobody knows yet.",
            f"sum(max by (account) (argos_orders_in_doubt{{{A}}}))",
            steps=_ANY_BAD,
        ),
        _stat(
            "Last compared",
            "Since the account compared longest ago was compared with its venue.",
            f"max(argos_reconciled_age_seconds{{{A}}})",
            "s",
            steps=((0.0, GOOD), (10.0, FAIR), (30.0, BAD)),
            decimals=1,
        ),
        Panel(
            title="Fills and matches",
            about="In the time shown: what venues filled, and what was matched with an intent.",
            queries={
                "filled": in_range("argos_orders_total", where=f'{A}, state="filled"'),
                "matched": in_range("argos_matched_total", where=A),
            },
            unit="none",
            shape="bargauge",
            width=12,
            height=4,
            decimals=0,
        ),
    ),
)

WHAT_NEEDS_ME = Row(
    title="What needs me?",
    panels=(
        Panel(
            title="Alerts that stand",
            about="Told by the monitor and not over; the runbook has a section for each.",
            queries={"": "sum by (code, level) (argos_alerts_open) > 0"},
            unit="none",
            shape="table",
            width=8,
        ),
        Panel(
            title="Prometheus alerts",
            about="Firing now. DeadMansSwitch always fires: it shows that alerting works.",
            queries={"": 'ALERTS{alertstate="firing"}'},
            unit="none",
            shape="table",
            width=8,
        ),
        Panel(
            title="Silence of strategies",
            about="Since a strategy was last heard of, in its own periods; 2.5 is too long.",
            queries={"{{strategy}}": "max by (strategy) (argos_strategy_silence_ratio)"},
            unit="none",
            shape="bargauge",
            steps=((0.0, GOOD), (1.5, FAIR), (2.5, BAD)),
            decimals=1,
        ),
        Panel(
            title="Signals by answer",
            about="Per second, what senders were told.",
            queries={"{{source}} {{answer}}": per_second("argos_signals_total", "source, answer")},
            unit="reqps",
            width=12,
            stacked=True,
        ),
        Panel(
            title="The log",
            about="How full: above 70 % no signal is accepted, above 80 % no new risk.",
            queries={"used": "max(argos_log_used_ratio)"},
            unit="percentunit",
            width=12,
            steps=((0.0, GOOD), (0.7, BAD)),
        ),
    ),
)

FLEET = Dashboard(
    uid="argos-fleet",
    title="Argos: fleet at a glance",
    about="Can it trade, is it exposed, does the broker agree, what needs me.",
    rows=(CAN_IT_TRADE, IS_IT_EXPOSED, DOES_THE_BROKER_AGREE, WHAT_NEEDS_ME),
)
