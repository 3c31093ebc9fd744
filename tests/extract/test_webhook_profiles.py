"""A webhook names orders, customers and products as the nightly run reads them from the same shop."""

import tomllib
from pathlib import Path

import pytest

from serving.http import shop_orders

pytestmark = pytest.mark.fast

NIGHTLY = Path(__file__).parents[2] / "pipelines" / "extract" / "shops" / "profiles"


def paths(column, lines):
    """Returns a column's paths as webhooks write them: a line's paths lack the name of the list."""
    names = [column] if isinstance(column, str) else column
    return tuple(name.removeprefix(f"{lines}.") for name in names)


@pytest.mark.parametrize(
    "name", ["woocommerce", "medusa"]
)  # Shopify's webhooks have other names than its GraphQL
def test_the_columns_are_those_of_the_nightly_profile(name):
    if not (NIGHTLY / f"{name}.toml").exists():
        pytest.skip(f"there is no nightly profile {name}")
    nightly = tomllib.loads((NIGHTLY / f"{name}.toml").read_text())
    hook = getattr(shop_orders.load(""), name)
    for column in ("order_id", "customer", "product", "quantity", "unit_price"):
        assert getattr(hook, column) == paths(nightly["columns"][column], hook.lines), column
    unlearned = {
        value for rule in nightly["leave_out"] if rule["column"] == "status" for value in rule["values"]
    }
    assert unlearned <= {value for rule in hook.leave_out if rule.column == "status" for value in rule.values}
