"""Reconciliation, venue nodes, and the servers underneath."""

from __future__ import annotations

from dashboards.panels import BAD, FAIR, GOOD, Dashboard, Panel, Row
from dashboards.queries import RATE, A, in_range, per_second, share, shares

RECONCILIATION = Dashboard(
    uid="argos-reconciliation",
    title="Argos: reconciliation",
    about="Whether log and venues agree, and what nobody knows yet.",
    rows=(
        Row(
            title="Differences",
            panels=(
                Panel(
                    title="Discrepancies by kind",
                    about="Open. Each holds its account and symbol until it agrees again.",
                    queries={
                        "{{account}} {{kind}}": (
                            f"max by (account, kind) (argos_discrepancies_open{{{A}}})"
                        )
                    },
                    unit="none",
                    stacked=True,
                ),
                Panel(
                    title="Age of the oldest discrepancy",
                    about="0 without one.",
                    queries={
                        "{{account}}": f"max by (account) (argos_discrepancy_age_seconds{{{A}}})"
                    },
                    unit="s",
                ),
                Panel(
                    title="Since the last comparison",
                    about="Every second, if the venue answers.",
                    queries={
                        "{{account}}": f"max by (account) (argos_reconciled_age_seconds{{{A}}})"
                    },
                    unit="s",
                    steps=((0.0, GOOD), (10.0, FAIR), (30.0, BAD)),
                ),
            ),
        ),
        Row(
            title="Doubt",
            panels=(
                Panel(
                    title="Orders in doubt",
                    about="Left only by evidence.",
                    queries={"{{account}}": f"max by (account) (argos_orders_in_doubt{{{A}}})"},
                    unit="none",
                ),
                Panel(
                    title="Age of the oldest doubt",
                    about="0 without one.",
                    queries={"{{account}}": f"max by (account) (argos_doubt_age_seconds{{{A}}})"},
                    unit="s",
                ),
                Panel(
                    title="Oldest order under way",
                    about="Since it last changed; 30 s are told.",
                    queries={"{{account}}": f"max by (account) (argos_order_age_seconds{{{A}}})"},
                    unit="s",
                ),
            ),
        ),
        Row(
            title="Matches and the ledger",
            panels=(
                Panel(
                    title="Matched by method",
                    about="In the time shown: tag, ticket or fingerprint, best first.",
                    queries={
                        "{{account}} {{method}}": in_range(
                            "argos_matched_total", "account, method", A
                        )
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
                Panel(
                    title="Entries that wait for the ledger",
                    about="Trading does not wait for it; pages and reports do.",
                    queries={"waiting": "max(argos_ledger_waiting)"},
                    unit="none",
                ),
                Panel(
                    title="Time of a batch",
                    about="Into the ledger, committed.",
                    queries=shares("argos_ledger_commit_seconds"),
                    unit="s",
                ),
            ),
        ),
    ),
)

NODES = Dashboard(
    uid="argos-nodes",
    title="Argos: venue nodes",
    about="The last hop: terminals and exchanges, their clocks, quotes and answers.",
    rows=(
        Row(
            title="State",
            panels=(
                Panel(
                    title="Ready",
                    about="Whether orders can be placed.",
                    queries={"{{account}}": f"min by (account) (argos_venue_ready{{{A}}})"},
                    unit="none",
                    shape="state-timeline",
                    words={0: ("NOT READY", BAD), 1: ("ready", GOOD)},
                ),
                Panel(
                    title="Age of facts",
                    about="Since the venue was last heard of; decisions refuse old facts.",
                    queries={"{{account}}": f"max by (account) (argos_facts_age_seconds{{{A}}})"},
                    unit="s",
                    steps=((0.0, GOOD), (3.0, FAIR), (10.0, BAD)),
                ),
                Panel(
                    title="Clock skew",
                    about="The node's clock less the monitor's, with the time on the way.",
                    queries={"{{account}}": f"max by (account) (argos_clock_skew_seconds{{{A}}})"},
                    unit="s",
                ),
            ),
        ),
        Row(
            title="Market",
            panels=(
                Panel(
                    title="Age of quotes",
                    about="By symbol.",
                    queries={
                        "{{account}} {{symbol}}": (
                            f"max by (account, symbol) (argos_quote_age_seconds{{{A}}})"
                        )
                    },
                    unit="s",
                    width=12,
                ),
                Panel(
                    title="Spread",
                    about="Ask less bid over bid.",
                    queries={
                        "{{account}} {{symbol}}": (
                            f"max by (account, symbol) (argos_spread_ratio{{{A}}})"
                        )
                    },
                    unit="percentunit",
                    width=12,
                ),
            ),
        ),
        Row(
            title="Orders",
            panels=(
                Panel(
                    title="Placements by result",
                    about="Per second.",
                    queries={
                        "{{account}} {{result}}": per_second(
                            "argos_venue_calls_total", "account, result", A
                        )
                    },
                    unit="ops",
                    stacked=True,
                ),
                Panel(
                    title="Return codes",
                    about="The venue's own, in the time shown.",
                    queries={
                        "{{account}} {{code}}": in_range(
                            "argos_venue_codes_total", "account, code", A
                        )
                    },
                    unit="none",
                    shape="bargauge",
                    decimals=0,
                ),
                Panel(
                    title="Time to the venue's answer",
                    about="A point leads to its trace.",
                    queries=shares("argos_hop_seconds", 'hop="venue"'),
                    unit="s",
                    exemplars=True,
                ),
            ),
        ),
    ),
)

SERVERS = Dashboard(
    uid="argos-servers",
    title="Argos: NATS and Postgres",
    about="The log's server, the ledger's database, and the processes themselves.",
    by_account=False,
    rows=(
        Row(
            title="NATS",
            panels=(
                Panel(
                    title="Connected",
                    about="By process.",
                    queries={"{{instance}}": "min by (instance) (argos_nats_connected)"},
                    unit="none",
                    shape="state-timeline",
                    words={0: ("AWAY", BAD), 1: ("connected", GOOD)},
                ),
                Panel(
                    title="Messages",
                    about="Per second through the server.",
                    queries={"{{direction}}": per_second("argos_nats_messages_total", "direction")},
                    unit="cps",
                ),
                Panel(
                    title="Bytes",
                    about="Per second through the server.",
                    queries={"{{direction}}": per_second("argos_nats_bytes_total", "direction")},
                    unit="Bps",
                ),
                Panel(
                    title="Clients and servers",
                    about="Clients connected, and dropped for being slow since the server started;"
                    " servers that are away or cannot write.",
                    queries={
                        "connected": "max(argos_nats_connections)",
                        "slow": "max(argos_nats_slow_consumers)",
                        "servers unwell": "max(argos_nats_servers_unwell)",
                    },
                    unit="none",
                ),
                Panel(
                    title="Memory",
                    about="Of the server.",
                    queries={"memory": "max(argos_nats_memory_bytes)"},
                    unit="bytes",
                ),
                Panel(
                    title="Processor",
                    about="The server's share of a core, and whether its monitoring answers.",
                    queries={"core": "max(argos_nats_cpu_ratio)", "up": "min(argos_nats_up)"},
                    unit="percentunit",
                ),
            ),
        ),
        Row(
            title="The log (JetStream)",
            panels=(
                Panel(
                    title="Entries",
                    about="In the stream, and the last one folded by process.",
                    queries={
                        "stream": "max(argos_stream_messages)",
                        "{{instance}}": "max by (instance) (argos_folded_sequence > 0)",
                    },
                    unit="none",
                ),
                Panel(
                    title="Size",
                    about="Bytes stored.",
                    queries={"stored": "max(argos_stream_bytes)"},
                    unit="bytes",
                ),
                Panel(
                    title="Readers",
                    about="How many, how far the last is behind, and what was delivered twice.",
                    queries={
                        "readers": "max(argos_stream_consumers)",
                        "pending": "max(argos_stream_pending)",
                        "redelivered": "max(argos_stream_redelivered)",
                    },
                    unit="none",
                ),
                Panel(
                    title="Behind",
                    about="Entries a service has still to fold.",
                    queries={"{{service}}": "max by (service) (argos_fold_lag)"},
                    unit="none",
                ),
                Panel(
                    title="Appends by answer",
                    about="Per second. Only mine lets its receiver act.",
                    queries={
                        "{{kind}} {{answer}}": per_second("argos_appends_total", "kind, answer")
                    },
                    unit="ops",
                ),
                Panel(
                    title="Time of an append",
                    about="99 of 100, to the answer.",
                    queries={"{{kind}}": share("argos_append_seconds", 0.99, "kind")},
                    unit="s",
                ),
            ),
        ),
        Row(
            title="Postgres (or SQLite)",
            panels=(
                Panel(
                    title="The ledger can be written",
                    about="Trading goes on without it.",
                    queries={"ledger": "min(argos_ledger_up)"},
                    unit="none",
                    shape="state-timeline",
                    words={0: ("AWAY", BAD), 1: ("up", GOOD)},
                ),
                Panel(
                    title="Size of the database",
                    about="On disk.",
                    queries={"stored": "max(argos_ledger_bytes)"},
                    unit="bytes",
                ),
                Panel(
                    title="Connections",
                    about="To the ledger's database.",
                    queries={"connections": "max(argos_ledger_connections)"},
                    unit="none",
                ),
                Panel(
                    title="Time of a batch",
                    about="Into the ledger, committed.",
                    queries=shares("argos_ledger_commit_seconds"),
                    unit="s",
                    width=12,
                ),
                Panel(
                    title="Batches",
                    about="Per second.",
                    queries={"batches": f"sum(rate(argos_ledger_commit_seconds_count[{RATE}]))"},
                    unit="ops",
                    width=12,
                ),
            ),
        ),
        Row(
            title="Processes",
            panels=(
                Panel(
                    title="Processor",
                    about="Share of a core by process.",
                    queries={
                        "{{instance}}": f'rate(process_cpu_seconds_total{{job="argos"}}[{RATE}])'
                    },
                    unit="percentunit",
                ),
                Panel(
                    title="Memory",
                    about="Resident, by process.",
                    queries={"{{instance}}": 'process_resident_memory_bytes{job="argos"}'},
                    unit="bytes",
                ),
                Panel(
                    title="Spans of traces",
                    about="Per second: written, or dropped because the collector was away too long.",
                    queries={"{{result}}": per_second("argos_spans_total", "result")},
                    unit="cps",
                ),
            ),
        ),
    ),
)
