"""Numbers of a report, each with the name that MLflow keeps it by, and how they are said."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

MINUTE = 60


@dataclass(frozen=True)
class Figure:
    """A metric of a run; without a run's id it is the night's own."""

    metric: str
    value: float
    shown: str
    run: str = ""

    @property
    def data(self) -> Markup:
        """The attributes by which a figure in the page says what it is."""
        of = Markup(' data-run="{}"').format(self.run) if self.run else ""
        return Markup(' data-metric="{}" data-value="{!r}"{}').format(self.metric, self.value, of)

    def __html__(self) -> Markup:
        return Markup("<span{}>{}</span>").format(self.data, self.shown)

    def __str__(self) -> str:
        return self.shown


def count(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric as a whole number; None where the run has none of it."""
    return Figure(name, metrics[name], f"{metrics[name]:,.0f}", run) if name in metrics else None


def share(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric between 0 and 1, an NDCG say; None where the run has none of it."""
    return Figure(name, metrics[name], f"{metrics[name]:.4f}", run) if name in metrics else None


def took(metrics: Mapping[str, float], name: str, run: str = "") -> Figure | None:
    """A metric in seconds as a duration; None where the run has none of it."""
    return Figure(name, metrics[name], duration(metrics[name]), run) if name in metrics else None


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.4 s, 12 s, 3 min 5 s."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if round(seconds, 1) < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def percent(part: float, whole: float) -> str:
    """A share as people say it: what isn't nothing is not said to be 0, nor what isn't all to be 100."""
    found = 100 * part / whole if whole else 0.0
    if 0 < found < 0.1:
        return "under 0.1 %"
    if 99.9 < found < 100:
        return "over 99.9 %"
    return f"{found:.0f} %" if found == 0 or 10 <= found <= 99 or found == 100 else f"{found:.1f} %"


def listed(said: list[str]) -> str:
    """Some words as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else "".join(said)


def many(number: int, one: str, more: str = "") -> str:
    """A number of things: 1 night, 3 nights."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"
