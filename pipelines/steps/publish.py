"""Step `publish`: carries out the gate's verdict in the registry."""

import json
from typing import Any

from pipelines.gate import challenger
from pipelines.registry import acts, versions
from pipelines.run import tracking
from pipelines.run.night import Night


def run(night: Night) -> dict[str, Any]:
    """Returns the version that serves from now on, or None if the gate refused it.

    Raises NightshelfError if the champion is no longer the version that the challenger was compared with.
    """
    decision = json.loads(tracking.tag(night.run_id, tracking.DECISION) or "{}")
    version = decision["version"]
    if decision["verdict"] == acts.REFUSED:
        acts.refuse(version, decision["reasons"])
        return {"version": None}
    champion = versions.champion()
    if champion and champion.version not in (decision["champion"], version):
        raise challenger.outdated(champion.version, version, decision["champion"])
    acts.promote(version, f"{decision['verdict']} by the nightly run of {night.as_of}", decision["verdict"])
    return {"version": version}
