"""Registry acts on a real MLflow database: aliases, history, and acts that were killed."""

import mlflow
import pytest
from rich.console import Console
from shops import catalogue, random_shop

from pipelines.registry import acts as registry_acts
from pipelines.registry import approvals, versions
from pipelines.report import terminal
from pipelines.run import tracking
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle import files as bundle_files
from serving.errors import NightshelfError
from serving.recommend.lanes import LANES

CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, iterations=2),
    half_lives=HalfLives(trend=7, repurchase=30),
    lanes=dict.fromkeys(LANES, "als"),
)
TAGS = {versions.CHOSEN: CHOSEN.model_dump_json(), "ndcg_at_10_for_you": "0.4", "as_of": "2026-01-31"}


@pytest.fixture
def register(home, tmp_path):
    """A function that registers another version and returns its number."""
    known = random_shop(1)
    products = catalogue([product.decode() for product in known.products])
    bundle = fit_bundle(known, products, CHOSEN, no_rules(products.num_rows), "implicit")
    folder = bundle_files.save(bundle, tmp_path / "bundle")

    def register_version(**tags):
        run = tracking.begin("a night", {})
        version = versions.register(folder, run, TAGS | tags)
        approvals.approve(versions.find(version))  # as the gate does
        return version

    return register_version


def aliases():
    return {alias: version for version, names in versions.aliases().items() for alias in names}


def printed(renderable):
    console = Console(width=200)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def acts():
    return [
        (act.data.tags["act"], act.data.tags["version"], act.data.tags["before"], act.info.status)
        for act in registry_acts.acts()
    ]


def test_status_without_a_model_names_the_registry(home):
    assert f"no model yet in the registry at sqlite:///{home}/mlruns/mlflow.db" in printed(terminal.status())


def test_a_new_version_is_the_challenger_until_promoted(register):
    assert versions.champion() is None
    version = register()
    assert (version, aliases()) == ("1", {"challenger": "1"})
    registry_acts.promote(version, "FIRST on a night", "FIRST")
    assert aliases() == {"challenger": "1", "champion": "1"}
    champion = versions.champion()
    assert champion == versions.Champion("1", CHOSEN, {"for-you": 0.4}, "2026-01-31", "", "")


def test_promotions_and_rollbacks_move_the_aliases_and_are_recorded(register):
    for number in ("1", "2", "3"):
        registry_acts.promote(register(), f"night {number}", "FIRST" if number == "1" else "PROMOTED")
    assert aliases() == {"challenger": "3", "champion": "3", "previous": "2"}
    assert registry_acts.rollback(None, "odd [answers]") == "2"
    assert aliases() == {"challenger": "3", "champion": "2", "previous": "1"}
    assert versions.champion().held == "odd [answers]"
    assert acts()[0] == ("ROLLBACK", "2", "3", "FINISHED")
    assert acts()[-1] == ("FIRST", "1", "", "FINISHED")
    history = printed(terminal.history())
    assert "odd [answers]" in history
    assert history.index("ROLLBACK") < history.index("PROMOTED") < history.index("FIRST")
    status = printed(terminal.status())
    assert status.startswith("version 2 serves since 20")
    assert "after the rollback (odd [answers]), a nightly run replaces it only if better" in status


def test_a_second_rollback_goes_further_back(register):
    for _ in range(3):
        registry_acts.promote(register(), "a night", "PROMOTED")
    assert [registry_acts.rollback(None, "odd") for _ in range(2)] == ["2", "1"]
    with pytest.raises(NightshelfError, match="no version served before this one"):
        registry_acts.rollback(None, "still odd")
    assert aliases() == {"challenger": "3", "champion": "1"}
    registry_acts.promote("3", "it was the shop")
    assert registry_acts.rollback(None, "odd after all") == "1"


def test_a_promotion_by_hand_ends_the_hold_of_a_rollback(register):
    for _ in range(2):
        registry_acts.promote(register(), "a night", "PROMOTED")
    registry_acts.rollback("1", "odd")
    assert versions.champion().held
    registry_acts.promote("2", "it was the shop after all")
    assert versions.champion() == versions.Champion("2", CHOSEN, {"for-you": 0.4}, "2026-01-31", "", "")


def test_a_refusal_is_recorded_with_its_reasons(register):
    registry_acts.promote(register(), "FIRST", "FIRST")
    second = register(**versions.verdict_tags("REFUSED", ["discover: too bad", "for-you: worse"]))
    registry_acts.refuse(second, ["discover: too bad", "for-you: worse"])
    assert versions.champion().version == "1"
    assert "discover: too bad; for-you: worse" in printed(terminal.history())
    assert "discover: too bad" in printed(terminal.status())


def test_an_unknown_version_or_an_empty_reason_raises(register):
    with pytest.raises(NightshelfError, match=r"no version '7' of 'nightshelf': see `nightshelf status`"):
        registry_acts.promote("7", "why not")
    with pytest.raises(NightshelfError, match="no version served before this one"):
        registry_acts.rollback(None, "why not")
    with pytest.raises(NightshelfError, match="the reason is empty"):
        registry_acts.promote("7", " ")


KILLED_AT = [
    "create_run",
    "set_registered_model_alias champion",
    "set_registered_model_alias previous",
    "set_terminated",
]


@pytest.mark.parametrize("killed_at", KILLED_AT)
def test_an_act_killed_at_any_point_leaves_a_valid_registry_and_the_next_act_ends_it(
    register, monkeypatch, killed_at
):
    for _ in range(2):
        registry_acts.promote(register(), "a night", "PROMOTED")
    third = register()
    with monkeypatch.context() as patch:
        name, _, alias = killed_at.partition(" ")
        real = getattr(tracking.client(), name)

        def killed(*arguments, **options):
            if not alias or alias in arguments:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        patch.setattr(tracking.client(), name, killed)
        with pytest.raises(KeyboardInterrupt):
            registry_acts.promote(third, "a night", "PROMOTED")
    moved = killed_at in KILLED_AT[2:]
    assert versions.champion().version == ("3" if moved else "2")
    registry_acts.promote(register(), "the next night", "PROMOTED")
    assert aliases() == {"challenger": "4", "champion": "4", "previous": "3" if moved else "2"}
    assert {status for *_, status in acts()} <= {"FINISHED", "KILLED"}
    broken = [act for act in acts() if act[3] == "KILLED"]
    assert len(broken) == (killed_at == KILLED_AT[1])


def test_reasons_too_long_for_a_tag_are_cut_between_reasons():
    kept = versions.verdict_tags("REFUSED", ["x" * 3000] * 5)["reasons"]
    assert len(kept) <= tracking.MAX_TAG_LENGTH
    assert kept == f'["{"x" * 3000}", "{"x" * 3000}"]'


def test_a_version_loads_with_plain_mlflow_and_has_an_input_example(register):
    registry_acts.promote(register(), "FIRST", "FIRST")
    loaded = mlflow.pyfunc.load_model(f"models:/nightshelf@{versions.ALIAS}")
    assert loaded.metadata.signature is not None
    (answer,) = loaded.predict(loaded.input_example)
    assert (answer.known, len(answer.products)) == (False, 10)
