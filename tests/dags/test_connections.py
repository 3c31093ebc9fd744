"""The shop's address, user and password come from an Airflow connection, and are written nowhere else."""

import json
import re

from airflows import demo_shop_of, run_nightly, written

SECRET = "n0t-t0-be-seen"


def nightly_run(home, **connections):
    """Returns the output of the DAG with these connections; validation stops the run."""
    source = {"source": "sql", "mapping": str(home / "shop.toml")} if "nightshelf_sql" in connections else {}
    variables = {
        "NIGHTSHELF_QUARANTINE_SHARE": "0",  # a run up to validation is enough
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
    }
    return run_nightly(home, source | {"as_of": "2026-09-30"}, **variables).stdout


def test_a_run_reads_the_shop_of_the_connection_with_its_user_and_password(tmp_path):
    with demo_shop_of(SECRET) as connection:
        output = nightly_run(tmp_path, nightshelf_shop=connection)
    assert "validation rejected the nightly run" in output
    assert re.search(r"[\d,]+ of [\d,]+ pages, [\d,]+ orders, [\d,]+ orders/s, [\d:]+ left", output)
    assert list((tmp_path / "lake" / "raw" / "orders").glob("source=shop-api-*/full=*/*/part-0.parquet"))
    assert SECRET not in output
    assert SECRET not in written(tmp_path)


def test_a_run_reads_the_database_of_the_connection(tmp_path):
    names = ("order_id", "ordered_at", "customer", "product", "quantity", "unit_price")
    columns = "".join(f"{name} = '{name}'\n" for name in names)
    query = "lines = 'SELECT * FROM lines'\nchanged = 'written'\n"
    (tmp_path / "shop.toml").write_text(f"[columns]\n{columns}[sql]\n{query}")
    database = {"conn_type": "nosuch", "host": "127.0.0.1", "schema": "shop", "login": "me"}
    output = nightly_run(tmp_path, nightshelf_sql=database | {"password": SECRET})
    assert "NIGHTSHELF_SQL_URL can't be used (NoSuchModuleError)" in output
    assert SECRET not in output
    assert SECRET not in written(tmp_path)
