"""Step `candidates`: lists what the sweep tries."""

from typing import Any

from pipelines.run.night import Night
from pipelines.sweep import space


def run(night: Night) -> list[dict[str, Any]]:
    """Returns the candidates of the night's search space, each with its settings."""
    return [candidate.model_dump(mode="json") for candidate in space.candidates(night.sweep)]
