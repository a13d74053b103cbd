"""A trained model as bytes: the same data give the same ones, and it answers as when it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import bundle
from models.bundle import Bundle
from models.bundle_zip import from_npz, to_npz
from models.detection.baseline import Baseline
from models.features.catalogue import NAMES
from models.training.fit import train_baselines, train_detector
from tests.support.bundles import files, pca_files, refused
from tests.support.histories import healthy


def test_the_same_data_give_the_same_bytes() -> None:
    again = train_baselines([healthy(8), healthy(8, machine="M-2", channels=("X", "Y"))]).parts
    assert again is not None
    assert bundle.pack(again, name="baselines") == files()


def test_a_bundle_holds_the_baselines_to_the_last_bit() -> None:
    loaded, history = bundle.load(files()), healthy(8)
    one = loaded.baselines[history.place]
    fitted = Baseline.fit(history.x, history.context, names=history.names, features_of_machine=12)
    assert isinstance(fitted, Baseline)
    assert np.array_equal(one.baseline.intercept, fitted.intercept, equal_nan=True)
    assert np.array_equal(one.residuals(history), fitted.expect(history.x, history.context).z)
    assert one.levels.shape == (1, len(NAMES))
    velocity = NAMES.index("velocity_rms_mm_s")
    assert one.levels[0, velocity] == np.median(history.x[:, 0])
    assert (loaded.places, loaded.kind, loaded.signed) == (
        (("site", "M-1", "1"), ("site", "M-2", "1")), "baselines", False,
    )  # fmt: skip


def test_the_manifest_tells_what_was_trained_on_what() -> None:
    told = bundle.read_manifest(files()["manifest.json"])
    point = told["points"][1]
    assert [one["name"] for one in point["features"]][:2] == [
        "X/velocity_rms_mm_s",
        "X/acceleration_rms_m_s2",
    ]
    assert (point["fs_hz"], point["window_samples"]) == (25600.0, 102400)
    assert point["trained"]["blocks"] == 1152
    assert set(told["libraries"]) == {"numpy", "scipy"}
    assert set(told["files"]) == {"arrays.npz"}


def test_a_signed_bundle_is_believed_with_its_key_alone() -> None:
    private, public = bundle.new_keys()
    text = bundle.signed_text("baselines:3", files()["manifest.json"])
    signed = {**files(), "manifest.sig": bundle.signer(private)(text)}
    assert bundle.load(signed, spec="baselines:3", public_key=public).signed
    assert "another key" in refused(
        signed, "wrong_signature", spec="baselines:3", public_key=bundle.new_keys()[1]
    )
    for other in ("baselines:4", "pumps:3", ""):
        assert "another name or version" in refused(signed, "wrong_signature", spec=other, public_key=public)
    assert "not signed" in refused(files(), "unsigned", spec="baselines:3", public_key=public)
    early = {**files(), "manifest.sig": bundle.signer(private)(files()["manifest.json"])}
    assert "baselines:3" in refused(early, "signed_otherwise", spec="baselines:3", public_key=public)
    assert not bundle.load(early).signed


def test_blocks_of_several_points_at_once_are_as_each_alone() -> None:
    histories = [healthy(8), healthy(8, machine="M-2", channels=("X", "Y"))]
    parts = train_detector(histories, "pca", per="kind").parts
    assert parts is not None
    loaded = bundle.load(bundle.pack(parts, name="pca"))
    items = [(loaded.start(h.place), h.rows(slice(k, k + 3))) for k, h in enumerate(histories)]
    for (_, together), (_, history) in zip(loaded.step_all(items), items, strict=True):
        alone = loaded.score(history)
        assert np.allclose(together.score, alone.score)
        assert together.leading.tolist() == alone.leading.tolist()


def test_a_column_that_is_not_there_is_unknown_and_a_machine_at_rest_says_nothing() -> None:
    history = healthy(8)
    loaded: Bundle = bundle.load(pca_files())
    assert np.isfinite(loaded.score(history.columns(history.names[1:])).score).all()
    assert np.isnan(loaded.score(history.columns(history.names[:2])).score).all()
    rest = replace(history, context=replace(history.context, running=np.bool_(False)))
    assert np.isnan(loaded.score(rest).score).all()


def test_a_point_that_was_seldom_known_is_asked_about_what_was_known() -> None:
    history = healthy(90)
    x = history.x.copy()
    x[:2000] = x[3400:] = np.nan  # between the rows that would be asked, were they spread over all of it
    seldom = replace(history, x=x)
    for parts in (train_baselines([seldom]).parts, train_detector([seldom], "pca").parts):
        assert parts is not None
        assert len(bundle.load(bundle.pack(parts, name="b")).places) == 1


def test_arrays_come_back_as_they_were() -> None:
    arrays = {"a/b": np.arange(6.0).reshape(2, 3), "text": np.array(["x", "é"]), "none": np.empty((0, 4))}
    back = from_npz(to_npz(arrays))
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
    with pytest.raises(ValueError, match="numbers or texts"):
        to_npz({"object": np.array([{}])})
