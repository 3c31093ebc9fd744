"""Drawings as wide as their place: x in percent of it, y in pixels, so that texts and marks keep their size.

Kinds are classes of `style.css`; what differs by kind differs in shape, hatch or dash, not in colour alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

Point = tuple[float, float]

NOTHING = Markup("")

# Around (0, 0), in pixels.
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
    """Values between low and high as places between first and last."""

    low: float
    high: float
    first: float = 1.0
    last: float = 99.0

    def __call__(self, value: float) -> float:
        """The place of a value; the middle where low is high."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.first + share * (self.last - self.first)


def drawing(height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """The drawing of some parts; label: what it shows, for who doesn't see it."""
    inside = Markup("").join(parts)
    return Markup('<svg width="100%" height="{:g}" role="img" aria-label="{}">{}</svg>').format(
        height, label, inside
    )


def line(start: Point, end: Point, kind: str) -> Markup:
    """A line from one point to another."""
    return Markup('<line x1="{:.2f}%" y1="{:.1f}" x2="{:.2f}%" y2="{:.1f}" class="{}"/>').format(
        *start, *end, kind
    )


def lines(points: Sequence[Point], kind: str) -> Markup:
    """A line through points."""
    return Markup("").join(line(start, end, kind) for start, end in pairwise(points))


def rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    """A rectangle; one of no width is still seen, by its outline."""
    return Markup('<rect x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}" class="{}"/>').format(
        x, y, width, height, kind
    )


def mark(shape: str, at: Point, kind: str, title: str = "", data: Markup = NOTHING) -> Markup:
    """A shape of SHAPES at a point; title: what a pointer over it is told; data: attributes."""
    told = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<svg x="{:.2f}%" y="{:.1f}" class="mark"{}>{}<path d="{}" class="{}"/></svg>').format(
        *at, data, told, SHAPES[shape], kind
    )


def text(at: Point, said: str, kind: str = "", anchor: str = "start") -> Markup:
    """A text that begins (start), has its middle or ends at a point."""
    return Markup('<text x="{:.2f}%" y="{:.1f}" text-anchor="{}" class="{}">{}</text>').format(
        *at, anchor, kind, said
    )
