"""What is saved comes back as it was, and nothing else is ever opened."""

import dataclasses
import json
from pathlib import Path

import bundles
import numpy as np
import pytest

from serving.bundle.files import MANIFEST, load, save
from serving.bundle.format import ARRAYS, Bundle, find_row, texts
from serving.errors import BundleError


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    return save(bundle, tmp_path / "bundle")


def test_what_is_saved_comes_back(bundle: Bundle, saved: Path) -> None:
    loaded = load(saved)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(bundle, name))
        assert getattr(loaded, name).dtype == getattr(bundle, name).dtype
    assert bundle.manifest.items() <= loaded.manifest.items()


def test_a_bundle_stays_on_disk_until_it_is_looked_at(saved: Path) -> None:
    factors = load(saved).item_factors
    assert not factors.flags.writeable
    assert not factors.flags.owndata


def test_saving_replaces_the_folder_whole(bundle: Bundle, saved: Path) -> None:
    (saved / "leftover.npy").touch()
    before = load(saved)
    save(dataclasses.replace(bundle, trend=bundle.trend * 2), saved)
    np.testing.assert_array_equal(load(saved).trend, bundle.trend * 2)
    np.testing.assert_array_equal(before.trend, bundle.trend)  # who reads the old one goes on reading it
    assert not (saved / "leftover.npy").exists()
    assert [folder.name for folder in saved.parent.iterdir()] == ["bundle"]


def test_no_array_holds_python_objects(saved: Path) -> None:
    for name in ARRAYS:
        np.load(saved / f"{name}.npy", allow_pickle=False)


@pytest.mark.parametrize("name", ARRAYS)
def test_a_truncated_file_is_refused(saved: Path, name: str) -> None:
    file = saved / f"{name}.npy"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle is missing or altered"):
        load(saved)


@pytest.mark.parametrize("name", ARRAYS)
def test_one_altered_bit_is_refused(saved: Path, name: str) -> None:
    file = saved / f"{name}.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle is missing or altered"):
        load(saved)


def test_a_missing_file_is_refused(saved: Path) -> None:
    (saved / "trend.npy").unlink()
    with pytest.raises(BundleError, match=r"trend.npy of bundle bundle is missing"):
        load(saved)


@pytest.mark.parametrize("name", ["item_factors", "user_factors", "trend", "rule_confidence"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused(bundle: Bundle, tmp_path: Path, name: str, value: float) -> None:
    spoilt = getattr(bundle, name).copy()
    spoilt.flat[0] = value
    save(dataclasses.replace(bundle, **{name: spoilt}), tmp_path / "bundle")
    with pytest.raises(BundleError, match=f"{name}.npy of bundle bundle holds values that are no finite"):
        load(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (1, "run a night, `nightshelf retrain`; until it ends, the release that made it serves it"),
        (None, "run a night"),
        (3, "it is a later release's: install that, or promote an older version"),
    ],
)
def test_another_format_is_refused_with_what_to_do(saved: Path, number: int | None, what: str) -> None:
    manifest = json.loads((saved / MANIFEST).read_text())
    (saved / MANIFEST).write_text(json.dumps(manifest | {"format": number}))
    with pytest.raises(BundleError, match=f"bundle bundle has format {number}, this release reads 2: {what}"):
        load(saved)


def test_a_bundle_of_the_first_format_is_refused_by_its_number(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="has format 1, this release reads 2: run a night"):
        load(bundles.of_format_1(tmp_path / "bundle"))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 2}', '{"format": 2, "files": 3}'])
def test_a_broken_manifest_is_refused(saved: Path, content: str) -> None:
    (saved / MANIFEST).write_text(content)
    with pytest.raises(BundleError, match=r"bundle"):
        load(saved)


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no readable manifest.json in bundle nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", sorted({*ARRAYS} - {"customers", "products", "recent", "leading", "ranker"}))
def test_arrays_that_do_not_fit_together_are_refused(bundle: Bundle, tmp_path: Path, name: str) -> None:
    save(dataclasses.replace(bundle, **{name: getattr(bundle, name)[:-1]}), tmp_path / "bundle")
    with pytest.raises(BundleError, match="rows"):
        load(tmp_path / "bundle")


def test_ids_are_found_and_nothing_else_is(bundle: Bundle) -> None:
    assert [bundle.product(product) for product in bundles.PRODUCTS] == list(range(7))
    for stranger in ("", "coffee", "coffee-11", "coffee-1\0", "zzz", "Кофе", "x" * 1000):
        assert bundle.product(stranger) is None
    assert find_row(texts([]), "anything") is None
