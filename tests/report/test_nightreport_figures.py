import pytest
from markupsafe import escape

from pipelines.report.figures import Figure, count, duration, listed, many, percent


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3725, "1 h 2 min"),
    ],
)
def test_seconds_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("part", "said"),
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
def test_a_share_of_ten_thousand_is_said_as_people_say_it(part, said):
    assert percent(part, 10**4) == said


def test_lists_and_numbers_of_things():
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert (many(1, "night"), many(1200, "night")) == ("1 night", "1,200 nights")


def test_a_figure_says_which_metric_it_is_with_every_digit():
    assert count({}, "rules") is None
    assert escape(count({"rules": 1234.0}, "rules")) == (
        '<span data-metric="rules" data-value="1234.0">1,234</span>'
    )
    assert escape(Figure("ndcg", 0.1 + 0.2, "0.3", run="child")) == (
        '<span data-metric="ndcg" data-value="0.30000000000000004" data-run="child">0.3</span>'
    )
