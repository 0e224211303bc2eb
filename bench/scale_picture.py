# SPDX-License-Identifier: Apache-2.0
"""The picture of scale.py: for each part a chart of cost over size, both axes beginning at their least (SVG)."""

import math
from html import escape

COLOURS = ["#3b6ea8", "#8a8a8a", "#3f8f5b", "#b8862f", "#8b4f9f"]
WIDTH, HEIGHT, LEFT, TOP = 430, 250, 56, 46
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - 24, HEIGHT - TOP - 44
COLUMNS = 2
LETTER_WIDTH = 5.6


def draw(parts):
    rows = -(-len(parts) // COLUMNS)
    charts = [f'<g transform="translate({i % COLUMNS * WIDTH},{i // COLUMNS * HEIGHT})">{chart(part)}</g>'
              for i, part in enumerate(parts)]
    width, height = COLUMNS * WIDTH, rows * HEIGHT
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
                      f'font-size="11">', f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *charts,
                      "</svg>"]) + "\n"


def chart(part):
    """Costs are drawn from 0, sizes by their logarithm: what grows with the logarithm is a straight line."""
    top = nice_top(max(max(costs.values()) for costs in part.costs.values()))
    first, last = math.log10(part.sizes[0]), math.log10(part.sizes[-1])

    def x(size):
        return LEFT + PLOT_WIDTH * (math.log10(size) - first) / (last - first)

    def y(cost):
        return TOP + PLOT_HEIGHT * (1 - cost / top)

    drawn = [f'<text x="{LEFT}" y="16" font-size="12">{escape(part.title.partition(",")[0])} (us)</text>']
    for i in range(5):
        cost = top * i / 4
        drawn.append(f'<line x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{y(cost):.1f}" y2="{y(cost):.1f}" stroke="#dddddd"/>'
                     f'<text x="{LEFT - 6}" y="{y(cost) + 4:.1f}" text-anchor="end">{cost:g}</text>')
    for size in part.sizes:
        drawn.append(f'<text x="{x(size):.1f}" y="{TOP + PLOT_HEIGHT + 16}" text-anchor="middle">{size:,}</text>')
    drawn.append(f'<text x="{LEFT + PLOT_WIDTH / 2}" y="{TOP + PLOT_HEIGHT + 32}" text-anchor="middle">{part.axis}</text>')
    label_x = LEFT
    for i, (kind, costs) in enumerate(part.costs.items()):
        points = " ".join(f"{x(size):.1f},{y(cost):.1f}" for size, cost in sorted(costs.items()))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>'
                     f'<text x="{label_x}" y="34" fill="{COLOURS[i]}">{kind}</text>')
        label_x += len(kind) * LETTER_WIDTH + 10
    return "\n".join(drawn)


def nice_top(value):
    """The next of 1, 2, 4, 8 times a power of ten, so that quarters of it are round."""
    power = 10 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)
