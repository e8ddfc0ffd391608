"""What a dashboard is made of, and the JSON that Grafana takes for it.

Every figure names its unit; every query names its data source by a variable, so the JSON holds no id
of one installation. Panels are laid out in rows of `Row`, left to right, 24 columns wide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

Json = dict[str, Any]  # Grafana's dashboard model

Shape = Literal["stat", "timeseries", "bargauge", "table", "heatmap", "state-timeline"]
PROMETHEUS: Json = {"type": "prometheus", "uid": "${prometheus}"}
WIDTH = 24
GOOD, FAIR, BAD = "green", "orange", "red"
SCHEMA = 39


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `queries`: legend -> PromQL; `{{label}}` in a legend names a series by its label.

    `steps`: colour from a value on, the first from the lowest. `words`: value -> (word, colour).
    """

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str
    shape: Shape = "timeseries"
    width: int = 8
    height: int = 7
    steps: Sequence[tuple[float, str]] = ()
    words: Mapping[int, tuple[str, str]] | None = None
    decimals: int | None = None
    exemplars: bool = False
    stacked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """`uid` is also the file's name. `by_account`: with a choice of accounts, as `$account`."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    by_account: bool = True


def render(dashboard: Dashboard) -> str:
    """The dashboard as Grafana's JSON, the same bytes for the same description."""
    return json.dumps(_dashboard(dashboard), indent=1, ensure_ascii=False) + "\n"


def _dashboard(dashboard: Dashboard) -> Json:
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["argos"],
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA,
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "utc",
        "links": [
            {
                "title": "Dashboards",
                "type": "dashboards",
                "tags": ["argos"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
            },
            _link("Trades", "${monitor}/api/trades"),
            _link("Status", "${monitor}/api/system/status"),
            _link("Traces", traces_url("{ kind = server }")),
        ],
        "templating": {"list": _variables(by_account=dashboard.by_account)},
        "panels": _laid_out(dashboard.rows),
    }


def _link(title: str, url: str) -> Json:
    return {"title": title, "type": "link", "url": url, "targetBlank": True}


def traces_url(query: str) -> str:
    """Grafana's Explore page on a TraceQL query. Variables in the query are filled in by Grafana."""
    pane = {
        "datasource": "${tempo}",
        "queries": [{"refId": "A", "queryType": "traceql", "query": query}],
        "range": {"from": "now-1h", "to": "now"},
    }
    text = json.dumps({"a": pane}, separators=(",", ":"))
    return "/explore?schemaVersion=1&panes=" + quote(text, safe="${}")


def _variables(*, by_account: bool) -> list[Json]:
    found: list[Json] = [
        {
            "name": name,
            "label": label,
            "type": "datasource",
            "query": name,
            "hide": 2,
            "current": {"text": name, "value": name},
        }
        for name, label in (("prometheus", "Metrics"), ("tempo", "Traces"))
    ]
    found.append(
        {
            "name": "monitor",
            "label": "Monitor's address",
            "type": "textbox",
            "query": "http://127.0.0.1:8701",
            "current": {"text": "http://127.0.0.1:8701", "value": "http://127.0.0.1:8701"},
        }
    )
    if by_account:
        found.append(
            {
                "name": "account",
                "label": "Account",
                "type": "query",
                "datasource": PROMETHEUS,
                "query": "label_values(argos_killed, account)",
                "refresh": 2,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",
                "current": {"text": "All", "value": "$__all"},
            }
        )
    return found


def _laid_out(rows: Sequence[Row]) -> list[Json]:
    found: list[Json] = []
    top = 0
    for row in rows:
        found.append(
            {
                "id": len(found) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left, height = top + height, 0, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            found.append(_panel(panel, len(found) + 1, place))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return found


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.shape,
        "title": panel.title,
        "description": panel.about,
        "datasource": PROMETHEUS,
        "gridPos": place,
        "targets": [
            {
                "refId": chr(ord("A") + position),
                "datasource": PROMETHEUS,
                "expr": query,
                "legendFormat": legend,
                "exemplar": panel.exemplars,
                "instant": panel.shape in ("stat", "bargauge", "table"),
                "range": panel.shape not in ("stat", "bargauge", "table"),
                "format": _FORMATS.get(panel.shape, "time_series"),
            }
            for position, (legend, query) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.shape],
    }


_FORMATS = {"table": "table", "heatmap": "heatmap"}
_LEGEND: Json = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, Json] = {
    "stat": {"colorMode": "background", "graphMode": "none", "reduceOptions": _LAST},
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "bargauge": {"orientation": "horizontal", "displayMode": "gradient", "reduceOptions": _LAST},
    "table": {"showHeader": True},
    "heatmap": {"calculate": False, "color": {"mode": "scheme", "scheme": "Oranges"}},
    "state-timeline": {"mergeValues": True, "showValue": "auto", "legend": _LEGEND},
}


def _defaults(panel: Panel) -> Json:
    steps = panel.steps or ((0.0, GOOD),)
    found: Json = {
        "unit": panel.unit,
        "thresholds": {
            "mode": "absolute",
            "steps": [
                {"color": colour, "value": None if position == 0 else value}
                for position, (value, colour) in enumerate(steps)
            ],
        },
        "links": [
            _link("Trades", "${monitor}/api/trades?account=${__field.labels.account}"),
            _link(
                "Traces",
                traces_url('{ span.argos.account = "${__field.labels.account}" }'),
            ),
        ],
    }
    if panel.decimals is not None:
        found["decimals"] = panel.decimals
    if panel.shape == "timeseries":
        stacking = {"mode": "normal"} if panel.stacked else {"mode": "none"}
        found["custom"] = {
            "fillOpacity": 20 if panel.stacked else 5,
            "showPoints": "auto",
            "stacking": stacking,
        }
    if panel.words:
        options = {
            str(value): {"text": word, "color": colour, "index": position}
            for position, (value, (word, colour)) in enumerate(panel.words.items())
        }
        found["mappings"] = [{"type": "value", "options": options}]
    return found
