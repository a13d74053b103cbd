"""Training: what is learned of histories, what is left out and why, and how often a detector is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import bundle
from models.training import fit
from models.training.dataset import HEALTHY, Label, PointHistory
from models.training.fit import REFUSALS, Trained, train_baselines, train_detector
from models.training.threshold import episodes, standing
from palier.locale import LANGUAGES, Catalogue
from tests.support.histories import A_DAY, healthy, worse

MONTH = 30 * A_DAY


def labelled(
    history: PointHistory, first: int, last: int, fault: str, source: str = "verdict"
) -> PointHistory:
    label = Label(float(history.time_s[first]), float(history.time_s[last]), fault, source)
    return replace(history, labels=(*history.labels, label))


def in_alarm(history: PointHistory, first: int, last: int) -> PointHistory:
    rows = np.arange(len(history))
    return replace(history, context=replace(history.context, in_alarm=(rows >= first) & (rows < last)))


def blocks(trained: Trained) -> int:
    assert trained.parts is not None
    return int(trained.parts.manifest["points"][0]["trained"]["blocks"])


def test_machines_are_fitted_while_others_are_read_and_each_by_itself() -> None:
    histories = [healthy(8, machine=name, point=point) for name in ("A", "B") for point in ("1", "2")]
    whole = train_baselines(iter(histories))
    apart = [one for k in (0, 2) for one in fit.fit_machine(histories[k : k + 2])]
    assert whole.parts is not None
    again = fit.baselines_of(reversed(apart)).parts
    assert again is not None
    assert bundle.pack(again, name="b") == bundle.pack(whole.parts, name="b")
    assert whole.report["points"] == 4


def test_too_few_healthy_days_and_a_gap_are_told_with_numbers() -> None:
    short = healthy(5)
    gap = healthy(12, machine="M-2").rows(np.r_[0 : 3 * A_DAY, 10 * A_DAY : 12 * A_DAY])
    trained = train_baselines([short, gap, healthy(8, machine="M-3")])
    assert [(one.place[1], one.refusal.reason) for one in trained.refused] == [
        ("M-1", "baseline_too_short"), ("M-2", "baseline_too_short"),
    ]  # fmt: skip
    assert trained.refused[0].params["days"] == 5
    assert trained.refused[1].params["blocks"] == 720
    assert trained.report["points"] == 1
    assert train_baselines([short]).parts is None


def test_what_people_called_a_fault_is_not_learned_and_what_they_refuted_is() -> None:
    history = healthy(20)
    assert blocks(train_baselines([history])) == 2880
    assert blocks(train_baselines([in_alarm(history, 1000, 1100)])) == 2780
    around = 2880 - 100 - 4 * A_DAY  # three days before the label, and one after
    assert blocks(train_baselines([labelled(history, 1000, 1100, "unbalance")])) == around
    refuted = labelled(in_alarm(history, 1000, 1100), 1000, 1100, HEALTHY)
    assert blocks(train_baselines([refuted])) == 2880
    found = labelled(labelled(history, 1000, 1100, "unbalance", "work_order"), 1000, 1100, HEALTHY)
    assert blocks(train_baselines([found])) == around  # who opened the machine is believed


def test_points_of_two_sites_are_no_model() -> None:
    with pytest.raises(ValueError, match="one site"):
        train_baselines([healthy(8), replace(healthy(8, machine="M-2"), site="other")])


@pytest.mark.parametrize("detector", ["baseline", "pca"])
def test_a_detector_of_a_point_finds_a_fault_and_spares_the_healthy(detector: str) -> None:
    full = healthy(90, channels=("H", "V"), memory=0.8, seed=4)
    trained = train_detector([full.rows(slice(0, MONTH))], detector)
    assert trained.parts is not None
    loaded, later = bundle.load(bundle.pack(trained.parts, name=detector)), full.rows(slice(MONTH, None))
    calm = loaded.score(later)
    assert episodes(standing(calm.score, calm.threshold, later.time_s)) == 0
    faulty = worse(later, 2000, 1.8, "envelope_rms_m_s2", "band_1000_2500_m_s2", "kurtosis")
    said = loaded.score(faulty)
    stands = standing(said.score, said.threshold, later.time_s)
    assert not stands[:2000].any()
    assert stands[2010:].mean() > 0.9
    assert {name.rpartition("/")[2] for name in said.leading[2010:2100]} <= {
        "envelope_rms_m_s2", "band_1000_2500_m_s2", "kurtosis",
    }  # fmt: skip
    assert trained.report["split"] == "by time"


def test_a_detector_of_a_kind_fits_machines_of_other_channels() -> None:
    channels = (("H",), ("X", "Y"), ("radial", "axial"))
    histories = [healthy(10, machine=f"M-{k}", channels=names, seed=k) for k, names in enumerate(channels)]
    trained = train_detector(histories, "pca", per="kind")
    assert trained.parts is not None
    assert trained.report["split"] == "by machine"
    assert len(trained.parts.manifest["groups"]) == 1
    model = bundle.load(bundle.pack(trained.parts, name="pca"))
    for history in histories:
        said = model.score(worse(history, 700, 3.0))
        assert said.exceeds[700:].mean() > 0.9
        assert said.exceeds[:700].mean() < 0.01


def test_a_detector_that_is_not_there_or_has_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="baseline"):
        train_detector([healthy(8)], "oracle")
    trained = train_detector([healthy(3)], "pca")
    assert (trained.parts, trained.refused[0].refusal.remedy) == (None, "finish_learning")


def test_every_refusal_has_words_in_every_language() -> None:
    for lang in LANGUAGES:
        words = Catalogue(lang)
        assert all(f"refusal.{one.reason}" in words and f"remedy.{one.remedy}" in words for one in REFUSALS)
