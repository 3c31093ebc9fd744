"""A saved bundle loads unchanged, and `load` refuses every other folder."""

import dataclasses
import json
from pathlib import Path

import bundles
import numpy as np
import pytest

from serving.bundle.files import MANIFEST, load, save
from serving.bundle.format import ARRAYS, Bundle
from serving.errors import BundleError

pytestmark = pytest.mark.fast


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    return save(bundle, tmp_path / "bundle")


def test_loads_what_was_saved(bundle: Bundle, saved: Path) -> None:
    loaded = load(saved)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(bundle, name))
        assert getattr(loaded, name).dtype == getattr(bundle, name).dtype
    assert bundle.manifest.items() <= loaded.manifest.items()


def test_arrays_are_memory_mapped_and_read_only(saved: Path) -> None:
    factors = load(saved).item_factors
    assert not factors.flags.writeable
    assert not factors.flags.owndata


def test_saving_replaces_the_whole_folder(bundle: Bundle, saved: Path) -> None:
    (saved / "leftover.npy").touch()
    before = load(saved)
    save(dataclasses.replace(bundle, trend=bundle.trend * 2), saved)
    np.testing.assert_array_equal(load(saved).trend, bundle.trend * 2)
    np.testing.assert_array_equal(before.trend, bundle.trend)  # an open bundle keeps its data
    assert not (saved / "leftover.npy").exists()
    assert [folder.name for folder in saved.parent.iterdir()] == ["bundle"]


def test_no_array_contains_python_objects(saved: Path) -> None:
    for name in ARRAYS:
        np.load(saved / f"{name}.npy", allow_pickle=False)


@pytest.mark.parametrize("name", ARRAYS)
def test_refuses_a_truncated_file(saved: Path, name: str) -> None:
    file = saved / f"{name}.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle is missing or altered"):
        load(saved)


@pytest.mark.parametrize("name", ARRAYS)
def test_refuses_a_file_with_one_altered_bit(saved: Path, name: str) -> None:
    file = saved / f"{name}.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle is missing or altered"):
        load(saved)


def test_refuses_a_missing_file(saved: Path) -> None:
    (saved / "trend.npy").unlink()
    with pytest.raises(BundleError, match=r"trend.npy of bundle bundle is missing"):
        load(saved)


@pytest.mark.parametrize("name", ["item_factors", "user_factors", "trend", "rule_confidence"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_values_that_are_not_finite(bundle: Bundle, tmp_path: Path, name: str, value: float) -> None:
    values = getattr(bundle, name).copy()
    values.flat[0] = value
    save(dataclasses.replace(bundle, **{name: values}), tmp_path / "bundle")
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle holds values that aren't finite"):
        load(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (1, "run `nightshelf retrain`, and serve with the earlier release until it finishes"),
        (None, "run `nightshelf retrain`"),
        (3, "a later release wrote it; install that release, or promote an older version"),
    ],
)
def test_refuses_another_format_and_says_what_to_do(saved: Path, version: int | None, advice: str) -> None:
    manifest = json.loads((saved / MANIFEST).read_text())
    (saved / MANIFEST).write_text(json.dumps(manifest | {"format": version}))
    with pytest.raises(
        BundleError, match=f"bundle bundle has format {version}, this release reads 2: {advice}"
    ):
        load(saved)


def test_refuses_a_bundle_of_format_1(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has format 1, this release reads 2: run `nightshelf retrain`"):
        load(bundles.save_format_1(tmp_path / "bundle"))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 2}', '{"format": 2, "files": 3}'])
def test_refuses_a_broken_manifest(saved: Path, content: str) -> None:
    (saved / MANIFEST).write_text(content)
    with pytest.raises(BundleError, match=r"bundle"):
        load(saved)


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no readable manifest.json in bundle nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted({*ARRAYS} - {"customers", "products", "recent", "leading", "ranker"}))
def test_refuses_arrays_of_different_lengths(bundle: Bundle, tmp_path: Path, name: str) -> None:
    save(dataclasses.replace(bundle, **{name: getattr(bundle, name)[:-1]}), tmp_path / "bundle")
    with pytest.raises(BundleError, match="rows"):
        load(tmp_path / "bundle")
