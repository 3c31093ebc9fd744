import re

from runs import record

from pipelines.report.waterfall import waterfall

BAR = re.compile(r'<rect x="([\d.]+)%".*? width="([\d.]+)%"')
LINES = {
    "fetched": 1000.0,
    "duplicate": 100.0,
    "later_than_the_night": 50.0,
    "bad_price": 10.0,
    "no_customer": 40.0,
    "no_product": 0.0,
    "returned": 20.0,
    "used": 780.0,
}


def test_each_bar_hangs_where_the_one_before_left_off():
    found = waterfall(record(metrics={f"rows_{fate}": lines for fate, lines in LINES.items()}))
    bars = {one.name: [float(part) for part in BAR.search(one.bar).groups()] for one in found.falls}
    assert bars == {
        "fetched": [0, 100],
        "duplicate": [90, 10],
        "later than the night": [85, 5],
        "no customer": [81, 4],
        "bad price": [80, 1],
        "returned": [78, 2],
        "used": [0, 78],
    }
    assert found.sentence == (
        "Of 1,000 order lines 780 (78 %) are good; 100 repeat others,"
        " 50 were set aside by 2 row rules and 20 take back purchases."
    )


def test_a_night_that_judged_no_line_says_so():
    found = waterfall(record(status="FAILED"))
    assert (found.sentence, found.falls) == (
        "No order line was judged: the night did not come that far.",
        [],
    )
