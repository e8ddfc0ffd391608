"""Execution quality, risk, and latency by hop."""

from __future__ import annotations

from dashboards.panels import BAD, FAIR, GOOD, Dashboard, Panel, Row
from dashboards.queries import RATE, A, in_range, per_second, share, shares

EXECUTION = Dashboard(
    uid="argos-execution",
    title="Argos: execution quality",
    about="What became of signals, how orders were filled, and what that cost.",
    rows=(
        Row(
            title="From signal to match",
            panels=(
                Panel(
                    title="Funnel",
                    about="In the time shown. A signal may go to several accounts.",
                    queries={
                        "1 accepted": in_range("argos_signals_total", where='answer="accepted"'),
                        "2 approved": in_range(
                            "argos_verdicts_total", where=f'{A}, decision=~"approved|partly"'
                        ),
                        "3 submitted": in_range("argos_outcomes_total", where=A),
                        "4 filled": in_range("argos_orders_total", where=f'{A}, state="filled"'),
                        "5 matched": in_range("argos_matched_total", where=A),
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
                Panel(
                    title="Outcomes of submissions",
                    about="Per second. in_doubt is ended by evidence, never by guessing.",
                    queries={
                        "{{account}} {{result}}": per_second(
                            "argos_outcomes_total", "account, result", A
                        )
                    },
                    unit="ops",
                    stacked=True,
                ),
                Panel(
                    title="States of orders",
                    about="Events of orders by the state they led to, in the time shown.",
                    queries={"{{state}}": in_range("argos_orders_total", "state", A)},
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
            ),
        ),
        Row(
            title="Price",
            panels=(
                Panel(
                    title="Slippage",
                    about="Basis points against the intended price; positive is worse.",
                    queries=shares("argos_slippage_basis_points", A),
                    unit="none",
                    exemplars=True,
                ),
                Panel(
                    title="Median slippage",
                    about="Basis points by account.",
                    queries={
                        "{{account}}": share("argos_slippage_basis_points", 0.5, "account", A)
                    },
                    unit="none",
                ),
                Panel(
                    title="Cost",
                    about="In the account's currency, in the time shown; rebates and improvement are gains.",
                    queries={
                        "{{account}} {{kind}}": in_range("argos_cost_total", "account, kind", A)
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=2,
                ),
            ),
        ),
        Row(
            title="Time",
            panels=(
                Panel(
                    title="Signal to fill",
                    about="From receipt to the venue's own fill. A point leads to its trace and trade.",
                    queries=shares("argos_hop_seconds", 'hop="fill"'),
                    unit="s",
                    width=12,
                    exemplars=True,
                ),
                Panel(
                    title="Venue's answer",
                    about="From asking the venue to its answer.",
                    queries=shares("argos_hop_seconds", 'hop="venue"'),
                    unit="s",
                    width=12,
                    exemplars=True,
                ),
            ),
        ),
    ),
)

RISK = Dashboard(
    uid="argos-risk",
    title="Argos: risk",
    about="Limits, verdicts and what refused, the kill switch and leases.",
    rows=(
        Row(
            title="Limits",
            panels=(
                Panel(
                    title="Limits used",
                    about="Over time; 1 is all of it.",
                    queries={
                        "{{account}} {{limit}}": (
                            f"max by (account, limit) (argos_limit_used_ratio{{{A}}})"
                        )
                    },
                    unit="percentunit",
                    width=12,
                    steps=((0.0, GOOD), (0.8, FAIR), (1.0, BAD)),
                ),
                Panel(
                    title="Equity less balance",
                    about="What open positions gain or lose, in the account's currency.",
                    queries={
                        "{{account}}": (
                            f"max by (account) (argos_equity{{{A}}})"
                            f" - max by (account) (argos_balance{{{A}}})"
                        )
                    },
                    unit="none",
                    width=12,
                ),
            ),
        ),
        Row(
            title="Verdicts",
            panels=(
                Panel(
                    title="Verdicts",
                    about="Per second by decision.",
                    queries={
                        "{{account}} {{decision}}": per_second(
                            "argos_verdicts_total", "account, decision", A
                        )
                    },
                    unit="ops",
                    stacked=True,
                ),
                Panel(
                    title="Rules that refused",
                    about="In the time shown. A refusal names every rule that failed.",
                    queries={
                        "{{account}} {{rule}}": in_range(
                            "argos_rule_failures_total", "account, rule", A
                        )
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
                Panel(
                    title="Refused at the door",
                    about="In the time shown, by the reason's code.",
                    queries={
                        "{{source}} {{code}}": in_range("argos_refusals_total", "source, code")
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
            ),
        ),
        Row(
            title="Brakes",
            panels=(
                Panel(
                    title="Kill switch",
                    about="By account.",
                    queries={"{{account}}": f"max by (account) (argos_killed{{{A}}})"},
                    unit="none",
                    shape="state-timeline",
                    words={0: ("released", GOOD), 1: ("ENGAGED", BAD)},
                ),
                Panel(
                    title="Orders refused in a row",
                    about="The breaker: three in a row are told.",
                    queries={"{{account}}": f"max by (account) (argos_refused_in_a_row{{{A}}})"},
                    unit="none",
                    steps=((0.0, GOOD), (3.0, BAD)),
                ),
                Panel(
                    title="Leases",
                    about="Answers per second; each account asks twice a second.",
                    queries={
                        "{{account}} {{answer}}": per_second(
                            "argos_leases_total", "account, answer", A
                        )
                    },
                    unit="reqps",
                ),
            ),
        ),
    ),
)

LATENCY = Dashboard(
    uid="argos-latency",
    title="Argos: latency by hop",
    about="Where a signal's time goes. Points lead to the trace of the signal they were measured on.",
    by_account=False,
    rows=(
        Row(
            title="Hops",
            panels=(
                Panel(
                    title="Median by hop",
                    about="The hops are explained in docs/observability.md.",
                    queries={"{{hop}}": share("argos_hop_seconds", 0.5, "hop")},
                    unit="s",
                    width=12,
                    exemplars=True,
                ),
                Panel(
                    title="99 of 100 by hop",
                    about="What one in a hundred exceeds.",
                    queries={"{{hop}}": share("argos_hop_seconds", 0.99, "hop")},
                    unit="s",
                    width=12,
                    exemplars=True,
                ),
                *(
                    Panel(
                        title=title,
                        about=about,
                        queries={
                            "{{le}}": (
                                "sum by (le)"
                                f' (increase(argos_hop_seconds_bucket{{hop="{hop}"}}[{RATE}]))'
                            )
                        },
                        unit="s",
                        shape="heatmap",
                        exemplars=True,
                    )
                    for hop, title, about in (
                        ("gateway", "At the door", "Received to answered."),
                        ("verdict", "To the verdict", "Received to the verdict on record."),
                        ("fill", "To the fill", "Received to the venue's fill."),
                    )
                ),
            ),
        ),
        Row(
            title="The log and the loops",
            panels=(
                Panel(
                    title="Appends",
                    about="99 of 100 by kind of entry, to the server's answer: on disk there.",
                    queries={"{{kind}}": share("argos_append_seconds", 0.99, "kind")},
                    unit="s",
                ),
                Panel(
                    title="Lag of event loops",
                    about="How late a process was at its last heartbeat.",
                    queries={"{{instance}}": "max by (instance) (argos_loop_lag_seconds)"},
                    unit="s",
                ),
                Panel(
                    title="Age of alerts on arrival",
                    about="From firing at the sender to receipt; the sender's clock and resolution.",
                    queries=shares("argos_hop_seconds", 'hop="alert"'),
                    unit="s",
                ),
            ),
        ),
    ),
)
