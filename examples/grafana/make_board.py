#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes the Grafana board: make_board.py > strait.json. To change the board, change ROWS here; a test compares the two.

A query may say what a panel should be limited to by the words SERVICE, POOL and STRAIT inside of braces; they become
matchers of the board's variables. RATE is the range that suits the step of the picture.
"""

import json

WIDTH = 24  # columns of Grafana's grid
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WORDS = {"STRAIT": 'job=~"strait.*", instance=~"$instance"', "SERVICE": 'instance=~"$instance", service=~"$service"',
         "POOL": 'instance=~"$instance", pool=~"$pool"', "RATE": "$__rate_interval"}


def query(expression, legend="", instant=False):
    for word, meaning in WORDS.items():
        expression = expression.replace(word, meaning)
    return {"datasource": SOURCE, "expr": expression, "legendFormat": legend, "instant": instant, "range": not instant,
            "format": "table" if instant else "time_series"}


def panel(kind, title, description, unit, *queries, width=8, height=8, options=None, custom=None, **defaults):
    targets = [{**q, "refId": chr(ord("A") + i)} for i, q in enumerate(queries)]
    return {"type": kind, "title": title, "description": description, "datasource": SOURCE, "targets": targets,
            "gridPos": {"w": width, "h": height}, "options": options or {},
            "fieldConfig": {"defaults": {"unit": unit, "custom": custom or {}, **defaults}, "overrides": []}}


def graph(title, description, unit, *queries, stacked=False, **options):
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"], "showLegend": True}
    custom = {"lineWidth": 1, "fillOpacity": 20 if stacked else 5, "showPoints": "never",
              "stacking": {"mode": "normal" if stacked else "none"}}
    options = {"min": 0, **options}
    return panel("timeseries", title, description, unit, *queries, custom=custom,
                 options={"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}, **options)


def number(title, description, unit, expression, red=None, red_below=None, width=3):
    """The figure of now; red from a value on, or below one."""
    steps = [{"color": "text", "value": None}]
    if red is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": red}]
    if red_below is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": red_below}]
    return panel("stat", title, description, unit, query(expression), width=width, height=4,
                 options={"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
                 thresholds={"mode": "absolute", "steps": steps})


def timeline(title, description, expression, legend, zero, one, width=12):
    """Bars over time of what is 0 or 1; each of the two is a pair of text and colour."""
    mappings = [{"type": "value", "options": {str(value): {"text": text, "color": color, "index": value}
                                              for value, (text, color) in enumerate((zero, one))}}]
    return panel("state-timeline", title, description, "none", query(expression, legend), width=width,
                 options={"mergeValues": True, "showValue": "never", "legend": {"showLegend": True}},
                 custom={"fillOpacity": 80, "lineWidth": 0}, mappings=mappings)


def table(title, description, labels, columns, width=24, height=8):
    """A row for each set of labels; columns are (name, unit, expression) of now."""
    queries = [query(expression, instant=True) for _, _, expression in columns]
    names = {"Value" if len(columns) == 1 else f"Value #{chr(ord('A') + i)}": c[0] for i, c in enumerate(columns)}
    made = panel("table", title, description, "short", *queries, width=width, height=height,
                 options={"showHeader": True})
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": names,
                                       "indexByName": {x: i for i, x in enumerate([*labels, *names])}}}]
    made["fieldConfig"]["overrides"] = [{"matcher": {"id": "byName", "options": name},
                                         "properties": [{"id": "unit", "value": unit}]} for name, unit, _ in columns]
    return made


def quantiles(metric, matcher, label):
    """Median, and what one in a hundred is above."""
    return [query(f"histogram_quantile({q}, sum by ({label}, le) (rate({metric}_bucket{{{matcher}}}[RATE])))",
                  f"{{{{{label}}}}} {name}") for q, name in ((0.5, "p50"), (0.99, "p99"))]


ROWS = {
    "At a glance": [
        number("strait up", "Instances that can be scraped.", "none", "sum(up{STRAIT})", red_below=1),
        number("Flows now", "TCP connections and UDP sessions that are open.", "short",
               "sum(strait_service_flows_active{SERVICE})"),
        number("New flows", "Flows that began, in a second.", "cps", "sum(rate(strait_service_flows_total{SERVICE}[RATE]))"),
        number("Traffic", "Bytes from clients and to clients together, in a second.", "Bps",
               "sum(rate(strait_service_bytes_total{SERVICE}[RATE]))"),
        number("Refused", "Flows that never reached a server, in a second.", "cps",
               "sum(rate(strait_service_refused_total{SERVICE}[RATE]))"),
        number("Servers not up", "Servers that are down, drained or in maintenance.", "none",
               "count(strait_server_up{POOL} == 0) or vector(0)", red=1),
        number("Pools without servers", "Pools of which no server can be used: their services refuse everything.",
               "none", "count(strait_pool_servers_available{POOL} == 0) or vector(0)", red=1),
        number("Unusual", "Services with more or less of something than is usual at this time.", "none",
               "sum(max by (instance, service) (strait_service_anomaly{SERVICE})) or vector(0)", red=1),
    ],
    "What is exposed": [
        table("Services", "Every service that listens, and what goes through it now.",
              ["instance", "service", "protocol"],
              [("flows now", "short", "sum by (instance, service, protocol) (strait_service_flows_active{SERVICE})"),
               ("flows in all", "short", "sum by (instance, service, protocol) (strait_service_flows_total{SERVICE})"),
               ("new flows", "cps", "sum by (instance, service, protocol) (rate(strait_service_flows_total{SERVICE}[RATE]))")]),
    ],
    "Traffic": [
        graph("New flows", "Flows that began, in a second.", "cps",
              query("sum by (service, protocol) (rate(strait_service_flows_total{SERVICE}[RATE]))",
                    "{{service}} {{protocol}}")),
        graph("Flows now", "TCP connections and UDP sessions that are open.", "short",
              query("sum by (service, protocol) (strait_service_flows_active{SERVICE})", "{{service}} {{protocol}}")),
        graph("Flow duration", "From begin to end, of flows that ended: the median, and what one in a hundred exceeds.",
              "s", *quantiles("strait_service_flow_duration_seconds", "SERVICE", "service")),
        graph("Bytes in", "From clients, in a second.", "Bps",
              query('sum by (service) (rate(strait_service_bytes_total{SERVICE, direction="in"}[RATE]))', "{{service}}")),
        graph("Bytes out", "To clients, in a second.", "Bps",
              query('sum by (service) (rate(strait_service_bytes_total{SERVICE, direction="out"}[RATE]))',
                    "{{service}}")),
        graph("Datagrams", "Of UDP services, in a second; in is from clients.", "pps",
              query("sum by (service, direction) (rate(strait_service_packets_total{SERVICE}[RATE]))",
                    "{{service}} {{direction}}")),
    ],
    "Refusals and ends": [
        graph("Refused, by reason", "Flows that never reached a server, in a second.", "cps",
              query("sum by (service, reason) (rate(strait_service_refused_total{SERVICE}[RATE])) > 0",
                    "{{service}} {{reason}}"), stacked=True),
        graph("Share refused", "Of all that clients asked for.", "percentunit",
              query("sum by (service) (rate(strait_service_refused_total{SERVICE}[RATE])) "
                    "/ (sum by (service) (rate(strait_service_refused_total{SERVICE}[RATE])) "
                    "+ sum by (service) (rate(strait_service_flows_total{SERVICE}[RATE])))", "{{service}}"), max=1),
        graph("Ended, by reason", "Why flows that had begun came to their end, in a second.", "cps",
              query("sum by (reason) (rate(strait_service_flows_ended_total{SERVICE}[RATE])) > 0", "{{reason}}"),
              stacked=True),
    ],
    "Unusual": [
        timeline("Unusual services", "When a service had more or less of something than is usual at that time.",
                 "max by (service, measure) (strait_service_anomaly{SERVICE})", "{{service}} {{measure}}",
                 ("usual", "green"), ("unusual", "orange"), width=24),
    ],
    "Servers": [
        timeline("Servers up", "When each server was up.", "min by (pool, server) (strait_server_up{POOL})",
                 "{{pool}}/{{server}}", ("not up", "red"), ("up", "green")),
        graph("Servers that can be used", "Of each pool.", "none",
              query("sum by (pool) (strait_pool_servers_available{POOL})", "{{pool}}"), width=12, decimals=0),
        graph("Flows now, by server", "Connections and sessions that are open; the twenty servers with most.", "short",
              query("topk(20, sum by (pool, server) (strait_server_flows_active{POOL}))", "{{pool}}/{{server}}")),
        graph("New flows, by server", "Flows that began, in a second; the twenty servers with most.", "cps",
              query("topk(20, sum by (pool, server) (rate(strait_server_flows_total{POOL}[RATE])))",
                    "{{pool}}/{{server}}")),
        graph("Bytes, by server", "In both directions, in a second; the twenty servers with most.", "Bps",
              query("topk(20, sum by (pool, server) (rate(strait_server_bytes_total{POOL}[RATE])))",
                    "{{pool}}/{{server}}")),
        graph("Connect duration", "Until a server has taken a TCP connection: the median, and what one in a hundred "
              "exceeds. Steps near 1 s and 3 s are lost packets.", "s",
              *quantiles("strait_server_connect_duration_seconds", "POOL", "pool")),
        graph("Connect failures", "Attempts that failed, in a second; the client may still be served by another server.",
              "cps", query("sum by (pool, server, reason) (rate(strait_server_connect_failures_total{POOL}[RATE])) > 0",
                           "{{pool}}/{{server}} {{reason}}")),
        graph("Health checks", "How long checks take: the median, and what one in a hundred exceeds.", "s",
              *quantiles("strait_health_check_duration_seconds", "POOL", "pool")),
        graph("Changes of state", "Of servers, in an hour: how often to which state.", "none",
              query("sum by (pool, server, to) (increase(strait_server_transitions_total{POOL}[1h])) > 0",
                    "{{pool}}/{{server}} {{to}}"), width=24, decimals=0),
    ],
    "Kernel path": [
        graph("Flows, by path", "Where the bytes of flows travel: through user space (relay), or in the kernel after they "
              "began in user space (offload) or from the first packet (nat).", "none",
              query("sum by (path) (strait_path_flows_active{STRAIT})", "{{path}}"), stacked=True, decimals=0),
        graph("Bytes, by path", "In both directions, in a second.", "Bps",
              query("sum by (path) (rate(strait_path_bytes_total{STRAIT}[RATE]))", "{{path}}"), stacked=True),
        graph("Places", "Flows in the kernel's table, and how many it has room for.", "none",
              query("strait_kernel_path_flows{STRAIT}", "{{instance}} flows"),
              query("strait_kernel_path_flows_max{STRAIT}", "{{instance}} places"), decimals=0),
        graph("Connections to be moved", "In a second: joined in the kernel, or else what was in the way.", "cps",
              query("sum by (result) (rate(strait_kernel_path_offload_total{STRAIT}[RATE]))", "{{result}}")),
        graph("Beginnings in the kernel", "In a second: flows that began there, and packets that did not begin one and why.", "cps",
              query("sum by (result) (rate(strait_kernel_path_nat_total{STRAIT}[RATE]))", "{{result}}")),
        graph("Packets", "In a second: sent on in the kernel, or else why not.", "pps",
              query("sum by (result) (rate(strait_kernel_path_packets_total{STRAIT}[RATE]))", "{{result}}")),
    ],
    "strait itself": [
        graph("Workers busy", "The share of time that each worker works, not waits.", "percentunit",
              query("strait_worker_busy_ratio{STRAIT}", "{{instance}} worker {{worker}}"), max=1),
        graph("Loop lag", "By how much turns of a worker are late: what one in a hundred exceeds.", "s",
              query("histogram_quantile(0.99, sum by (instance, worker, le) "
                    "(rate(strait_worker_loop_lag_seconds_bucket{STRAIT}[RATE])))", "{{instance}} worker {{worker}}")),
        graph("Processor", "Processors' worth of time that strait uses.", "none",
              query("rate(process_cpu_seconds_total{STRAIT}[RATE])", "{{instance}}")),
        graph("Memory", "What strait knows of, by kind, and the memory of the whole process.", "bytes",
              query("strait_memory_bytes{STRAIT}", "{{instance}} {{kind}}"),
              query("process_resident_memory_bytes{STRAIT}", "{{instance}} process")),
        graph("Descriptors", "Open, and how many may be: two for a TCP connection, one for a UDP session.", "short",
              query("process_open_fds{STRAIT}", "{{instance}} open"),
              query("process_max_fds{STRAIT}", "{{instance}} limit")),
        graph("Log records dropped", "In a second, because a sink was slower than they came.", "cps",
              query("rate(strait_log_dropped_total{STRAIT}[RATE])", "{{instance}} {{sink}}")),
        graph("Configuration generation", "Rises with every change that took effect.", "none",
              query("strait_config_generation{STRAIT}", "{{instance}}"), decimals=0),
        graph("Reloads", "In an hour, by result.", "none",
              query("increase(strait_config_reloads_total{STRAIT}[1h])", "{{instance}} {{result}}"), decimals=0),
        graph("Running for", "Since the last start.", "s",
              query("time() - strait_start_time_seconds{STRAIT}", "{{instance}}")),
        table("Versions", "What runs where.", ["instance", "version"],
              [("instances", "none", "count by (instance, version) (strait_build_info{STRAIT})")], height=5),
    ],
}


def laid_out(rows):
    """All panels with their places: from left to right, a new line where the next one does not fit."""
    panels, top = [], 0
    for title, content in rows.items():
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": WIDTH, "h": 1}})
        left, top, line_height = 0, top + 1, 0
        for made in content:
            size = made["gridPos"]
            if left + size["w"] > WIDTH:
                left, top, line_height = 0, top + line_height, 0
            panels.append({**made, "gridPos": {"x": left, "y": top, **size}})
            left, line_height = left + size["w"], max(line_height, size["h"])
        top += line_height
    return [{"id": i, **p} for i, p in enumerate(panels, 1)]


def variable(name, label, metric):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": f"label_values({metric}, {name})",
            "refresh": 2, "includeAll": True, "multi": True, "allValue": ".*", "sort": 1,
            "current": {"text": "All", "value": "$__all"}}


def board():
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    within = '{instance=~"$instance"}'
    return {
        "title": "strait", "uid": "strait", "tags": ["strait", "proxy"], "schemaVersion": 37, "version": 1,
        "description": "A Layer-4 reverse proxy: what is exposed, how much goes through it, and whether it is well.",
        "editable": True, "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [source, variable("instance", "Instance", "strait_start_time_seconds"),
                                variable("service", "Service", f"strait_service_flows_total{within}"),
                                variable("pool", "Pool", f"strait_server_up{within}")]},
        "annotations": {"list": [
            {"name": "Restarts", "datasource": SOURCE, "enable": True, "iconColor": "red", "titleFormat": "restart",
             "expr": "changes(strait_start_time_seconds{instance=~\"$instance\"}[1m]) > 0"},
            {"name": "New configurations", "datasource": SOURCE, "enable": True, "iconColor": "blue",
             "titleFormat": "configuration", "expr": "changes(strait_config_generation{instance=~\"$instance\"}[1m]) > 0"}]},
        "panels": laid_out(ROWS),
    }


if __name__ == "__main__":
    print(json.dumps(board(), indent=1))
