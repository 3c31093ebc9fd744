"""What `make run` ends with."""

from pipelines.report.banner import banner
from pipelines.run import tracking
from pipelines.settings import settings
from pipelines.stack.decision import decision


def test_the_newest_nightly_run_is_summed_up_in_one_sentence(home, monkeypatch):
    monkeypatch.setenv("NIGHTSHELF_MLFLOW_URI", settings().tracking_uri)
    settings.cache_clear()
    assert decision(settings()) == ""
    tracking.begin(f"{tracking.RUN_PREFIX}2026-01-01", {})
    newest = tracking.begin(f"{tracking.RUN_PREFIX}2026-01-02", {})
    tracking.log(newest, tags={"verdict": "FIRST", "version": "1"})
    tracking.end(newest)
    sentence = decision(settings())
    assert sentence == banner(tracking.nightly_run(newest)).sentence
    assert "ersion 1" in sentence
