"""Step `candidates`: lists what the sweep tries."""

from typing import Any

from pipelines.run.night import Night
from pipelines.sweep import space


def run(night: Night) -> list[dict[str, Any]]:
    """Returns the candidates of the night's search space, each with its settings.

    Rankers, which take longest, are the first, so that the others fill what they leave of the processors.
    """
    tried = sorted(space.candidates(night.sweep), key=lambda candidate: candidate.component != "ranker")
    return [candidate.model_dump(mode="json") for candidate in tried]
