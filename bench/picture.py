# SPDX-License-Identifier: Apache-2.0
"""The picture of a run: for each workload, how many times better than each rival strait is, as bars (SVG)."""

from html import escape

COLOURS = {"haproxy": "#3b6ea8", "nginx": "#3f8f5b", "nftables": "#b8862f", "direct": "#8a8a8a",
           "floor": "#8e5ea2"}
WIDTH, LEFT, RIGHT = 860, 330, 60
BAR, GAP, TOP = 13, 16, 64
UNSTEADY = 4  # the highest ratio of a run divided by the lowest, when it tells nothing
RATIO_MAX = 4.0  # longer bars are cut and say their figure


def draw(summary):
    parts, y = [], TOP
    for workload in summary["workloads"]:
        bars = better_ratios(workload)
        if bars:
            parts.append(label(workload["title"], y + len(bars) * BAR / 2))
            for name, ratio in bars.items():
                parts.append(bar(name, ratio, y))
                y += BAR
            y += GAP
    return "\n".join([head(y), *scale(y), *parts, "</svg>"]) + "\n"


def better_ratios(workload):
    """Above 1 strait is better, also where less is better. What has no steady ratio is left out, and what is strait's own."""
    found = {}
    for name, result in workload["results"].items():
        if name not in COLOURS:
            continue
        ratio = result.get("strait_ratio")
        if ratio and 0 < ratio["high"] <= ratio["low"] * UNSTEADY:
            found[name] = ratio["median"] if workload["kind"] == "rate" else 1 / ratio["median"]
    return found


def x_of(ratio):
    return LEFT + (WIDTH - LEFT - RIGHT) * min(ratio, RATIO_MAX) / RATIO_MAX


def head(bottom):
    height = bottom + 24
    legend = "".join(f'<rect x="{LEFT + 110 * i}" y="34" width="11" height="11" fill="{colour}"/>'
                     f'<text x="{LEFT + 110 * i + 16}" y="44">{name}</text>'
                     for i, (name, colour) in enumerate(COLOURS.items()))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            f'font-size="11">\n<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
            f'<text x="16" y="22" font-size="15">How many times better strait is than ... (1 = equal)</text>\n{legend}')


def scale(bottom):
    lines = []
    for i in range(int(RATIO_MAX) + 1):
        colour, width = ("#333333", 1.5) if i == 1 else ("#dddddd", 1)
        lines.append(f'<line x1="{x_of(i):.1f}" y1="{TOP - 8}" x2="{x_of(i):.1f}" y2="{bottom}" stroke="{colour}" '
                     f'stroke-width="{width}"/>'
                     f'<text x="{x_of(i):.1f}" y="{bottom + 14}" text-anchor="middle">{i}</text>')
    return lines


def label(title, y):
    return f'<text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(title.partition(":")[0])}</text>'


def bar(name, ratio, y):
    return (f'<rect x="{LEFT}" y="{y}" width="{x_of(ratio) - LEFT:.1f}" height="{BAR - 2}" fill="{COLOURS[name]}"/>'
            f'<text x="{x_of(ratio) + 4:.1f}" y="{y + BAR - 3}">{ratio:.2f}</text>')
