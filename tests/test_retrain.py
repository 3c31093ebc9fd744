"""Steps that are run alone continue the nightly run that `begin` opened."""

import pytest
from mlflow import MlflowClient

from pipelines import retrain
from pipelines.run import tracking
from pipelines.settings import settings
from serving.errors import NightshelfError

ORDERS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,85123A,HEART,6,2011-12-01 10:00:00,2.55,17850,France
2,71053,LANTERN,1,2011-12-02 11:00:00,3.39,13047,France
"""


@pytest.fixture
def orders(home):
    file = home / "orders.csv"
    file.write_text(ORDERS)
    return str(file)


def test_a_step_continues_the_newest_run(orders):
    night = retrain.begin(source="files", path=orders, mapping="online_retail_ii", sweep="quick")
    assert str(night.as_of) == "2011-12-02"
    assert "2" in retrain.run_step("extract", None, orders)
    run = MlflowClient(settings().tracking_uri).get_run(night.run_id)
    assert run.data.metrics["new_order_lines"] == 2
    assert run.data.metrics[f"{tracking.SECONDS}extract"] > 0


def test_a_step_continues_the_run_with_the_given_id(orders):
    first, _ = (
        retrain.begin(source="files", path=orders, mapping="online_retail_ii", as_of=f"2011-12-0{day}")
        for day in (1, 2)
    )
    retrain.run_step("extract", first.run_id, orders)
    client = MlflowClient(settings().tracking_uri)
    steps = [f"{tracking.SECONDS}extract" in run.data.metrics for run in tracking.nightly_runs()]
    assert client.get_run(first.run_id).data.metrics["new_order_lines"] == 2
    assert steps == [False, True]


def test_a_step_without_a_nightly_run_says_how_to_begin_one(home):
    with pytest.raises(NightshelfError, match="nightshelf step begin"):
        retrain.run_step("extract", None, None)
