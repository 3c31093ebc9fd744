"""The shipped mappings read published data sets and shops' exports as they were published."""

import datetime as dt

import published
import pytest

from pipelines import columns as c
from pipelines.extract import pulls
from pipelines.extract.files import FileSource
from pipelines.extract.mapping import MAPPINGS, load_mapping
from pipelines.run.progress import silent
from serving.errors import NightshelfError


@pytest.mark.parametrize("name", published.SHAPES)
def test_a_shipped_mapping_reads_its_shape(name, home, tmp_path, seed):
    drawn = published.draw(seed)
    rows = published.lines(published.SHAPES[name](drawn, tmp_path), name)
    bought, expected = published.truth(drawn, name)
    assert published.pieces(rows) == expected
    assert rows[c.ORDER_ID].nunique() == len({line.order for line in bought})
    assert rows[c.CUSTOMER].nunique() == len({line.customer for line in bought})
    assert rows[c.PRODUCT].nunique() == len({line.product for line in bought})
    days = {line.time.date() for line in bought}
    read = {dt.date.fromisoformat(text[:10]) for text in rows[c.ORDERED_AT]}
    assert len(read) == len(days) or name == "instacart"
    if load_mapping(name).has_prices and name != "hm":
        whole = sum(line.amount for line in bought) * (10 if name == "ta_feng" else 1)
        assert (rows[c.UNIT_PRICE].astype(float) * rows[c.QUANTITY].astype(float)).sum() == pytest.approx(
            whole, rel=1e-3
        )


def test_days_between_orders_are_kept_where_only_they_are_published(home, tmp_path, seed):
    drawn = published.draw(seed)
    rows = published.lines(published.instacart(drawn, tmp_path), "instacart")
    first = rows.groupby(c.CUSTOMER)[c.ORDERED_AT].min().str[:10]
    assert set(first) == {"2016-01-01"}
    spans = {}
    for line in drawn.lines:
        spans.setdefault(line.customer, []).append(line.time.date())
    expected = sorted((max(days) - min(days)).days for days in spans.values())
    last = rows.groupby(c.CUSTOMER)[c.ORDERED_AT].max().str[:10]
    assert sorted((dt.date.fromisoformat(day) - dt.date(2016, 1, 1)).days for day in last) == expected


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("online_retail_ii", lambda drawn, folder: published.online_retail_csv(drawn, folder, old=True)),
        ("amazon_reviews", lambda drawn, folder: published.amazon_reviews(drawn, folder, new=True)),
    ],
)
def test_the_other_edition_of_a_data_set_is_read_too(name, write, home, tmp_path, seed):
    drawn = published.draw(seed)
    rows = published.lines(write(drawn, tmp_path), name)
    assert published.pieces(rows) == published.truth(drawn, name)[1]
    assert rows[c.ORDERED_AT].str.startswith("2025-").all()


def test_a_joined_file_that_changes_changes_its_lines(home, tmp_path, seed):
    drawn = published.draw(seed)
    (folder := tmp_path / "olist").mkdir()
    published.olist(drawn, folder)
    source = FileSource(str(folder), "olist")
    pulls.pull(source, dt.date(2030, 1, 1), True, silent)
    file = folder / "olist_orders_dataset.csv"
    text = file.read_text()
    number = next(line.order for line in drawn.bought)
    file.write_text(text.replace(f"o{number},c{number},delivered", f"o{number},c{number},canceled"))
    changed = pulls.pull(FileSource(str(folder), "olist"), dt.date(2030, 1, 1), False, silent)
    assert changed["new_order_lines"] == sum(line.quantity for line in drawn.lines if line.order == number)


def test_a_joined_file_that_is_missing_is_named(home, tmp_path, seed):
    folder = published.olist(published.draw(seed), tmp_path)
    (folder / "olist_customers_dataset.csv").unlink()
    with pytest.raises(NightshelfError, match="olist_customers_dataset"):
        published.lines(folder, "olist")


@pytest.mark.parametrize("path", sorted(MAPPINGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_mapping_loads(path):
    assert load_mapping(path.stem).columns


@pytest.mark.fast
def test_a_column_that_names_none_of_the_source_is_refused(tmp_path):
    mapping = tmp_path / "shop.toml"
    mapping.write_text('[columns]\norder_id = []\nordered_at = "at"\ncustomer = "who"\nproduct = "sku"\n')
    with pytest.raises(NightshelfError, match=r"columns\.order_id"):
        load_mapping(str(mapping))
