"""SVG drawings that fill the width of their container.

x is in percent of the width and y in pixels, so that texts and marks keep their size. A kind is a class of
`style.css`; kinds differ in shape, hatch or dash, never in colour alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

Point = tuple[float, float]  # x in percent, y in pixels

EMPTY = Markup("")

# Paths around (0, 0), in pixels.
SHAPES = {
    "triangle": "M0-6 6 5-6 5z",
    "diamond": "M0-6 6 0 0 6-6 0z",
    "square": "M-4.5-4.5h9v9h-9z",
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "cross": "M-5-5 5 5M-5 5 5-5",
    "bar": "M0-7V7",
    "dot": "M-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
}


@dataclass(frozen=True)
class Scale:
    """A linear map from values between low and high to positions between first and last."""

    low: float
    high: float
    first: float = 1.0
    last: float = 99.0

    def __call__(self, value: float) -> float:
        """The position of a value; the middle if low equals high."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.first + share * (self.last - self.first)


def drawing(height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """An svg element of a height in pixels; label: its text for screen readers."""
    content = Markup("").join(parts)
    return Markup('<svg width="100%" height="{:g}" role="img" aria-label="{}">{}</svg>').format(
        height, label, content
    )


def line(start: Point, end: Point, kind: str) -> Markup:
    """A line between two points."""
    return Markup('<line x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}" class="{}"/>').format(
        *start, *end, kind
    )


def lines(points: Sequence[Point], kind: str) -> Markup:
    """Lines from each point to the next."""
    return Markup("").join(line(start, end, kind) for start, end in pairwise(points))


def rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle; with width 0 only its outline shows."""
    return Markup('<rect x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}" class="{}"/>').format(
        x, y, width, height, kind
    )


def mark(shape: str, point: Point, kind: str, title: str = "", attributes: Markup = EMPTY) -> Markup:
    """A shape of SHAPES at a point; title: its tooltip; attributes: further ones of its element."""
    tooltip = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<svg x="{:.2f}%" y="{:.1f}" class="mark"{}>{}<path d="{}" class="{}"/></svg>').format(
        *point, attributes, tooltip, SHAPES[shape], kind
    )


def legend_sign(shape: str, kind: str) -> Markup:
    """A mark in a drawing of its own, for a legend, hidden from screen readers."""
    return Markup('<svg width="16" height="16" aria-hidden="true">{}</svg>').format(
        mark(shape, (50, 8), kind)
    )


def text(point: Point, content: str, kind: str = "", anchor: str = "start") -> Markup:
    """A text whose start, middle or end (anchor) is at a point."""
    return Markup('<text x="{:.2f}%" y="{:.1f}" text-anchor="{}" class="{}">{}</text>').format(
        *point, anchor, kind, content
    )
