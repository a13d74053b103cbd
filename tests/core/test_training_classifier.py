"""The classifier of faults: by machines held out, and of faults that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models import bundle
from models.bundle_zip import from_npz, to_npz
from models.detection.context import Context
from models.training.dataset import HEALTHY, Label, PointHistory
from models.training.examples import RATIOS, contradictions, examples_of, lately
from models.training.fit import Trained, train_classifier
from models.training.selection import select
from palier.locale import Catalogue
from tests.support import faulty_fleet
from tests.support.bundles import edited, nothing, refused

HOURS = 5
SIGNS = {
    "unbalance": ("order_1x_mm_s", "velocity_rms_mm_s"),
    "misalignment": ("order_2x_mm_s", "order_3x_mm_s", "velocity_rms_mm_s"),
    "outer_ring": ("bpfo_modulation", "bpfo_bits", "envelope_rms_m_s2", "kurtosis"),
    "cavitation": ("band_2500_5000_m_s2", "band_5000_10000_m_s2", "acceleration_rms_m_s2"),
}
NAMES = tuple(sorted({name for signs in SIGNS.values() for name in signs} | set(RATIOS[:12])))


def sick(fault: str, machine: int, channels: Sequence[str] = ("H",), rise: float = 1.2) -> PointHistory:
    """Ten healthy blocks and ten with a fault: its signs rise by about e^rise."""
    rng = np.random.default_rng([machine, *fault.encode()])
    names = tuple(f"{channel}/{name}" for channel in channels for name in NAMES)
    log_x = rng.uniform(-1, 1, len(names)) + 0.1 * rng.normal(size=(20, len(names)))
    signs = [name.rpartition("/")[2] in SIGNS[fault] for name in names]
    log_x[10:, signs] += rise * np.exp(0.2 * rng.normal(size=sum(signs)))
    time_s = 1.79e9 + 3600.0 * HOURS * np.arange(20)
    calm = Label(float(time_s[0]), float(time_s[10]), HEALTHY, "verdict")
    label = Label(float(time_s[10]), float(time_s[-1]) + 1, fault, "verdict")
    return PointHistory(
        "site", f"{fault}-{machine}", "1", "pump", names, ("1",) * len(names), np.exp(log_x),
        Context(time_s, in_alarm=np.arange(20) >= 10), labels=(calm, label),
    )  # fmt: skip


def fleet(machines: int = 8, faults: Sequence[str] = tuple(SIGNS)) -> list[PointHistory]:
    channels = (("H",), ("X", "Y"))
    return [sick(fault, k, channels[k % 2]) for fault in faults for k in range(machines)]


@cache
def trained() -> Trained:
    return train_classifier(fleet())


def load(some: Trained) -> bundle.Bundle:
    assert some.parts is not None
    return bundle.load(bundle.pack(some.parts, name="faults-pump"))


def test_a_fault_is_named_on_a_machine_that_was_never_seen() -> None:
    model = load(trained())
    for fault, signs in SIGNS.items():
        named = model.classify(sick(fault, 99, ("north", "south")))
        assert named.label[-1] == fault
        assert named.label[:2].tolist() == ["", ""]  # two blocks are too few
        assert set(named.label[2:10]) <= {HEALTHY, "unidentified"}
        assert named.leading[-1] in signs
        assert 0 < named.confidence[-1] <= 1


def test_a_fault_that_was_never_taught_is_unidentified() -> None:
    model = load(train_classifier(fleet(faults=("unbalance", "misalignment", "outer_ring"))))
    labels = {str(model.classify(sick("cavitation", k)).label[-1]) for k in range(90, 96)}
    assert labels == {"unidentified"}


def test_levels_of_the_baseline_in_force_serve_where_a_history_has_no_healthy_time() -> None:
    history = sick("outer_ring", 98)
    levels = np.median(history.x[:10], axis=0)
    named = load(trained()).classify(history.rows(slice(10, None)), levels)
    assert named.label[-1] == "outer_ring"
    with pytest.raises(ValueError, match="levels must be"):
        load(trained()).classify(history, levels[:3])


def test_the_report_tells_splits_confusions_and_features() -> None:
    report = trained().report
    assert report["split"] == "by machine"
    assert report["named"] > 0.9
    assert set(report["unseen_unidentified"]) == set(SIGNS)
    assert min(report["unseen_unidentified"].values()) > 0.8
    reasons = {told["left_out"] for told in report["selection"].values()}
    assert "unknown" in reasons
    assert "" in reasons


def test_the_same_histories_give_the_same_bytes_in_any_order() -> None:
    first, again = trained().parts, train_classifier(fleet()).parts
    assert first is not None
    assert again is not None
    assert bundle.pack(first, name="f") == bundle.pack(again, name="f")


def test_the_manifest_tells_of_what_points_and_time_it_was_trained() -> None:
    early, late = (sick("unbalance", 0).rows(rows) for rows in (slice(0, 15), slice(12, None)))
    late = replace(late, labels=(Label(float(late.time_s[0]), float(late.time_s[4]), HEALTHY, "truth"),))
    nothing_healthy = replace(sick("outer_ring", 50), machine="Z").rows(slice(10, None))
    parts = train_classifier([*fleet()[1:], early, late, nothing_healthy]).parts
    assert parts is not None
    told = bundle.read_manifest(bundle.pack(parts, name="f")["manifest.json"])["trained"]
    assert [one["place"] for one in told] == sorted(["site", h.machine, "1"] for h in fleet())
    (both,) = (one for one in told if one["place"][1] == "unbalance-0")
    whole = sick("unbalance", 0).time_s
    assert (both["start_s"], both["end_s"]) == (float(whole[0]), float(whole[-1]))


def test_labels_that_contradict_each_other_are_named_and_nothing_is_trained() -> None:
    history = sick("unbalance", 0)
    label = history.labels[1]
    other = Label(label.start_s + 3600, label.end_s + 3600, "outer_ring", "verdict")
    found = train_classifier([*fleet(), replace(history, machine="X", labels=(label, other))])
    assert found.parts is None
    (one,) = found.refused
    assert (one.place[1], one.refusal.remedy) == ("X", "settle_labels")
    sentence = Catalogue("en").text("training.labels_contradict", **one.params)
    assert "says unbalance (verdict) and another outer_ring (verdict): correct or withdraw" in sentence
    opened = replace(other, source="work_order")
    assert not contradictions(replace(history, labels=(label, opened)))


def test_without_labels_or_with_too_few_machines_nothing_is_trained() -> None:
    unlabelled = [replace(history, labels=()) for history in fleet(2)]
    assert train_classifier(unlabelled).refused[0].refusal.reason == "no_labels"
    few = train_classifier(fleet(2))
    assert few.parts is None
    assert {one.params["fault"] for one in few.refused} == set(SIGNS)
    assert train_classifier(fleet(), kind="fan").refused[0].refusal.reason == "no_labels"


def test_a_classifier_that_could_not_name_anything_is_refused() -> None:
    parts = trained().parts
    assert parts is not None
    files = bundle.pack(parts, name="f")
    arrays = from_npz(files["arrays.npz"])
    features = arrays["classifier.features"]
    for name, value in (
        ("limits", np.full(len(arrays["classifier.limits"]), np.nan)),
        ("limits", np.empty(0)),
        ("white", arrays["classifier.white"][0]),
        ("features", np.where(features == features[0], "of_another_version", features)),
    ):
        some = to_npz({**arrays, f"classifier.{name}": value})
        assert "not whole" in refused(edited(files, nothing, arrays_npz=some), "broken")


def test_examples_that_are_like_good_health_teach_nothing() -> None:
    slight = [sick("cavitation", k, rise=0.02) for k in range(8)]
    some = train_classifier([*fleet(faults=("unbalance", "misalignment", "outer_ring")), *slight])
    assert some.report["like_good_health"]["cavitation"] > 0
    assert some.report["left_out"] == {"cavitation": 0}
    assert some.parts is not None
    assert "cavitation" not in some.parts.manifest["classes"]


def test_medians_look_back_over_five_blocks() -> None:
    rows = np.arange(8.0)[:, None]
    assert lately(rows)[:, 0].tolist()[2:] == [1.0, 1.5, 2.0, 3.0, 4.0, 5.0]
    assert np.isnan(lately(rows)[:2]).all()


def test_a_feature_that_repeats_another_is_left_out_by_name() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    x[20:, 0] += 5
    x[:, 1] = 2 * x[:, 0]
    x[:, 2] = np.nan
    chosen = select(x, np.repeat(["a", "b"], 20), ("one", "twice", "none"))
    assert chosen.kept.tolist() == [0]
    assert chosen.reasons == ("", "same_as:one", "unknown")


def test_examples_are_of_machines_and_few_of_each() -> None:
    examples = examples_of(fleet(2))
    assert {str(fault) for fault in np.unique(examples.faults)} == {HEALTHY, *SIGNS}
    assert max(np.unique(examples.machines, return_counts=True)[1]) <= 8


@pytest.mark.long
@pytest.mark.timeout(600)  # 45 s of a core that is not shared
def test_simulated_pumps_held_out_are_named_and_unseen_faults_are_not() -> None:
    # 140 machines: of 70 the share that is named has a standard error of 2.3 %, too much for a goal of 95 %
    histories = [*faulty_fleet.histories(faulty_fleet.KINDS, 20, seed=1)]
    report = train_classifier(histories).report
    assert report["named"] >= 0.95
    assert report["healthy"] >= 0.95
    assert np.mean([*report["unseen_unidentified"].values()]) >= 0.9
