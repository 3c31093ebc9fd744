"""Figures of the night report: durations, shares and the metrics that they name."""

import pytest
from markupsafe import escape

from pipelines.report.figures import Figure, count, duration, join_words, percent, quantity

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3725, "1 h 2 min"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (1, "under 0.1 %"),
        (15, "0.1 %"),
        (940, "9.4 %"),
        (5000, "50 %"),
        (9999, "over 99.9 %"),
        (9950, "99.5 %"),
        (10**4, "100 %"),
    ],
)
def test_only_nothing_is_0_percent_and_only_all_is_100_percent(part, text):
    assert percent(part, 10**4) == text


def test_words_and_quantities_read_as_in_a_sentence():
    assert [join_words(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert (quantity(1, "run"), quantity(1200, "run")) == ("1 run", "1,200 runs")


def test_a_figure_carries_its_metric_and_exact_value():
    assert count({}, "rules") is None
    assert escape(count({"rules": 1234.0}, "rules")) == (
        '<span data-metric="rules" data-value="1234.0">1,234</span>'
    )
    assert escape(Figure("ndcg", 0.1 + 0.2, "0.3", run="child")) == (
        '<span data-metric="ndcg" data-value="0.30000000000000004" data-run="child">0.3</span>'
    )
