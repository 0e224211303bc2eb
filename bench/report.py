# SPDX-License-Identifier: Apache-2.0
"""What a run found: a summary for programs (JSON), a table for people, and the page in docs/."""

import platform
import statistics
import subprocess
from datetime import date
from pathlib import Path

import picture
from rig import CPUS, QUIET_PERCENT

DETAILS = {"p50_us": "p50 {:.0f} us", "p99.9_us": "p99.9 {:.0f} us",
           "offered_rate": "at {:,.0f}/s", "kernel_bytes": "kernel {:,.0f} bytes", "errors": "lost or failed {:,.0f}",
           "lost_percent": "lost {:.0f} %"}


def summarize(bench, chosen):
    return {"date": date.today().isoformat(), "machine": machine(), "rounds": bench.rounds, "seconds": bench.seconds,
            "samples": len(bench.busy_percents),
            "disturbed_samples": sum(b > QUIET_PERCENT for b in bench.busy_percents), "problems": bench.problems,
            "workloads": [summarize_workload(w, bench.samples[w.name]) for w in chosen]}


def machine():
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"kernel": platform.release(), "processor": model, "cpus_used": CPUS,
            "haproxy": version("haproxy", "-v"), "nginx": version("nginx", "-v")}


def version(*words):
    try:
        result = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return (result.stdout + result.stderr).splitlines()[0]


def summarize_workload(workload, samples):
    values = {name: [s["value"] for s in of_one] for name, of_one in samples.items()}
    results = {}
    for name, of_one in samples.items():
        if of_one:
            results[name] = {**spread(values[name]), "details": details(of_one), "samples": of_one}
            if name != "strait" and values.get("strait") and min(values[name]) > 0:
                results[name]["strait_ratio"] = spread(ratios(values["strait"], values[name]))
    if workload.kind == "rate" and "direct" in results:
        for result in results.values():
            result["added_us"] = cpu_us(workload, result["median"]) - cpu_us(workload, results["direct"]["median"])
    if workload.kind == "latency" and "direct" in results:
        for result in results.values():
            result["added_us"] = result["median"] - results["direct"]["median"]
    return {"name": workload.name, "title": workload.title, "unit": workload.unit, "kind": workload.kind,
            "digits": workload.digits, "per_unit": workload.per_unit, "results": results}


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def details(samples):
    """Medians of what else was measured; zero errors are not worth a word."""
    found = {k: statistics.median(s[k] for s in samples) for k in samples[0] if k != "value"}
    return {k: v for k, v in found.items() if k != "errors" or v}


def ratios(ours, theirs):
    """Round by round, as they were measured next to each other, if no round failed."""
    if len(ours) != len(theirs):
        return [statistics.median(ours) / statistics.median(theirs)]
    return [a / b for a, b in zip(ours, theirs)]


def cpu_us(workload, rate):
    """Processor time of the whole machine for one unit of work."""
    return CPUS * 1e6 / (rate * workload.units)


def text(summary):
    """All workloads, one table each."""
    lines = [f"{summary['rounds']} rounds of {summary['seconds']} s; medians, lowest and highest; "
             f"ratio = strait's value / the candidate's, round by round",
             f"other programs kept the processors busy around {summary['disturbed_samples']} of {summary['samples']} "
             "samples"]
    for workload in summary["workloads"]:
        better = "higher is better" if workload["kind"] == "rate" else "lower is better"
        added = f"   added CPU us per {workload['per_unit']}" if workload["per_unit"] else ""
        if workload["kind"] == "latency":
            added = "   added us"
        lines += ["", f"{workload['name']}: {workload['title']} ({better})",
                  f"  {'':10}{workload['unit']:>16}{'lowest - highest':>25}{'ratio':>8}{'lowest - highest':>20}{added}"]
        lines += [text_line(workload, name, result) for name, result in workload["results"].items()]
    lines += [f"PROBLEM {problem}" for problem in summary["problems"]]
    return "\n".join(lines)


def text_line(workload, name, result):
    def number(value):
        return f"{value:,.{workload['digits']}f}"
    line = f"  {name:10}{number(result['median']):>16}{number(result['low']) + ' - ' + number(result['high']):>25}"
    ratio = result.get("strait_ratio")
    low_high = f"{ratio['low']:.2f} - {ratio['high']:.2f}" if ratio else ""
    line += f"{ratio['median']:>8.2f}{low_high:>20}" if ratio else " " * 28
    if "added_us" in result:
        line += f"{result['added_us']:>12.2f}"
    told = [DETAILS[k].format(v) for k, v in result["details"].items() if k in DETAILS]
    return f"{line}   {', '.join(told)}".rstrip()


def markdown(summary):
    """One row for each workload: medians, and in brackets how many times better strait is; then the same for the kernel path."""
    lines = table(summary, ["strait", *picture.COLOURS], markdown_cell)
    made = summary["machine"]
    rivals = ", ".join(made[name].split(" - ")[0] for name in ("haproxy", "nginx") if made[name])
    lines += ["", f"Measured {summary['date']}: {summary['rounds']} rounds of {summary['seconds']} s, {made['cpus_used']} CPUs "
              f"({made['processor']}), Linux {made['kernel']}, {rivals}. In brackets: strait's figure divided by this one, "
              "round by round; medians.",
              "", "The kernel path, in the same rounds; in brackets the figure divided by that of direct routing, or the difference:", ""]
    lines += table(summary, ["direct", "offload", "nat", "nftables"], kernel_cell)
    return "\n".join(lines)


def table(summary, names, cell):
    lines = ["| work | unit | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
    for workload in summary["workloads"]:
        cells = [cell(workload, name) for name in names]
        lines.append(f"| {workload['title']} | {workload['unit']} | " + " | ".join(cells) + " |")
    return lines


def shown(workload, result):
    return f"{result['median']:,.{workload['digits']}f}"


def markdown_cell(workload, name):
    result = workload["results"].get(name)
    if not result:
        return ""
    cell = shown(workload, result)
    ratio = result.get("strait_ratio")
    if not ratio:
        return cell
    is_steady = ratio["high"] <= ratio["low"] * picture.UNSTEADY
    return f"{cell} ({ratio['median']:.2f})" if is_steady else f"{cell} (unsteady)"


def kernel_cell(workload, name):
    result, direct = workload["results"].get(name), workload["results"].get("direct")
    if not result:
        return ""
    if name == "direct" or workload["kind"] == "memory":
        return shown(workload, result)
    if workload["kind"] == "latency":
        return f"{shown(workload, result)} ({result['median'] - direct['median']:+.1f})"
    values = [[s["value"] for s in of_one["samples"]] for of_one in (result, direct)]
    return f"{shown(workload, result)} ({statistics.median(ratios(*values)):.2f})"


def publish(summary, docs):
    """Replaces the table of docs/performance.md, and the picture beside it."""
    replace_section(docs / "performance.md", "bench", markdown(summary))
    (docs / "performance.svg").write_text(picture.draw(summary))


def replace_section(page, name, text):
    """Replaces what a page has between the two marks of a table."""
    begin, end = f"<!-- {name}: table begins -->", f"<!-- {name}: table ends -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
