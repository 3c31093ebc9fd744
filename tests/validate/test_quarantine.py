"""Quarantined lines can be listed, shown and released with the command `nightshelf quarantine`."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import rich

from pipelines import cli
from pipelines.extract.staging import RAW_ORDERS
from pipelines.lake import tables
from pipelines.validate.quarantine import USABLE

COMMAND = Path(sys.executable).with_name("nightshelf")
SCHEMA = RAW_ORDERS.append(pa.field("rule", pa.string())).append(pa.field("run", pa.string()))
PSEUDONYM = "5d41402abc4b2a76b9719d911017c592" * 2
NIGHT, BEFORE = "2026-01-31", "2026-01-30"
CONTENT = ["order_id", "ordered_at", "product", "quantity", "unit_price"]
UNREADABLE = dict.fromkeys(
    ["order_id", "ordered_at", "customer", "product", "quantity", "unit_price", "name"]
)


def line(rule, order, **changes):
    """A quarantined line that failed a row check: a valid line with these changes."""
    valid = {"order_id": order, "line": 1, "ordered_at": "2026-01-20 10:00:00", "customer": PSEUDONYM}
    valid |= {
        "product": "A",
        "quantity": "2",
        "unit_price": "9.90",
        "name": "Tea",
        "source": "shop",
        "page": 7,
    }
    return (
        valid | {"rule": rule, "run": "r", "extracted_at": dt.datetime(2026, 2, 1, tzinfo=dt.UTC)} | changes
    )


LINES = [
    line("huge_quantity", "o1", quantity="200000"),
    line("huge_quantity", "o1", quantity="300000", line=2, ordered_at="2026-01-22T10:00:00Z"),
    line("huge_quantity", "o2", quantity="-500000", ordered_at="2026-01-21"),
    line("no_customer", "o3", customer=None, unit_price=None),
    line("no_customer", "o3", customer=None, unit_price=None, line=2, name="Tea, green"),
    line("bad_price", "o4", unit_price="free", ordered_at="20.01.2026"),
    line("unreadable_line", None, **UNREADABLE, fault="has 2 columns, the header 7", source="a.csv", line=3),
]


def quarantine(lines, night=NIGHT):
    tables.write(tables.QUARANTINE.format(day=night), pa.Table.from_pylist(lines, schema=SCHEMA))


@pytest.fixture
def nightshelf(home, monkeypatch, capsys):
    """A function that runs the command in this process and returns its lines, of stderr if it failed."""

    def run(*arguments, width=200):
        monkeypatch.setattr(sys, "argv", ["nightshelf", "quarantine", *arguments])
        rich.reconfigure(width=width)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        output = capsys.readouterr()
        assert PSEUDONYM not in output.out + output.err
        assert bool(output.err) == bool(ended.value.code) != bool(output.out)
        return (output.err or output.out).splitlines()

    yield run
    rich.reconfigure()


def cells(lines):
    """The rows of a printed table."""
    return [[cell.strip() for cell in row[1:-1].split("│")] for row in lines if row.startswith("│")]


def released():
    return tables.read(tables.RELEASES).to_pylist()


def test_list_counts_the_lines_of_each_row_check(nightshelf):
    quarantine(LINES)
    quarantine(LINES[:2], BEFORE)
    *table, total = nightshelf("list")
    assert cells(table) == [
        ["huge_quantity", "3", "2", "2026-01-20", "2026-01-22", "0"],
        ["no_customer", "2", "1", "2026-01-20", "2026-01-20", "0"],
        ["bad_price", "1", "1", "-", "-", "0"],
        ["unreadable_line", "1", "0", "-", "-", "0"],
    ]
    assert total == f"nightly run of {NIGHT}: 7 order lines in quarantine"
    total = f"nightly run of {BEFORE}: 2 order lines in quarantine"
    assert nightshelf("list", "--night", BEFORE)[-1] == total


@pytest.mark.parametrize("rule", [*USABLE, "no_product", "unparsable_time"])
def test_every_row_check_can_be_released(nightshelf, rule):
    quarantine([line(rule, "o1")])
    assert cells(nightshelf("list"))[0][-1] == "0"
    message = " ".join(nightshelf("release", rule, "--reason", "checked"))
    assert message.startswith("released 1 order lines ")
    assert ("accepts them as lost" in message) == (rule not in USABLE)
    assert cells(nightshelf("list"))[0][-1] == "1"


def test_a_release_of_an_unreadable_line_covers_no_other_line(nightshelf):
    quarantine(LINES)
    nightshelf("release", "unreadable_line", "--reason", "a footer")
    (row,) = released()
    assert (row["source"], row["line"], row["order_id"]) == ("a.csv", 3, None)
    quarantine([LINES[-1], LINES[-1] | {"line": 9}])
    assert cells(nightshelf("list"))[0][-1] == "1"


def test_releases_of_an_older_version_still_count(nightshelf):
    quarantine(LINES)
    nightshelf("release", "huge_quantity", "--reason", "a bulk buyer")
    tables.write(tables.RELEASES, tables.read(tables.RELEASES).drop_columns(["source", "line"]))
    assert nightshelf("release", "no_customer", "--reason", "guests")[0].startswith("released 2")
    assert [row[-1] for row in cells(nightshelf("list"))] == ["3", "2", "0", "0"]


def test_an_empty_quarantine(nightshelf):
    quarantine([])
    assert nightshelf("list") == [f"nightly run of {NIGHT}: 0 order lines in quarantine"]
    assert "row checks that lines failed: none" in nightshelf("show", "no_customer")[0]


def test_before_the_first_nightly_run(nightshelf):
    assert nightshelf("list") == ["there is no nightly run yet: run `nightshelf retrain`"]
    for arguments in (["show", "no_customer"], ["release", "no_customer", "--reason", "checked"]):
        assert nightshelf(*arguments) == [
            "nightshelf: there is no quarantine yet: run `nightshelf retrain` first"
        ]


def test_skips_a_run_that_was_killed_before_it_wrote_its_quarantine(nightshelf, home):
    quarantine(LINES)
    (home / "lake" / tables.QUARANTINE.format(day="2026-02-01") / "half a version").mkdir(parents=True)
    assert nightshelf("list")[-1].startswith(f"nightly run of {NIGHT}: 7")


@pytest.mark.parametrize("arguments", [["list"], ["show", "bad_price"], ["release", "x", "--reason", "y"]])
def test_names_the_newest_run_if_there_is_no_run_of_that_day(nightshelf, arguments):
    quarantine(LINES)
    (error,) = nightshelf(*arguments, "--night", "2026-01-29")
    assert error.startswith("nightshelf: there is no quarantine of '2026-01-29'")
    assert NIGHT in error


def test_show_lists_the_lines_as_received_newest_first(nightshelf):
    quarantine(LINES)
    *table, total = nightshelf("show", "huge_quantity")
    assert cells(table) == [
        ["o1", "2", "2026-01-22T10:00:00Z", "A", "300000", "9.90", "Tea", "yes", "shop/7", "-"],
        ["o2", "1", "2026-01-21", "A", "-500000", "9.90", "Tea", "yes", "shop/7", "-"],
        ["o1", "1", "2026-01-20 10:00:00", "A", "200000", "9.90", "Tea", "yes", "shop/7", "-"],
    ]
    assert total == f"nightly run of {NIGHT}: 3 of 3 lines"
    first = nightshelf("show", "huge_quantity", "--n", "1")
    assert (cells(first), first[-1]) == (cells(table)[:1], f"nightly run of {NIGHT}: 1 of 3 lines")
    assert cells(nightshelf("show", "huge_quantity", "--order", "o2")) == cells(table)[1:2]
    quarantine(LINES[:1], BEFORE)
    assert cells(nightshelf("show", "huge_quantity", "--night", BEFORE)) == cells(table)[2:]


def test_show_marks_missing_values(nightshelf):
    quarantine(LINES)
    assert [row[1:8] for row in cells(nightshelf("show", "no_customer"))] == [
        ["1", "2026-01-20 10:00:00", "A", "2", "-", "Tea", "no"],
        ["2", "2026-01-20 10:00:00", "A", "2", "-", "Tea, green", "no"],
    ]
    (row,) = cells(nightshelf("show", "unreadable_line"))
    assert row == ["-", "3", *"-----", "no", "a.csv/7", "has 2 columns, the header 7"]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("[red]Tea[/red] [/]", "[red]Tea[/red] [/]"),
        ("Tea\x1b[2J\x1b]0;owned\x07\n", r"Tea\x1b[2J\x1b]0;owned\x07\n"),
        ("Чай :heart: 茶", "Чай :heart: 茶"),
    ],
)
def test_show_prints_markup_and_control_characters_as_text(nightshelf, name, printed):
    quarantine([line("huge_quantity", "[bold]1[/]", name=name)])
    (row,) = cells(nightshelf("show", "huge_quantity"))
    assert (row[0], row[6]) == ("[bold]1[/]", printed)


def test_a_narrow_terminal_truncates_nothing(nightshelf):
    order = "0f8fad5b-d9cb-469f-a165-70867728950e"
    quarantine([line("placeholder_customer", order)])
    rows = cells(nightshelf("show", "placeholder_customer", width=80))
    assert "".join(row[0] for row in rows) == order
    rows = cells(nightshelf("list", width=60))
    assert "".join(row[0] for row in rows) == "placeholder_customer"


def test_release_writes_the_table_that_the_next_run_reads(nightshelf):
    quarantine(LINES)
    before = dt.datetime.now(dt.UTC)
    message = " ".join(nightshelf("release", "huge_quantity", "--reason", " a bulk buyer "))
    assert message.startswith("released 3 order lines (0 were released before)")
    assert "nightshelf retrain" in message
    releases = tables.read(tables.RELEASES)
    assert releases.schema.names == [*CONTENT, "source", "line", "rule", "reason", "released_at"]
    assert releases.schema.field("released_at").type == pa.timestamp("us", "UTC")
    rows = releases.to_pylist()
    assert all(before <= row.pop("released_at") <= dt.datetime.now(dt.UTC) for row in rows)
    assert sorted(rows, key=lambda row: row["quantity"]) == [
        {name: line[name] for name in (*CONTENT, "rule")}
        | {"source": None, "line": None, "reason": "a bulk buyer"}
        for line in sorted(LINES[:3], key=lambda line: line["quantity"])
    ]


def test_releases_accumulate_without_duplicates(nightshelf):
    quarantine(LINES)
    nightshelf("release", "huge_quantity", "--order", "o2", "--reason", "asked the buyer")
    assert [row["order_id"] for row in released()] == ["o2"]
    (first,) = released()
    message = " ".join(nightshelf("release", "huge_quantity", "--reason", "all are good"))
    assert message.startswith("released 2 order lines (1 were released before)")
    assert released()[0] == first
    assert sorted(row["order_id"] for row in released()) == ["o1", "o1", "o2"]
    again = " ".join(nightshelf("release", "huge_quantity", "--reason", "once more"))
    assert again.startswith("released 0 order lines")
    assert len(released()) == 3
    assert [row[-1] for row in cells(nightshelf("list"))] == ["3", "0", "0", "0"]


def test_lines_with_the_same_content_are_one_release_even_without_a_price(nightshelf):
    quarantine(LINES)
    assert nightshelf("release", "no_customer", "--reason", "guests")[0].startswith("released 2 order lines")
    (row,) = released()
    assert (row["order_id"], row["unit_price"]) == ("o3", None)
    assert cells(nightshelf("list"))[1][-1] == "2"


@pytest.mark.parametrize("changed", [*CONTENT, "rule"])
def test_a_release_does_not_cover_a_changed_line(nightshelf, changed):
    quarantine([line("huge_quantity", "o1")])
    nightshelf("release", "huge_quantity", "--reason", "checked")
    quarantine([line("huge_quantity", "o1"), line("huge_quantity", "o1") | {changed: "no_customer"}], BEFORE)
    quarantine([line("huge_quantity", "o1") | {changed: "no_customer"}])
    assert cells(nightshelf("list"))[0][-1] == "0"
    assert sum(int(row[-1]) for row in cells(nightshelf("list", "--night", BEFORE))) == 1


def test_releases_several_orders_of_an_earlier_run(nightshelf):
    quarantine([line("price_outlier", order) for order in ("o1", "o2", "o3")], BEFORE)
    quarantine(LINES)
    orders = ["--order", "o1", "--order", "o3"]
    nightshelf("release", "price_outlier", *orders, "--night", BEFORE, "--reason", "a sale")
    assert sorted(row["order_id"] for row in released()) == ["o1", "o3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["huge_quantity", "--reason", " "], "--reason is empty"),
        (
            ["huge_quantity", "--reason", "x", "--order", "o1", "--order", "o3"],
            "no line of order 'o3' failed",
        ),
        (["hugequantity", "--reason", "x"], "'hugequantity'; row checks that lines failed: bad_price, "),
        (["price_outlier", "--reason", "x"], f"no line of the nightly run of {NIGHT} failed 'price_outlier'"),
    ],
)
def test_release_fails_in_one_line_without_releasing_anything(nightshelf, arguments, message):
    quarantine(LINES)
    (error,) = nightshelf("release", *arguments)
    assert error.startswith("nightshelf: ")
    assert message in error
    assert tables.entries(tables.RELEASES) == []


def test_show_names_the_row_checks_and_orders_that_have_no_lines(nightshelf):
    quarantine(LINES)
    checks = "bad_price, huge_quantity, no_customer, unreadable_line"
    (error,) = nightshelf("show", "nothing")
    assert error.startswith(f"nightshelf: no line of the nightly run of {NIGHT} failed 'nothing'")
    assert error.endswith(checks)
    (error,) = nightshelf("show", "huge_quantity", "--order", "o3")
    assert error.startswith("nightshelf: no line of order 'o3' failed huge_quantity")
    assert NIGHT in error
    assert "`nightshelf quarantine show huge_quantity`" in error


def test_the_installed_command(home):
    quarantine(LINES)
    process = subprocess.run(
        [COMMAND, "quarantine", "release", "bad_price", "--reason", ""],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stdout) == (1, "")
    (error,) = process.stderr.splitlines()
    assert error.startswith("nightshelf: --reason is empty")
