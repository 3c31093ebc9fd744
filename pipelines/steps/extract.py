"""Step `extract`: reads what is new at the source and at the service into raw/."""

from pipelines import extract
from pipelines.extract import events, pulls, raw
from pipelines.privacy import forgotten, identity_rules, migration
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.run.progress import Progress, progress_lines
from serving.live.changes import FORGOTTEN_UNTIL


def run(night: Night, progress: Progress | None = None) -> dict[str, int]:
    """Returns the numbers of new order lines, changed products and order lines of reported purchases.

    First carries pseudonyms over to a new identity rule of the source, and erases newly forgotten customers
    from the lake. Logs its progress, unless `progress` receives it.
    """
    source = extract.source(night.source, night.path, night.mapping)
    identity_rules.record(source.name, source.dialect.identity, bool(raw.pulls(source.name)))
    counts = migration.carry_over(source.name, lambda: raw.customers(source.name))
    tracking.log(night.run_id, tags={FORGOTTEN_UNTIL: str(forgotten.scrub_pending())})
    counts |= pulls.pull(source, night.as_of, night.full, progress or progress_lines())
    counts |= {"purchases_told": events.pull(source.name)}
    tracking.log(night.run_id, metrics=counts)
    return counts
