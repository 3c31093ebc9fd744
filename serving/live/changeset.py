"""What changed in the store: products, and forgotten customers."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from serving.live.store import Store, next_number
from serving.live.tables import counter, forgotten, products


@dataclass(frozen=True)
class ChangeSet:
    """All changes up to a number, or those between two numbers."""

    number: int = 0  # of the latest change
    products: dict[str, dict[str, Any]] = field(default_factory=dict)  # rows of the table, by product id
    forgotten: dict[str, int] = field(default_factory=dict)  # times, by pseudonym

    def merged(self, later: "ChangeSet") -> "ChangeSet":
        """Returns these changes and later ones."""
        return ChangeSet(later.number, self.products | later.products, self.forgotten | later.forgotten)


def update_product(store: Store, product: str, values: dict[str, Any]) -> None:
    """Changes some values of a product; None stands for the bundle's own value."""
    with store.transaction() as connection:
        row = {"product": product, "number": next_number(connection)} | values
        new = {name: value for name, value in row.items() if name != "product"}
        connection.execute(
            store.insert(products).values(row).on_conflict_do_update(index_elements=["product"], set_=new)
        )


def since(store: Store, number: int) -> ChangeSet | None:
    """Returns the changes after a number, None if there are none."""
    with store.reading() as connection:
        latest = connection.execute(sa.select(counter.c.number)).scalar() or 0
        if latest <= number:
            return None
        changed = connection.execute(sa.select(products).where(products.c.number > number)).mappings()
        newly_forgotten = connection.execute(
            sa.select(forgotten.c.customer, forgotten.c.at).where(forgotten.c.number > number)
        )
        return ChangeSet(
            latest,
            {row["product"]: dict(row) for row in changed},
            {row.customer: row.at for row in newly_forgotten},
        )
