"""The pointer file of a table, and a run's tags in MLflow, can't name a path outside the lake."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.lake import tables
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.settings import settings
from serving.errors import NightshelfError

ROWS = pa.table({"customer": ["of another shop"]})


@pytest.fixture
def outside(home, tmp_path):
    """A folder beside the lake that holds a readable table."""
    tables.write(tables.PRODUCTS, pa.table({"customer": ["own"]}))
    folder = tmp_path / "outside"
    folder.mkdir()
    pq.write_table(ROWS, folder / "part-0.parquet")
    return folder


def names(outside):
    below = f"{settings().lake_url}/{tables.PRODUCTS}"
    up = "../" * below.strip("/").count("/") + "../"
    return [
        f"{up}{str(outside).strip('/')}",
        str(outside),
        f"file://{outside}",
        ".",
        "",
        "..",
        "\xff",
        "a/b",
        "a\nb",
    ]


def test_a_pointer_to_another_place_is_not_read(outside):
    for name in names(outside):
        tables.put(f"{tables.PRODUCTS}/{tables.POINTER}", name.encode("latin-1"))
        for read in (tables.read, tables.current_path, tables.current_version, tables.dataset):
            with pytest.raises(NightshelfError, match=f"version of the table '{tables.PRODUCTS}'.*CURRENT"):
                read(tables.PRODUCTS)
    tables.write(tables.PRODUCTS, ROWS)  # the next run replaces the pointer
    assert tables.read(tables.PRODUCTS) == ROWS
    assert outside.exists()


def test_a_runs_tag_does_not_name_another_place(outside):
    run_id = tracking.begin("night", {})
    night = Night(
        as_of="2026-01-31",
        source="files",
        path="",
        mapping="",
        sweep="quick",
        solver="implicit",
        run_id=run_id,
    )
    for name in names(outside):
        tracking.log(run_id, tags={f"{pins.PREFIX}{tables.PRODUCTS}": name})
        with pytest.raises(NightshelfError):
            pins.read(night, tables.PRODUCTS)
