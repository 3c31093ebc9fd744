"""Figures of a report, each with the name of its MLflow metric, and the formatting of numbers as text."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

MINUTE = 60


@dataclass(frozen=True)
class Figure:
    """A metric of an MLflow run as a page shows it; run: a child run's id, or empty for the nightly run."""

    metric: str
    value: float
    text: str
    run: str = ""

    @property
    def attributes(self) -> Markup:
        """HTML attributes that name metric, exact value and child run, so that pages can be checked."""
        run = Markup(' data-run="{}"').format(self.run) if self.run else ""
        return Markup(' data-metric="{}" data-value="{!r}"{}').format(self.metric, self.value, run)

    def __html__(self) -> Markup:
        return Markup("<span{}>{}</span>").format(self.attributes, self.text)

    def __str__(self) -> str:
        return self.text


def count(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric as a whole number; None if the run lacks it."""
    return Figure(name, metrics[name], f"{metrics[name]:,.0f}", run) if name in metrics else None


def fraction(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric between 0 and 1, such as NDCG, with four decimals; None if the run lacks it."""
    return Figure(name, metrics[name], f"{metrics[name]:.4f}", run) if name in metrics else None


def elapsed(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric in seconds as a duration; None if the run lacks it."""
    return Figure(name, metrics[name], duration(metrics[name]), run) if name in metrics else None


def duration(seconds: float) -> str:
    """Seconds as text: 0.4 s, 12 s, 3 min 5 s, 1 h 2 min."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if round(seconds, 1) < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def percent(part: float, whole: float) -> str:
    """A share as text, such as 9.4 %; only 0 is shown as 0 %, and only the whole as 100 %."""
    value = 100 * part / whole if whole else 0.0
    if 0 < value < 0.1:
        return "under 0.1 %"
    if 99.9 < value < 100:
        return "over 99.9 %"
    return f"{value:.0f} %" if value == 0 or 10 <= value <= 99 or value == 100 else f"{value:.1f} %"


def join_words(words: list[str]) -> str:
    """Words as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def quantity(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: 1 run, 3 runs; plural: the noun's plural unless it ends in -s."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
