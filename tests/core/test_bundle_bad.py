"""Bundles that must not be used: each is refused with a reason, and a sentence that says what to do."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from itertools import count
from typing import Any

import numpy as np
import pytest

from models import bundle
from models.bundle import MOST_BYTES, REASONS, BundleError
from models.bundle_zip import from_npz, to_npz, zipped
from models.detection.context import Context
from models.features.gate import DoubleArray
from models.training.detectors import BUILT_IN, PcaDetector
from palier.locale import LANGUAGES, Catalogue
from tests.support.bundles import edited, files, nothing, pca_files, refused


def test_files_that_are_missing_or_strange() -> None:
    assert "arrays.npz is missing" in refused({"manifest.json": files()["manifest.json"]}, "missing_file")
    assert "run.py" in refused({**files(), "run.py": b"print()"}, "unknown_file")
    assert "Copy all" in refused({**files(), "model.skops": b"PK"}, "missing_file")


def test_a_huge_bundle_is_refused_by_its_size_alone() -> None:
    with pytest.raises(BundleError, match="train fewer points") as error:
        bundle.check_sizes({"manifest.json": 10, "arrays.npz": MOST_BYTES["arrays.npz"] + 1})
    assert error.value.key == "too_large"


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickles_are_never_read(protocol: int) -> None:
    data = pickle.dumps({"w": np.arange(3)}, protocol=protocol)
    assert "`palier train`" in refused({**files(), "arrays.npz": data}, "pickled")
    assert refused({**files(), "model.skops": data}, "pickled")
    assert refused({**files(), "manifest.json": data}, "pickled")


def test_what_joblib_packs_is_never_read() -> None:
    import gzip
    import zlib

    for packed in (zlib.compress(b"x" * 99), gzip.compress(b"x" * 99)):
        assert refused({**files(), "arrays.npz": packed}, "pickled")


def test_arrays_of_objects_and_packed_arrays_are_refused() -> None:
    objects, packed = io.BytesIO(), io.BytesIO()
    np.savez(objects, a=np.array([{}], dtype=object))
    np.savez_compressed(packed, a=np.zeros(10**6))
    assert "numbers or texts" in refused(edited(files(), nothing, arrays_npz=objects.getvalue()), "broken")
    assert "compressed" in refused(edited(files(), nothing, arrays_npz=packed.getvalue()), "broken")


def test_an_array_that_declares_more_than_it_holds_is_refused() -> None:
    sink = io.BytesIO()
    np.lib.format.write_array_header_1_0(sink, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 50)})
    bomb = zipped({"point.0.levels.npy": sink.getvalue()})
    assert "declares" in refused(edited(files(), nothing, arrays_npz=bomb), "broken")


def test_a_zip_that_lies_about_its_sizes_is_refused() -> None:
    data = bytearray(files()["arrays.npz"])
    at = data.rfind(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    assert "more than the file" in refused(edited(files(), nothing, arrays_npz=bytes(data)), "broken")


def test_a_truncated_or_tampered_file_is_told_by_its_hash() -> None:
    data = files()["arrays.npz"]
    assert "cut off" in refused({**files(), "arrays.npz": data[:-100]}, "tampered")
    other = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    assert refused({**files(), "arrays.npz": other}, "tampered")
    assert refused(edited(files(), nothing, arrays_npz=data[:-100]), "broken")


def test_a_manifest_that_was_cut_off_edited_or_is_of_another_version() -> None:
    manifest = files()["manifest.json"]
    assert "cut off" in refused({**files(), "manifest.json": manifest[:-50]}, "not_json")
    assert refused({**files(), "manifest.json": manifest.replace(b"1152", b"NaN")}, "not_json")
    twice = manifest.replace(b'"kind"', b'"kind": "detector", "kind"', 1)
    assert "'kind' is there twice" in refused({**files(), "manifest.json": twice}, "not_json")
    told = refused(edited(files(), lambda m: m.update(schema="palier-bundle/9")), "schema_version")
    assert "palier-bundle/9" in told
    assert refused(edited(files(), lambda m: m.update(kind="oracle")), "broken")
    assert refused(edited(files(), lambda m: m["points"][0].pop("place")), "broken")


def test_features_in_another_order_are_refused() -> None:
    def swap(told: dict[str, Any]) -> None:
        features = told["points"][0]["features"]
        features[0], features[1] = features[1], features[0]

    assert "order" in refused(edited(files(), swap), "feature_order")


def test_a_model_that_answers_otherwise_is_refused() -> None:
    parts = dict(from_npz(files()["arrays.npz"]))
    parts["point.0.baseline.intercept"] = parts["point.0.baseline.intercept"] + 0.01
    assert refused(edited(files(), nothing, arrays_npz=to_npz(parts)), "wrong_answer")
    parts["point.0.baseline.intercept"] = parts["point.0.baseline.intercept"] * np.nan
    assert refused(edited(files(), nothing, arrays_npz=to_npz(parts)), "not_a_number")


def test_a_manifest_of_wrong_values_is_a_sentence_too() -> None:
    def limit(name: str, value: Any) -> Any:
        return lambda told: told["groups"][0]["threshold"].update({name: value})

    for name, value in (("value", None), ("value", "x"), ("spread", 0), ("centre", [])):
        assert "not whole" in refused(edited(pca_files(), limit(name, value)), "broken")
    for change in (
        lambda told: told["points"][0]["features"][0].pop("name"),
        lambda told: told["points"][0].update(place=[None, "M-1", "1"]),
        lambda told: told["points"][0].update(channels=["H", "V"]),  # levels of one channel
    ):
        assert refused(edited(files(), change), "broken")
    text = edited(pca_files(), limit("value", 7.25))["manifest.json"].replace(b"7.25", b"1e999")
    assert "numbers" in refused({**pca_files(), "manifest.json": text}, "broken")


def test_arrays_of_another_shape_are_refused_before_they_judge() -> None:
    parts = from_npz(files()["arrays.npz"])
    for name in ("point.0.baseline.multivariate.centre", "point.0.levels", "point.0.baseline.coefficients"):
        some = {**parts, name: np.concatenate([parts[name], parts[name]])}
        assert "not whole" in refused(edited(files(), nothing, arrays_npz=to_npz(some)), "broken")


class Failing(PcaDetector):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        raise KeyError("weights")


class Silent(PcaDetector):
    def score(self, x: DoubleArray, context: Context) -> DoubleArray:
        return np.full(len(x), np.nan)


def test_a_detector_that_gives_no_number_is_slow_or_is_not_there_is_refused() -> None:
    some = pca_files()
    silent = {**BUILT_IN, "pca": lambda _seed: Silent()}
    assert "gives no number" in refused(some, "not_a_number", detectors=silent)
    assert "smaller" in refused(some, "slow", seconds=count(0, 1).__next__)
    failing = {**BUILT_IN, "pca": lambda _seed: Failing()}
    assert "weights" in refused(some, "broken", detectors=failing)
    assert "install" in refused(some, "unknown_detector", detectors={"baseline": BUILT_IN["baseline"]})


def test_every_reason_has_a_sentence_in_every_language() -> None:
    for lang in LANGUAGES:
        words = Catalogue(lang)
        assert not [key for key in REASONS if f"bundle.{key}" not in words]


def test_a_zip_with_a_member_twice_is_refused() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", b"2")
    assert "one name" in refused(edited(files(), nothing, arrays_npz=sink.getvalue()), "broken")
