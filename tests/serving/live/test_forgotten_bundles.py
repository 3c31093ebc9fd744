"""A forgotten customer is unknown in every bundle that is loaded, from disk and from the registry."""

from pathlib import Path

import bundles
import pytest
from homes import fresh_home
from stores import open_changes

from pipelines.privacy import forget_one
from serving.bundle.format import Bundle
from serving.live.follow import Follower
from serving.live.identity import pseudonym
from serving.live.served import ServingState
from serving.settings import ServingSettings

ANNA, BORIS = (pseudonym(customer, bundles.KEY) for customer in (bundles.ANNA, bundles.BORIS))


@pytest.fixture
def state(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> ServingState:
    """The state of a service that has followed two versions."""
    state = ServingState(changes=open_changes(settings.home))
    for _ in range(2):
        bundles.publish(uri, bundle, tmp_path)
        Follower(settings, state).poll()
    return state


def test_forget_searches_the_bundles_and_the_service_applies_it(
    state: ServingState, uri: str, settings: ServingSettings
) -> None:
    with fresh_home(settings.home, CUSTOMER_KEY=bundles.KEY):
        report = forget_one.forget(bundles.ANNA)
    searched = {name: report.before[name] for name in report.remaining if name.startswith("bundle")}
    assert len(searched) == 3  # two on disk, and the champion
    assert set(searched.values()) == {1}
    assert report.total_remaining == 0
    assert state.changes is not None
    state.changes.refresh()
    for version in ("2", "1"):  # after a rollback, too
        bundles.promote(uri, version)
        Follower(settings, state).poll()
        served = state.current()
        assert served is not None
        assert served.version == version
        assert served.bundle.customer(ANNA) is None
        assert served.bundle.customer(BORIS) is not None
