"""Sections that earlier releases kept in sweep.toml still override the files that replaced them."""

import logging

import pytest

from pipelines.evaluate import settings as evaluation_settings
from pipelines.gate import settings as gate_settings
from pipelines.run import moved_settings
from pipelines.sweep import space
from pipelines.train import association_rules
from serving.errors import NightshelfError

MOVED = [  # section, key, value, the function that reads it now, the file that replaced the section
    ("evaluation", "horizon_days", 14, lambda: evaluation_settings.load().horizon_days, "evaluation.toml"),
    ("gate", "tolerance", 0.5, lambda: gate_settings.load().thresholds.tolerance, "gate.toml"),
    ("rules", "min_count", 77, lambda: association_rules.load().min_count, "association_rules.toml"),
    (
        "business",
        "most_lost",
        0.25,
        lambda: gate_settings.load().product_weight.most_lost,
        "product_weight.toml",
    ),
]


@pytest.fixture
def old_files(tmp_path, monkeypatch):
    """Temporary paths in place of OLD_FILES; neither file exists yet."""
    files = (tmp_path / "sweep" / "sweep.toml", tmp_path / "sweep.toml")
    files[0].parent.mkdir()
    monkeypatch.setattr(moved_settings, "OLD_FILES", files)
    moved_settings._warn.cache_clear()
    yield files
    moved_settings._warn.cache_clear()


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.name == moved_settings.__name__]


@pytest.mark.parametrize(("section", "key", "value", "read", "file"), MOVED)
@pytest.mark.parametrize("folder", [0, 1], ids=["sweep/sweep.toml", "sweep.toml"])
def test_an_old_section_overrides_the_new_file_and_warns_once_naming_it(
    old_files, caplog, section, key, value, read, file, folder
):
    assert read() != value
    old_files[folder].write_text(f"[{section}]\n{key} = {value}\n")
    assert [read(), read()] == [value, value]
    (message,) = warnings(caplog)
    assert f"[{section}]" in message
    assert file in message


def test_keys_that_an_old_section_lacks_come_from_the_new_file(old_files):
    current = evaluation_settings.load()
    old_files[0].write_text("[evaluation]\nfolds = 3\n")
    assert evaluation_settings.load() == current.model_copy(update={"folds": 3})


@pytest.mark.parametrize(("section", "key", "value", "read", "file"), MOVED)
def test_a_wrong_value_in_an_old_section_raises_naming_section_and_key(
    old_files, section, key, value, read, file
):
    old_files[0].write_text(f'[{section}]\n{key} = "many"\n')
    with pytest.raises(NightshelfError) as raised:
        read()
    assert f"[{section}]" in str(raised.value)
    assert f"{key}: " in str(raised.value)
    assert "many" not in str(raised.value)


def test_without_old_sections_nothing_is_logged(old_files, caplog):
    caplog.set_level(logging.DEBUG, logger=moved_settings.__name__)
    old_files[0].write_text(space.FILE.read_text())
    for *_, read, _ in MOVED:
        read()
    assert warnings(caplog) == []


def test_the_sweep_ignores_the_moved_sections(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(space.FILE.read_text() + "".join(f"\n[{name}]\n" for name in moved_settings.MOVED))
    assert space.load(file) == space.load()


def test_the_old_files_are_sweep_toml_in_its_folder_and_in_its_old_one():
    assert list(moved_settings.OLD_FILES) == [space.FILE, space.FILE.parents[1] / "sweep.toml"]
