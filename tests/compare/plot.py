# SPDX-License-Identifier: MIT
"""The comparison's plots as SVG, by hand: no library is needed."""

import math
import statistics
from html import escape

OURS, KERNEL = "#0b6bcb", "#c2410c"
STYLE = """<style>text{font:12px system-ui,sans-serif;fill:#333} .t{font-size:14px;font-weight:600}
.g{stroke:#ddd} .one{stroke:#555;stroke-width:1.5} .s{fill:#777;font-size:11px}</style>"""


class Svg:
    def __init__(self, width, height, title):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
                      f'width="{width}" height="{height}" role="img">', f"<title>{escape(title)}</title>", STYLE,
                      f'<rect width="{width}" height="{height}" fill="#fff"/>']
        self.text(16, 22, title, css="t")

    def line(self, x1, y1, x2, y2, css="", **style):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
                          + (f' class="{css}"' if css else "") + attributes(style) + "/>")

    def dot(self, x, y, color, r=4.0, **style):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{color}"{attributes(style)}/>')

    def text(self, x, y, text, anchor="start", css=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
                          + (f' class="{css}"' if css else "") + f">{escape(text)}</text>")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(self.parts) + "\n</svg>\n")


def attributes(style):
    return "".join(f' {k.replace("_", "-")}="{v}"' for k, v in style.items())


def ratios(points, path):
    """One row a point: the ratio on a logarithmic scale, its interval as a bar, each pair as a small dot."""
    row, top, left, width = 22, 64, 200, 820
    low = min([0.5] + [min(p["ratios"]) for p in points])
    high = max([2.0] + [max(p["ratios"]) for p in points])
    low, high = math.log(max(low, 1e-3)) - 0.05, math.log(min(high, 1e3)) + 0.05
    x = lambda r: left + (width - left - 90) * (min(max(math.log(r), low), high) - low) / (high - low)
    bottom = top + row * len(points)
    svg = Svg(width, bottom + 40, "Ours over the kernel's (times: the other way round); right of 1 ours is better")
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1, 1.2, 1.4, 2, 3, 5, 10, 20, 50, 100)
             if low <= math.log(t) <= high]
    for t in ticks:
        svg.line(x(t), top - 8, x(t), bottom, css="one" if t == 1 else "g")
    last = -100.0
    for t in sorted(ticks, key=lambda t: t != 1):
        if t == 1 or (abs(x(t) - x(1)) > 28 and abs(x(t) - last) > 28):
            svg.text(x(t), bottom + 18, f"{t:g}", anchor="middle")
            last = x(t)
    svg.text(16, 44, "geometric mean of the pairs, 95 % interval; small: each pair", css="s")
    for i, p in enumerate(points):
        y = top + row * i + row / 2
        color = "#777" if p["low"] is None or p["low"] <= 1 <= p["high"] else OURS if p["ratio"] > 1 else KERNEL
        svg.text(left - 14, y + 4, f"{p['name']} ({p['cc']})", anchor="end")
        for r in p["ratios"]:
            svg.dot(x(r), y + 7, color, r=1.6, opacity=0.6)
        if p["low"]:
            svg.line(x(p["low"]), y, x(p["high"]), y, stroke=color, stroke_width=3)
        svg.dot(x(p["ratio"]), y, color, r=4.5)
        svg.text(width - 14, y + 4, f"{p['ratio']:.2f}", anchor="end")
    svg.save(path)


def scale(top_value):
    """A step for about five lines."""
    step = 10 ** math.floor(math.log10(top_value / 5))
    return next(step * k for k in (1, 2, 5, 10) if top_value / (step * k) <= 6)


def goodput_over_loss(points, path):
    """A panel for each congestion control and round trip time: goodput of both over the loss."""
    plain = [p for p in points if p["unit"] == "Mbit/s" and p["group"] in ("cubic", "bbr")]
    keys = list(dict.fromkeys((p["cc"], p["group"], p["rtt"]) for p in plain))
    panel, high, top = 250, 190, 86
    svg = Svg(max(1, len(keys)) * panel + 40, top + high + 32, "Goodput over random loss, Mbit/s")
    svg.dot(20, 40, OURS)
    svg.text(30, 44, "ours")
    svg.dot(80, 40, KERNEL)
    svg.text(90, 44, "kernel; median of the pairs, least and most")
    for i, key in enumerate(keys):
        here = sorted((p for p in plain if (p["cc"], p["group"], p["rtt"]) == key), key=lambda p: p["loss"])
        left = 50 + i * panel
        most = max(max(p["ours"] + p["kernel"]) for p in here) * 1.05
        worst = max(1.0, max(p["loss"] for p in here))
        x = lambda loss: left + 10 + (panel - 70) * loss / worst
        y = lambda v: top + high - high * v / most
        step = scale(most)
        for k in range(int(most / step) + 1):
            svg.line(left, y(k * step), left + panel - 50, y(k * step), css="g")
            svg.text(left - 6, y(k * step) + 4, f"{k * step:g}", anchor="end", css="s")
        for loss in dict.fromkeys(p["loss"] for p in here):
            svg.text(x(loss), top + high + 16, f"{loss:g} %", anchor="middle", css="s")
        svg.text(left, top - 10, f"{key[0]}, {key[2]:g} ms")
        for who, color, shift in (("kernel", KERNEL, -2), ("ours", OURS, 2)):
            at = [(x(p["loss"]) + shift, y(statistics.median(p[who]))) for p in here]
            for a, b in zip(at, at[1:]):
                svg.line(*a, *b, stroke=color, stroke_width=1.5)
            for p, (px, py) in zip(here, at):
                svg.line(px, y(min(p[who])), px, y(max(p[who])), stroke=color, stroke_width=1.5, opacity=0.5)
                svg.dot(px, py, color)
    svg.save(path)
