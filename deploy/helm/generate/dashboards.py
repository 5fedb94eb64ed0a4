"""The Grafana dashboards `highsea/dashboards/*.json`: what they show is listed here, Grafana's format is the second half."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "highsea/dashboards"
SERVICE = 'namespace=~"$namespace", service=~"$service"'
PROCESS = f'{SERVICE}, role=~"$role"'
RATE = "[$__rate_interval]"


@dataclass(frozen=True)
class Panel:
    """A graph: `queries` by legend; `limit` is drawn as a line, where an alert begins if there is one."""

    title: str
    chinese: str
    about: str
    unit: str
    queries: Mapping[str, str]
    limit: float | None = None


@dataclass(frozen=True)
class Dashboard:
    """A page: `rows` by title. `variables` are labels to choose by, each from the values of those before it."""

    name: str
    title: str
    variables: Sequence[str]
    rows: Mapping[str, Sequence[Panel]]


def _share(part: str, whole: str) -> str:
    return f"({part} or {whole} * 0) / {whole}"


def _red(protocol: str, metric: str, errors: str, slow: float) -> Sequence[Panel]:
    """Rate, errors and duration of a protocol."""
    every = f"sum by (service) (rate({metric}_count{{{PROCESS}}}{RATE}))"
    failed = f"sum by (service) (rate({metric}_count{{{PROCESS}, {errors}}}{RATE}))"
    slowest = f"histogram_quantile(0.99, sum by (le, service) (rate({metric}_bucket{{{PROCESS}}}{RATE})))"
    return (
        Panel(f"{protocol} requests", "请求数", "Requests answered per second.", "reqps", {"{{service}}": every}),
        Panel(
            f"{protocol} errors", "错误率", "Share of requests that ended in an error of ours; the objective is 0.1%.",
            "percentunit", {"{{service}}": _share(failed, every)}, limit=0.001,
        ),
        Panel(
            f"{protocol} duration", "耗时", f"99 of 100 requests are quicker than this; the objective is {slow:g} s.",
            "s", {"{{service}}": slowest}, limit=slow,
        ),
    )  # fmt: skip


def _busy(title: str, chinese: str, about: str, metric: str, used: str, most: str, by: str = "service") -> Panel:
    """How much of what a process has is in use, over all processes."""

    def total(state: str) -> str:
        return f'sum by ({by}) ({metric}{{{PROCESS}, state="{state}"}})'

    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return Panel(title, chinese, about, "percentunit", {legend: f"{total(used)} / {total(most)}"}, limit=0.8)


def _fact(metric: str, by: str, condition: str = "") -> str:
    """What every `work` process measures alike."""
    return f"max by ({by}) ({metric}{{{SERVICE}{condition}}})"


def _rate(metric: str, by: str, condition: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{SERVICE}{condition}}}{RATE}))"


QUEUE = ', durable=~"import-split|import-chunk|import-export"'
OVERVIEW = Dashboard(
    "overview", "Highsea / Overview", ["service", "role"],
    {
        "Processes 进程": [
            Panel("Processes", "进程数", "Processes that answer Prometheus.", "short",
                  {"{{service}} {{role}}": f"sum by (service, role) (up{{{PROCESS}}})"}),
            Panel("Dependencies away", "依赖不可用", "Processes that do not reach a dependency; should be none.", "short",
                  {"{{service}} {{dependency}}": f"sum by (service, dependency) (1 - crm_dependency_up{{{PROCESS}}})"},
                  limit=1),
            Panel("Versions", "版本", "Processes by the version they run; two of a service while it is rolled out.", "short",
                  {"{{service}} {{version}}": f"count by (service, version) (crm_build_info{{{PROCESS}}})"}),
        ],
        "HTTP": _red("HTTP", "http_server_request_duration_seconds", 'status=~"5.."', 1),
        "gRPC": _red("gRPC", "grpc_server_handling_seconds", 'grpc_code=~"INTERNAL|UNKNOWN|UNAVAILABLE|DATA_LOSS"', 2.5),
        "Which 明细": [
            Panel("Slowest routes", "最慢的接口", "The ten routes with the highest 95th percentile.", "s",
                  {"{{method}} {{route}}": "topk(10, histogram_quantile(0.95, sum by (le, method, route) "
                   f"(rate(http_server_request_duration_seconds_bucket{{{PROCESS}}}{RATE}))))"}),
            Panel("Calls to other services that fail", "调用其他服务失败",
                  "As the caller sees it: refused for lack of room, too late, or not reached.", "reqps",
                  {"{{service}} {{grpc_method}} {{grpc_code}}": "sum by (service, grpc_method, grpc_code) "
                   f'(rate(grpc_client_handling_seconds_count{{{PROCESS}, grpc_code!="OK"}}{RATE}))'}),
        ],
        "Saturation 饱和度": [
            _busy("HTTP threads", "HTTP 线程", "Share of threads that answer; at 100% requests are refused with 503.",
                  "http_server_threads", "busy", "limit"),
            _busy("gRPC threads", "gRPC 线程", "Share of threads that answer; beyond 100% calls wait.",
                  "grpc_server_threads", "busy", "limit"),
            _busy("Database connections", "数据库连接", "Share of connections in use; who waits a second for one gets 503.",
                  "db_pool_connections", "checked_out", "size", "service, role"),
        ],
    },
)  # fmt: skip
EVENTS = Dashboard(
    "events", "Highsea / Events", ["service"],
    {
        "Written 写出": [
            Panel("Oldest unpublished event", "最早未发布事件", "Age of the oldest outbox row; a second when all is well.", "s",
                  {"{{service}}": _fact("crm_outbox_oldest_age_seconds", "service")}, limit=60),
            Panel("Unpublished events", "未发布事件数", "Outbox rows not yet published.", "short",
                  {"{{service}}": _fact("crm_outbox_pending", "service")}),
            Panel("Published", "已发布", "Events published per second.", "cps",
                  {"{{service}}": _rate("crm_outbox_published_total", "service")}),
        ],
        "Read 读取": [
            Panel("Waiting events", "积压事件", "Events that a durable has not applied yet.", "short",
                  {"{{durable}}": _fact("crm_consumer_lag", "durable")}),
            Panel("Applied", "已处理", "Events applied per second.", "cps",
                  {"{{durable}}": _rate("crm_consumer_events_total", "durable")}),
            Panel("Delivered again", "重复投递", "Events per second that had been delivered before.", "cps",
                  {"{{durable}}": _rate("crm_consumer_redeliveries_total", "durable")}),
        ],
        "Wrong 异常": [
            Panel("Failures", "处理失败", "Events per second whose handling failed and will be tried again.", "cps",
                  {"{{durable}}": _rate("crm_consumer_failures_total", "durable")}),
            Panel("Dead letters", "死信", "Events put aside that wait to be repaired and replayed.", "short",
                  {"{{durable}}": _fact("crm_dlq_waiting", "durable")}, limit=1),
            Panel("Projection drift", "投影偏差", "Rows that differed from their owner's at the last daily check.", "short",
                  {"{{service}} {{projection}}": _fact("projection_drift", "service, projection")}, limit=1),
        ],
    },
)  # fmt: skip
WORK = Dashboard(
    "work", "Highsea / Imports and batches", ["service"],
    {
        "Imports 导入": [
            Panel("Imports under way", "进行中的导入", "Import jobs that have not ended, by status.", "short",
                  {"{{status}}": _fact("crm_import_jobs", "status", ', status=~"queued|validating|rehearsing|running|undoing"')}),
            Panel("Rows of running imports", "导入行数", "Rows that are done, and all rows, of the jobs that are rehearsed, written or undone.", "short",
                  {"{{state}}": _fact("crm_import_rows", "state")}),
            Panel("Results", "导入结果", "Rows per second that got their result, were rehearsed or undone, by outcome.", "cps",
                  {"{{outcome}}": _rate("crm_import_results_total", "outcome"),
                   "rehearsed: {{outcome}}": _rate("crm_import_rehearsed_total", "outcome"),
                   "undo: {{outcome}}": _rate("crm_import_undone_total", "outcome")}),
            Panel("Import queue", "导入队列", "Files to split, chunks to work and exports to write: not handled yet, and in somebody's hands.", "short",
                  {"{{durable}}": _fact("crm_consumer_lag", "durable", QUEUE),
                   "{{durable}} in hand": _fact("crm_consumer_unacknowledged", "durable", QUEUE)}),
            Panel("Exported rows", "导出行数", "Rows per second written into exported files.", "cps",
                  {"rows": f"sum(rate(crm_export_rows_total{{{SERVICE}}}{RATE}))"}),
            Panel("Import processes", "导入进程", "Processes that split files, work chunks and write exports; none while there is nothing to do.", "short",
                  {"processes": f'sum(up{{{SERVICE}, role="process"}})'}),
        ],
        "Batches and tasks 批量与定时": [
            Panel("Open batches", "进行中的批量操作", "Batches that are not over.", "short",
                  {"{{service}} {{status}}": _fact("crm_batches", "service, status")}),
            Panel("Records of open batches", "批量记录数", "Records that have their result, and all, of the open batches.", "short",
                  {"{{service}} {{state}}": _fact("crm_batch_items", "service, state")}),
            Panel("Failing tasks", "失败的定时任务", "Failed runs per hour.", "short",
                  {"{{service}} {{task}}":
                   f"sum by (service, task) (increase(crm_due_work_failures_total{{{SERVICE}}}[1h]))"}),
        ],
    },
)  # fmt: skip
MAIL = Dashboard(
    "mail", "Highsea / Mail and push", ["service"],
    {
        "E-mail 邮件": [
            Panel("E-mails not sent", "未发出邮件", "Due or tried, begun, refused (bounced, failed), given up (dead), or in doubt (uncertain).", "short",
                  {"{{status}}": _fact("crm_deliveries", "status")}),
            Panel("Attempts", "发送尝试", "E-mails tried per second: sent, or why not.", "cps",
                  {"{{outcome}}": _rate("crm_mail_attempts_total", "outcome")}),
        ],
        "Live hints 实时提示": [
            Panel("Open streams", "打开的连接", "Browsers that listen, and how many the processes take together.", "short",
                  {"{{state}}": f"sum by (state) (crm_push_streams{{{SERVICE}}})"}),
            Panel("Hints", "提示数", "Hints given to browsers per second.", "cps",
                  {"hints": f"sum(rate(crm_push_hints_total{{{SERVICE}}}{RATE}))"}),
        ],
    },
)  # fmt: skip
POOLS = Dashboard(
    "pools", "Highsea / Pools", ["service"],
    {
        "Customers 客户": [
            Panel("Customers in pools", "客户池客户数", "Customers that lie in pools, by kind of pool.", "short",
                  {"{{kind}}": _fact("crm_pool_customers", "kind")}),
            Panel("In and out", "进出", "Customers that came into pools of the kind or left them in the last 7 days.", "short",
                  {"{{kind}} {{direction}}": _fact("crm_pool_moves", "kind, direction")}),
            Panel("Days in the pool", "停留天数", "Of those that left in the last 7 days; half of them lay there longer.", "d",
                  {"{{kind}}": _fact("crm_pool_stay_days", "kind")}),
        ],
        "Use 使用": [
            Panel("Lost by owners", "负责人失去的客户", "In the last 7 days; again: they had lain in pools of the kind before.", "short",
                  {"{{kind}} {{time}}": _fact("crm_pool_returns", "kind, time")}),
            Panel("Claims touched", "领取后跟进", "Claims of the last 7 days: touched since, and not yet.", "short",
                  {"{{kind}} {{state}}": _fact("crm_pool_claims", "kind, state")}),
            Panel("Hours to the first touch", "首次跟进用时", "From the claim; half of the claims of the last 7 days took longer.", "h",
                  {"{{kind}}": _fact("crm_pool_first_touch_hours", "kind")}),
        ],
    },
)  # fmt: skip
DASHBOARDS = (OVERVIEW, EVENTS, WORK, MAIL, POOLS)

# ─── Grafana's format ───

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT = 24, 8


def grafana(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as Grafana 10 and later import it."""
    return {
        "uid": f"highsea-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["highsea"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [
            {"type": "dashboards", "title": "Highsea", "tags": ["highsea"], "asDropdown": True, "keepTime": True}
        ],
        "templating": {"list": list(_variables(["namespace", *dashboard.variables]))},
        "panels": list(_panels(dashboard.rows)),
    }


def _variables(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
    for place, name in enumerate(names):
        chosen = ", ".join(f'{before}=~"${before}"' for before in names[:place])
        query = f"label_values(crm_build_info{{{chosen}}}, {name})"
        yield {
            "type": "query",
            "name": name,
            "label": name.capitalize(),
            "datasource": DATASOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,  # when the time range changes
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _panels(rows: Mapping[str, Sequence[Panel]]) -> Iterator[dict[str, Any]]:
    """Rows and their panels with ids and places: three side by side, or two."""
    number, y = 0, 0
    for title, panels in rows.items():
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1},
            "panels": [],
        }
        y += 1
        across = 2 if len(panels) in (2, 4) else 3
        for place, panel in enumerate(panels):
            number += 1
            width = WIDTH // across
            at = {"x": place % across * width, "y": y + place // across * HEIGHT, "w": width, "h": HEIGHT}
            yield _panel(panel, number, at)
        y += -(-len(panels) // across) * HEIGHT


def _panel(panel: Panel, number: int, at: Mapping[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": f"{panel.about}\n\n{panel.chinese}",
        "gridPos": at,
        "datasource": DATASOURCE,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "color": {"mode": "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"fillOpacity": 10, "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"}},
            },
            "overrides": [],
        },
        "options": {
            "legend": {
                "displayMode": "table",
                "placement": "bottom",
                "showLegend": True,
                "calcs": ["lastNotNull", "max"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": DATASOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def files() -> dict[Path, str]:
    """Path → content of each dashboard."""
    return {
        FOLDER / f"{dashboard.name}.json": json.dumps(grafana(dashboard), ensure_ascii=False, indent=2) + "\n"
        for dashboard in DASHBOARDS
    }
