"""Secrets in URLs, keys that can be guessed, and exports that a spreadsheet would compute."""

import csv

import pyarrow as pa
import pytest
from homes import fresh_home
from typer.testing import CliRunner

from pipelines.batch import targets
from pipelines.cli import app
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS
from pipelines.steps import begin
from serving.errors import NightshelfError, without_secrets

pytestmark = pytest.mark.fast
SECRET = "Sw0rdfish"
URLS = (
    f"postgresql://me:{SECRET}@host/shop",
    f"postgresql://host/shop?user=me&password={SECRET}",
    f"postgresql://me:p@{SECRET}@host/shop?sslpassword={SECRET}#x",
    f"https://{SECRET}@collector.example/v1/traces",
    f"ftp://me:a/b?c{SECRET}@host/out.csv",
    f"https://host/out.csv?X-Amz-Signature={SECRET}",
)
FORMULAS = (
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
)


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_shown_without_its_secrets(url):
    assert SECRET not in without_secrets(url)
    assert without_secrets(url).startswith(url.partition("://")[0])


@pytest.mark.parametrize("path", ["lake/a=b?c=d", "s3://bucket/folder", "sqlite:////home/me/mlflow.db"])
def test_a_path_or_url_without_secrets_is_shown_as_it_is(path):
    assert without_secrets(path) == path


@pytest.mark.parametrize("url", URLS)
def test_the_configuration_is_printed_without_secrets(tmp_path, url):
    with fresh_home(tmp_path, MLFLOW_URI=url, TRACE_URL=url):
        output = CliRunner().invoke(app, ["config"]).output
    assert "NIGHTSHELF_TRACE_URL=" in output
    assert SECRET not in output


@pytest.mark.parametrize("url", URLS)
def test_a_target_that_fails_is_named_without_secrets(home, url):
    schema = pa.schema([("customer", pa.string())])
    with pytest.raises(NightshelfError) as raised, targets.open_target(url, schema, ["customer"], "t"):
        pass
    assert SECRET not in str(raised.value)


def test_texts_in_an_export_are_no_formulas(tmp_path):
    texts, file = [*FORMULAS, "tea", "", "a=b"], tmp_path / "out.csv"
    rows = pa.table({"customer": texts, "score": pa.array([-1.5] * len(texts), pa.float32())})
    with targets.open_target(str(file), rows.schema, ["customer"], "t") as write:
        write(rows)
    with file.open(newline="") as opened:
        written = list(csv.reader(opened))[1:]
    assert [row[0] for row in written] == [*(f"'{text}" for text in FORMULAS), "tea", "", "a=b"]
    assert {row[1] for row in written} == {"-1.5"}


@pytest.mark.parametrize("key", ["k", "short key"])
def test_a_short_customer_key_is_refused_by_a_new_installation_only(tmp_path, key, caplog):
    with fresh_home(tmp_path, CUSTOMER_KEY=key):
        with pytest.raises(NightshelfError, match="fewer than 12 characters") as raised:
            begin.run(source="files", path=str(tmp_path))
        assert key not in str(raised.value).split()
        mark = raw.Watermark(id="a", started="2026-09-01", last_day="2026-09-01", reached={}, full=True)
        raw.append("files", mark, [RAW_ORDERS.empty_table()])
        with pytest.raises(NightshelfError, match="mapping"):  # the next mistake
            begin.run(source="files", path=str(tmp_path))
    assert "can't be changed without losing every known customer" in caplog.text
