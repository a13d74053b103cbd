"""From a promotion in the registry to a model at work, back again, and what happens when it can't be."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ingest.alarms import Alarms, step
from ingest.model_opening import opened, with_models
from ingest.model_scoring import Models
from ingest.model_standing import REGISTRY, Standing
from ingest.settings import IngestSettings, ModelsSettings
from ingest.watch_parts import PointModel
from models.detection.plain import decode
from palier.alarms import Life
from palier.historian.base import Unavailable
from palier.historian.rows import RecordsBatch
from palier.operations import Baseline, BaselineStatus
from palier.registry import JOURNAL
from tests.support import watched_pump as pump
from tests.support.fake_models import FakeBundle, loading, of_point
from tests.support.model_house import House, house
from tests.support.watched_pump import PLACE, PUMP

FIRST = pump.LEARNED + 1


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as found:
        yield found


def own_model(one: House) -> PointModel:
    watched = one.watch.watching.watch.watched(PLACE)
    assert watched is not None
    assert watched.model is not None
    return watched.model


def detector() -> FakeBundle:
    return FakeBundle(places=(PLACE,))


def baselines(one: House) -> FakeBundle:
    model = own_model(one)
    wider = replace(model.baseline, sigma=model.baseline.sigma * 2)
    return FakeBundle(kind="baselines", baselines={PLACE: of_point(replace(model, baseline=wider))})


def scored_by(one: House, k: int) -> list[str]:
    step = one.commit(k)
    (rows,) = [rows for rows in step.rows if rows.measurement == "score"]
    return [str(spec) for spec in rows.fields["model"]]


def specs(one: House) -> list[tuple[str, str]]:
    return [(model.spec, model.stage) for model in one.watch.watching.models.installed]


def test_a_detector_is_at_work_after_the_next_look_and_the_event_says_who_and_why(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    (event,) = one.events
    assert (event.kind, event.machine, event.state) == ("model", "forest", "in force")
    told = json.loads(event.detail)
    assert (told["version"], told["who"], told["why"]) == (1, "s.idrissi", "the new one is calmer")
    assert one.records.transitions(0, "model") == (event,)


def test_a_candidate_is_nothing_to_an_ingest(one: House) -> None:
    one.put("forest", b"1", detector(), promote=False)
    one.look()
    assert (specs(one), one.events) == ([], [])


def test_in_force_and_in_shadow_stand_beside_each_other(one: House) -> None:
    one.put("forest", b"1", detector())
    second = one.put("forest", b"2", detector(), promote=False)
    one.registry.shadow("forest", second, one.note("to be compared"))
    one.look()
    assert specs(one) == [("forest:1", "in force"), ("forest:2", "shadow")]
    one.registry.promote("forest", second, one.note("a week of it"), forced=True)
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    one.registry.retire("forest", second, one.note("not needed"))
    one.look()
    assert specs(one) == []
    assert one.events[-1].state == "none"


def test_only_what_is_at_work_is_kept_beside_the_records(one: House, tmp_path: Path) -> None:
    for tag in (b"1", b"2"):
        one.put("forest", tag, detector())
        one.look()
    one.look()
    assert [path.name for path in (tmp_path / "copies" / "forest").iterdir()] == ["2"]
    one.registry.rollback("forest", one.note("no"))
    one.look()
    one.look()
    assert [path.name for path in (tmp_path / "copies" / "forest").iterdir()] == ["1"]
    assert specs(one) == [("forest:1", "in force")]


def test_baselines_take_the_place_of_those_learned_and_a_rollback_puts_them_back(one: House) -> None:
    before = own_model(one)
    assert scored_by(one, FIRST) == ["own:1"]
    one.put("baselines", b"1", baselines(one))
    one.look()
    assert scored_by(one, FIRST + 1) == ["baselines:1"]
    told = one.watch.watching.baselines[PUMP]
    assert (told.version, told.status, told.by) == (2, BaselineStatus.LEARNED, "s.idrissi")
    assert told.why == "baselines:1: the new one is calmer"
    assert one.desk.baselines[PUMP] == told
    baseline_event = next(event for event in one.events if event.kind == "baseline")
    assert json.loads(baseline_event.detail)["who"] == "s.idrissi"

    one.registry.rollback("baselines", one.note("it called twice for nothing"))
    one.look()
    assert scored_by(one, FIRST + 2) == ["own:3"]
    after = own_model(one)
    assert replace(after, version=1).to_text() == before.to_text()
    assert one.watch.watching.baselines[PUMP].version == 3


def test_a_rollback_gives_a_confirmed_baseline_its_confirmation_back(one: House) -> None:
    confirmed = replace(
        one.watch.watching.baselines[PUMP], status=BaselineStatus.CONFIRMED, by="h.alami", why="checked"
    )
    one.watch.watching = replace(one.watch.watching, baselines={PUMP: confirmed})
    one.desk = replace(one.desk, baselines={PUMP: confirmed})
    one.records.commit(RecordsBatch(baselines=(_row(confirmed),)))
    one.put("baselines", b"1", baselines(one))
    one.look()
    assert one.watch.watching.baselines[PUMP].status is BaselineStatus.LEARNED
    one.registry.rollback("baselines", one.note("no"))
    one.look()
    told = one.watch.watching.baselines[PUMP]
    assert (told.version, told.status, told.by) == (3, BaselineStatus.CONFIRMED, "h.alami")


def _row(baseline: Baseline) -> Any:
    from ingest.watch_batch import baseline_row

    return baseline_row(PLACE[0], baseline)


def test_a_rollback_to_another_version_of_the_registry(one: House) -> None:
    one.put("baselines", b"1", baselines(one))
    one.look()
    one.put("baselines", b"2", baselines(one))
    one.look()
    assert scored_by(one, FIRST) == ["baselines:2"]
    one.registry.rollback("baselines", one.note("no"))
    one.look()
    assert scored_by(one, FIRST + 1) == ["baselines:1"]


def test_a_machine_opened_again_by_a_person_learns_until_another_version_comes(one: House) -> None:
    one.put("baselines", b"1", baselines(one))
    one.look()
    opened = Baseline(PUMP, 3, BaselineStatus.LEARNING, one.now_ns, one.now_ns, 0.0, "h.alami", "new bearing")
    one.desk = replace(one.desk, baselines={PUMP: opened})
    one.commit(FIRST)
    one.look()
    watched = one.watch.watching.watch.watched(PLACE)
    assert watched is not None
    assert watched.model is None
    one.registry.rollback("baselines", one.note("no"))
    one.look()
    assert one.watch.watching.baselines[PUMP].version == 3  # what the person wanted stays


def test_what_a_person_decided_and_the_watch_has_not_heard_comes_first(one: House) -> None:
    one.put("baselines", b"1", baselines(one))
    opened = Baseline(PUMP, 2, BaselineStatus.LEARNING, one.now_ns, one.now_ns, 0.0, "h.alami", "new bearing")
    one.desk = replace(one.desk, baselines={PUMP: opened})
    one.look()
    assert one.desk.baselines[PUMP] == opened
    one.commit(FIRST)
    one.turn()  # prepared for another moment: made anew
    one.look()
    assert one.watch.watching.baselines[PUMP].version == 3
    assert scored_by(one, FIRST + 1) == ["baselines:1"]


def test_a_restart_has_the_same_models_without_the_registry(one: House, tmp_path: Path) -> None:
    one.put("forest", b"1", FakeBundle(places=(PLACE,), score_of=lambda history: [2.0] * len(history)))
    one.put("baselines", b"2", baselines(one))
    one.look()
    one.look()
    for k in range(FIRST, FIRST + 2):
        one.commit(k)
    held = one.watch.watching.models.held
    one.registry.path.rename(tmp_path / "gone")
    one.restart()
    assert specs(one) == [("forest:1", "in force")]
    assert [h.run for h in one.watch.watching.models.held.values()] == [h.run for h in held.values()] == [2]
    assert scored_by(one, FIRST + 2) == ["baselines:1"]
    one.look()
    assert one.evidence[-1].causes[0].feature == "model_unreachable"
    assert specs(one) == [("forest:1", "in force")]


def test_a_store_that_is_down_leaves_everything_as_it_was_and_it_is_taken_later(
    one: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.put("baselines", b"1", baselines(one))
    before = one.watch.watching

    def down(_: RecordsBatch) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(one.records, "commit", down)
        one.look()
    assert one.watch.watching is before
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    one.turn()
    assert one.watch.watching.baselines[PUMP].version == 2


class Refused(Exception):
    """As models.bundle refuses."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the bundle is {key}: train it anew")
        self.key = key


@pytest.mark.parametrize(
    ("key", "cause"),
    [("unsigned", "unsigned"), ("pickled", "not_allowed"), ("tampered", "damaged"), ("slow", "too_slow")],
)
def test_a_bad_model_leaves_the_old_one_and_raises_an_alarm_that_a_good_one_ends(
    one: House, key: str, cause: str
) -> None:
    one.put("forest", b"1", detector())
    one.look()
    one.put("forest", b"2", Refused(key))
    one.look()
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    refused = one.events[-1]
    assert (refused.state, json.loads(refused.detail)["sentence"]) == ("refused", str(Refused(key)))
    alarms, _ = step(Alarms(), one.evidence)
    (alarm,) = alarms.open
    assert (alarm.key.id, alarm.life, alarm.action) == (
        "forest/model", Life.UNACKNOWLEDGED, "remedy.check_model"
    )  # fmt: skip
    assert [c.feature for c in alarm.causes] == [f"model_{cause}"]
    assert len(one.evidence) == 1  # told once, whatever the looks
    one.put("forest", b"3", detector())
    one.look()
    alarms, _ = step(alarms, one.evidence[1:])
    assert [alarm.life for alarm in alarms.open] == [Life.RETURNED]
    assert specs(one) == [("forest:3", "in force")]


def test_a_half_synchronised_registry_leaves_the_old_one_until_it_is_whole(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    one.put("forest", b"2", detector())
    arrays = one.registry.path / "forest" / "2" / "arrays.npz"
    arrays.parent.chmod(0o755)
    arrays.rename(arrays.with_name(".arrays.npz.part"))
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    assert [e.causes[0].feature for e in one.evidence] == ["model_incomplete"]
    arrays.with_name(".arrays.npz.part").rename(arrays)
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    assert one.evidence[-1].level is None


def test_a_damaged_journal_leaves_what_is_in_force(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    journal = one.registry.path / "forest" / JOURNAL
    journal.write_text("{}\n" + journal.read_text())
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    assert [e.causes[0].feature for e in one.evidence] == ["model_damaged"]


def test_a_model_that_takes_too_long_is_given_up_and_tried_again_a_minute_later(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    one.put("forest", b"2", detector())
    calls: list[threading.Thread] = []
    begun, ended = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        calls.append(threading.current_thread())
        begun.set()
        ended.wait(60)
        return detector()

    one.loader._load, one.loader._load_s = slow, 0.05
    for _ in range(12):  # two minutes: it is not begun again while it goes on
        one.look()
    assert specs(one) == [("forest:1", "in force")]
    assert [e.causes[0].feature for e in one.evidence] == ["model_too_slow"]
    assert begun.wait(60)
    assert len(calls) == 1
    ended.set()
    calls[0].join(60)
    one.loader._load, one.loader._load_s = lambda *_: detector(), 60.0
    one.clock_s += 60  # the machine was busy, and is not any more
    one.look()
    assert specs(one) == [("forest:2", "in force")]


def test_a_model_of_another_plant_is_refused_and_one_that_fits_in_part_says_what_is_left_out(
    one: House,
) -> None:
    elsewhere = ("elsewhere", "P-1", "1")
    one.put("forest", b"1", FakeBundle(places=(elsewhere,)))
    one.look()
    assert [e.causes[0].feature for e in one.evidence] == ["model_nothing_fits"]
    both = baselines(one)
    both.baselines = {**both.baselines, elsewhere: both.baselines[PLACE]}
    one.put("baselines", b"2", both)
    one.look()
    told = json.loads(next(e for e in one.events if e.state == "in force").detail)
    assert told["left_out"] == ["elsewhere/P-1/1: not_in_plant"]
    assert scored_by(one, FIRST) == ["baselines:1"]


def test_two_models_for_one_point_are_refused(one: House) -> None:
    one.put("baselines", b"1", baselines(one))
    one.look()
    one.put("others", b"2", baselines(one))
    one.look()
    assert [e.causes[0].feature for e in one.evidence] == ["model_overlaps"]
    assert scored_by(one, FIRST) == ["baselines:1"]


def test_a_model_that_fails_at_its_work_raises_the_alarm(one: House) -> None:
    def broken(history: Any) -> list[float]:
        raise FloatingPointError("a strange number")

    one.put("forest", b"1", FakeBundle(places=(PLACE,), score_of=broken))
    one.look()
    one.commit(FIRST)
    one.turn()
    assert [e.causes[0].feature for e in one.evidence] == ["model_fails"]
    one.put("forest", b"2", detector())
    one.look()
    one.turn()
    assert one.evidence[-1].level is None


def test_what_a_model_was_trained_on_is_kept_beside_it_for_drift(one: House) -> None:
    bundle = baselines(one)
    found = bundle.baselines[PLACE]
    found.trained = SimpleNamespace(to_arrays=lambda: {"blocks": np.array(1000)})
    one.put("baselines", b"1", bundle)
    one.look()
    one.turn()
    (text,) = one.records.states(PLACE[0], f"{PUMP}/{pump.POINT}#trained:2").values()
    assert decode(text)["blocks"] == 1000


def test_a_rescored_period_is_judged_by_the_models_at_work(one: House, tmp_path: Path) -> None:
    one.put("forest", b"1", detector())
    one.look()
    (tmp_path / "copies").rename(tmp_path / "models")
    settings = IngestSettings(plant=tmp_path / "plant.toml", data=tmp_path)
    watching = replace(one.watch.watching, models=Models())
    told = one.records.states(PLACE[0], REGISTRY)
    assert with_models(settings, watching, told) is watching  # without [models] nothing is looked at
    settings = settings.model_copy(update={"models": ModelsSettings(folder=tmp_path / "registry")})
    assert with_models(settings, watching, told) is watching  # files of this test are no bundle: left out
    found, _, troubles = opened(loading(one.bundles), tmp_path / "models", watching, told)
    assert ([model.spec for model in found.models.installed], troubles) == (["forest:1"], ())


def test_what_the_records_keep_of_models_is_read_again(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    fingerprint = one.registry.line("forest").version(1).fingerprint
    standing = one.loader.seen.standings["forest"]
    one.restart()
    assert one.loader.seen.standings == {"forest": standing}
    assert isinstance(standing, Standing)
    assert standing.in_force is not None
    assert standing.in_force.fingerprint == fingerprint
    one.look()
    assert len(one.events) == 1  # nothing new
