"""Who is forgotten is a stranger in every bundle that is opened to answer, on disk and from the registry."""

from pathlib import Path

import bundles
import pytest
from homes import fresh_home
from stores import changes

from pipelines.privacy import forget_one
from serving.bundle.format import Bundle
from serving.live.follow import Follower
from serving.live.identity import pseudonym
from serving.live.served import ServingState
from serving.settings import ServingSettings

ANNA, BORIS = (pseudonym(one, bundles.KEY) for one in (bundles.ANNA, bundles.BORIS))


@pytest.fixture
def live(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> ServingState:
    """What a service serves that has followed two versions."""
    found = ServingState(changes=changes(settings.home))
    for _ in range(2):
        bundles.publish(uri, bundle, tmp_path)
        Follower(settings, found).poll()
    return found


def test_the_command_searches_the_bundles_and_the_service_follows(
    live: ServingState, uri: str, settings: ServingSettings
) -> None:
    with fresh_home(settings.home, CUSTOMER_KEY=bundles.KEY):
        found = forget_one.forget(bundles.ANNA)
    searched = {place: found.before[place] for place in found.remaining if place.startswith("bundle")}
    assert len(searched) == 3  # two on disk, and the champion
    assert set(searched.values()) == {1}
    assert found.total_remaining == 0
    assert live.changes is not None
    live.changes.refresh()
    for version in ("2", "1"):  # a rollback brings nobody back
        bundles.promote(uri, version)
        Follower(settings, live).poll()
        served = live.current()
        assert served is not None
        assert served.version == version
        assert served.bundle.customer(ANNA) is None
        assert served.bundle.customer(BORIS) is not None
