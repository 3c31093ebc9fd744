"""Step `extract`: reads what is new at the source and at the service into raw/."""

from pipelines import extract
from pipelines.extract import events, pulls
from pipelines.privacy import forgotten
from pipelines.run import tracking
from pipelines.run.night import Night
from pipelines.run.progress import Progress, progress_lines
from serving.live.changes import FORGOTTEN_UNTIL


def run(night: Night, progress: Progress | None = None) -> dict[str, int]:
    """Returns the numbers of new order lines, changed products and order lines of reported purchases.

    First erases newly forgotten customers from the lake. Logs its progress, unless `progress` receives it.
    """
    tracking.log(night.run_id, tags={FORGOTTEN_UNTIL: str(forgotten.scrub_pending())})
    source = extract.source(night.source, night.path, night.mapping)
    counts = pulls.pull(source, night.as_of, night.full, progress or progress_lines())
    counts |= {"purchases_told": events.pull(source.name)}
    tracking.log(night.run_id, metrics=counts)
    return counts
