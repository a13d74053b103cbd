"""A candidate over the past: what counts as told, as false, as known before, and what is only said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from models.detection.decision import TESTS
from models.detection.measured import Part
from models.training.dataset import HEALTHY, Label, PointHistory, Work
from models.training.replay import Judge, ReplayError, replay
from models.training.replay_courses import Place, Score
from models.training.replay_report import Fate, MachineReplay, Prices, Verdict
from models.training.replay_truth import Stretch
from tests.support.training_past import LEVELS, NAMES, SPEED_HZ, at, baseline_of, grown, past

BROKEN = Label(at(40), at(50), "bearing_outer_ring", "work_order")
PLACE = ("usine", "P-101", "1")


def loudest(history: PointHistory) -> npt.NDArray[np.float64]:
    """The largest residual of each block in σ, where the machine runs at a speed that is known."""
    z = np.log(history.columns(NAMES).x / np.array(LEVELS)) / 0.15
    score = np.fmax.reduce(z, axis=1, initial=np.nan)
    return np.where(history.context.speed_hz == SPEED_HZ, score, np.nan)


def judge(above: float = 6.0, name: str = "loudest:2", days: float = 14) -> Judge:
    """A detector with this threshold, of the first days."""
    trained = {PLACE: Stretch(at(0), at(days))}
    return Judge(name, scores={PLACE: lambda h: (loudest(h), above)}, trained=trained)


def deaf() -> Judge:
    """One that never says anything."""
    return judge(1e3, "loudest:1", 0.001)


@pytest.fixture(scope="module")
def broke() -> PointHistory:
    """A machine that breaks after fifty days, is repaired, and is well for another forty."""
    return grown(past(90, labels=[BROKEN], done_s=[at(50)]), 40, 50, 6.0)


def test_a_failure_that_only_the_candidate_saw_is_extra(broke: PointHistory) -> None:
    report = replay([broke], judge(), deaf(), start_s=at(14), end_s=at(90))
    (told,) = report.failures
    assert told.verdict is Verdict.EXTRA
    assert told.in_force_s is None
    assert told.candidate_s is not None
    assert at(41) < told.candidate_s < at(48)
    assert report.machines[0].candidate.count(Fate.DETECTION) == 1
    assert report.false().count == 0


def test_of_two_that_saw_it_hours_are_told(broke: PointHistory) -> None:
    late = judge(9.0, "loudest:1")
    (told,) = replay([broke], judge(), late, start_s=at(14), end_s=at(90)).failures
    assert told.verdict is Verdict.EARLIER
    assert told.hours_earlier is not None
    assert 10 < told.hours_earlier < 200
    (other,) = replay([broke], late, judge(), start_s=at(14), end_s=at(90)).failures
    assert other.verdict is Verdict.LATER
    assert other.hours_earlier == pytest.approx(-told.hours_earlier)


def test_a_model_is_not_praised_for_what_it_was_trained_on(broke: PointHistory) -> None:
    seen = replace(judge(), trained={PLACE: Stretch(at(0), at(45))})
    report = replay([broke], seen, deaf(), start_s=at(0), end_s=at(90))
    assert [one.verdict for one in report.failures] == [Verdict.TRAINED]
    machine = report.machines[0]
    assert machine.candidate.false.months == pytest.approx(45 / 30, rel=0.01)
    assert machine.in_force is not None  # the same time is left out on both sides
    assert machine.in_force.false.months <= machine.candidate.false.months * 1.01
    (note,) = [note for note in machine.notes if note.key == "trained_here"]
    assert note.params["days"] == pytest.approx(45)


def test_an_alert_that_nothing_followed_is_false_and_has_its_price() -> None:
    well = past(90)
    x = well.x.copy()
    x[6000:6020] *= 5  # two hours of something, forty days from the start
    report = replay(
        [replace(well, x=x)], judge(), None, start_s=at(14), end_s=at(90), prices=Prices(500, 80_000)
    )
    rate = report.false()
    assert (rate.count, round(rate.months, 1)) == (1, 2.5)
    low, high = rate.interval
    assert low == pytest.approx(0.0253 / rate.months, rel=0.01)  # Garwood, of a count of one
    assert high == pytest.approx(5.572 / rate.months, rel=0.01)
    cost = report.cost()
    assert cost is not None
    assert (cost.false_calls, cost.untimely, cost.total) == (1, 0, 500.0)
    assert {note.key for note in report.machines[0].notes} == {"no_failures"}


def test_a_warning_in_the_last_hours_is_no_help(broke: PointHistory) -> None:
    def cost(lead_h: float) -> float:
        prices = Prices(0, 80_000, lead_h)
        found = replay([broke], judge(), None, start_s=at(14), end_s=at(90), prices=prices).cost()
        assert found is not None
        return found.total

    assert (cost(24), cost(24 * 9.9)) == (0.0, 80_000.0)


def test_a_failure_that_the_period_ends_before_costs_nobody_a_breakdown_yet(broke: PointHistory) -> None:
    def cost(end_day: float) -> float:
        found = replay([broke], deaf(), None, start_s=at(14), end_s=at(end_day), prices=Prices(0, 7)).cost()
        assert found is not None
        return found.total

    assert (cost(42), cost(49)) == (0, 7)  # a warning helps until two days before its end on the 50th


def test_work_within_a_month_answers_an_alert_and_a_young_one_is_open() -> None:
    well = past(90, done_s=[at(50)])
    x = well.x.copy()
    for day in (40, 80):
        x[day * 144 : day * 144 + 20] *= 5
    side = replay([replace(well, x=x)], judge(), None, start_s=at(14), end_s=at(90)).machines[0].candidate
    assert [call.fate for call in side.calls] == [Fate.ANSWERED, Fate.OPEN]
    assert side.calls[0].cause.startswith("score ")


@pytest.mark.parametrize(
    ("work", "fate"),
    [
        (Work(at(50), "1", "greasing"), Fate.ANSWERED),
        (Work(at(50), "", "tightening"), Fate.ANSWERED),
        (Work(at(50), "2", "bearing_changed"), Fate.FALSE),
        (Work(at(50), "", "greasing"), Fate.FALSE),
    ],
)
def test_work_elsewhere_and_work_by_the_calendar_answer_no_alert(work: Work, fate: Fate) -> None:
    well = past(90, done_s=[work.at_s])
    x = well.x.copy()
    x[40 * 144 : 40 * 144 + 20] *= 5
    some = replace(well, x=x, work=(work,))
    side = replay([some], judge(), None, start_s=at(14), end_s=at(90)).machines[0].candidate
    assert [call.fate for call in side.calls] == [fate]


def test_where_nothing_was_wrong_an_alert_is_false_whatever_was_done_after() -> None:
    well = past(90, labels=[Label(at(30), at(60), HEALTHY, "verdict")], done_s=[at(45)])
    x = well.x.copy()
    x[40 * 144 : 40 * 144 + 20] *= 5
    report = replay([replace(well, x=x)], judge(), None, start_s=at(14), end_s=at(90))
    assert [call.fate for call in report.machines[0].candidate.calls] == [Fate.FALSE]


def test_labels_that_contradict_each_other_judge_nobody(broke: PointHistory) -> None:
    against = replace(broke, labels=(BROKEN, Label(at(39), at(50), HEALTHY, "work_order")))
    report = replay([against], judge(), deaf(), start_s=at(14), end_s=at(90))
    machine = report.machines[0]
    assert machine.failures == ()
    assert {call.fate for call in machine.candidate.calls} == {Fate.CONTESTED}
    assert machine.contradictions[0].faults == (HEALTHY, BROKEN.fault)
    assert "contradicting_labels" in {note.key for note in machine.notes}
    assert report.false().count == 0


def test_what_was_found_when_it_was_opened_is_believed_before_a_verdict(broke: PointHistory) -> None:
    doubted = replace(broke, labels=(BROKEN, Label(at(39), at(50), HEALTHY, "verdict")))
    (machine,) = replay([doubted], judge(), deaf(), start_s=at(14), end_s=at(90)).machines
    assert machine.contradictions == ()
    assert [one.verdict for one in machine.failures] == [Verdict.EXTRA]


def test_gaps_and_refused_stretches_are_counted_and_no_time_in_them_is_calm(broke: PointHistory) -> None:
    gap = broke.rows((broke.time_s < at(20)) | (broke.time_s >= at(35)))
    x = gap.x.copy()
    x[(gap.time_s >= at(60)) & (gap.time_s < at(70))] = np.nan
    running = gap.context.running & ~((gap.time_s >= at(70)) & (gap.time_s < at(75)))
    speed = np.where(running, 25.0, 0.0)
    speed[(gap.time_s >= at(75)) & (gap.time_s < at(80))] = 60.0  # a speed that nobody learned
    with_holes = replace(gap, x=x, context=replace(gap.context, speed_hz=speed, running=running))
    machine = replay([with_holes], judge(), None, start_s=at(14), end_s=at(90)).machines[0]
    judged, rest, unseen, nothing = machine.candidate.became
    assert (rest, unseen, nothing) == (720, 720, 1440)
    assert judged == 76 * 144 - 15 * 144 - 2880
    assert machine.candidate.false.months == pytest.approx(judged / 144 / 30, rel=0.01)
    (note,) = [note for note in machine.notes if note.key == "gaps"]
    assert note.params["days"] == pytest.approx(15, abs=0.1)


def test_a_machine_that_runs_an_hour_and_rests_three_is_judged_a_quarter_of_the_time(
    broke: PointHistory,
) -> None:
    on = np.arange(len(broke)) % 24 < 6
    speed = np.where(on, broke.context.speed_hz, 0.0)
    now_and_then = replace(broke, context=replace(broke.context, speed_hz=speed, running=on))
    machine = replay([now_and_then], judge(), None, start_s=at(14), end_s=at(90)).machines[0]
    assert machine.candidate.became[:2] == (76 * 36, 76 * 108)
    assert machine.candidate.false.months == pytest.approx(76 / 4 / 30, rel=0.01)


def test_a_few_days_are_called_too_few(broke: PointHistory) -> None:
    report = replay([broke], judge(), None, start_s=at(14), end_s=at(17))
    assert "too_short" in {note.key for note in report.machines[0].notes}


def test_points_of_a_machine_that_alert_together_are_one_call() -> None:
    points = [grown(past(60, seed=k, point=str(k)), 30, 32, 8.0) for k in (1, 2, 3)]
    scores: dict[Place, Score] = {one.place: lambda h: (loudest(h), 6.0) for one in points}
    (machine,) = replay(points, Judge("d:1", scores=scores), None, start_s=at(14), end_s=at(90)).machines
    (call,) = machine.candidate.calls
    assert call.points == ("1", "2", "3")


def both(*points: PointHistory, start_day: float = 14) -> MachineReplay:
    """Points of one machine, by the loudest residual of each."""
    scores: dict[Place, Score] = {one.place: lambda h: (loudest(h), 6.0) for one in points}
    return replay(points, Judge("d:2", scores=scores), None, start_s=at(start_day), end_s=at(90)).machines[0]


def test_what_was_said_of_one_point_is_not_said_of_another() -> None:
    refuted = past(90, point="1", labels=[Label(at(41), at(49), HEALTHY, "verdict")])
    ill = grown(past(90, seed=1, point="2", labels=[BROKEN]), 40, 50, 6.0)
    machine = both(refuted, ill)
    assert [one.verdict for one in machine.failures] == [Verdict.SEEN]
    assert machine.candidate.calls[0].fate is Fate.DETECTION
    assert machine.candidate.false.count == 0


def test_of_two_failures_at_once_each_is_told_by_its_own_point() -> None:
    other = Label(at(43), at(52), "unbalance", "work_order")
    points = [
        grown(past(90, seed=1, point="1", labels=[BROKEN]), 40, 50, 6.0),
        grown(past(90, seed=2, point="2", labels=[other]), 43, 52, 6.0),
    ]
    machine = both(*points)
    assert [one.verdict for one in machine.failures] == [Verdict.SEEN, Verdict.SEEN]
    first, second = (one.candidate_s for one in machine.failures)
    assert first is not None
    assert second is not None
    assert first < second
    neighbour = both(points[0], past(90, seed=2, point="2"))
    silent = both(replace(points[0], labels=()), past(90, seed=2, point="2", labels=[BROKEN]))
    for only in (neighbour, silent):  # somebody went to the machine
        assert [one.verdict for one in only.failures] == [Verdict.SEEN]


@pytest.mark.parametrize("planned", [10, 40])
def test_who_is_earlier_than_what_is_in_force_is_not_too_early(planned: float) -> None:
    """A label begins with the alarm in force; greasing came between, or the repair a month after."""
    label = Label(at(30), at(30 + planned), "bearing_outer_ring", "work_order")
    slow = grown(past(90, labels=[label], done_s=[at(29), at(30 + planned)]), 20, 30 + planned, 20.0)
    early, late = judge(4.0), judge(8.0, "loudest:1")
    (told,) = replay([slow], early, late, start_s=at(14), end_s=at(90)).failures
    assert told.candidate_s is not None
    assert told.candidate_s < at(29)
    assert told.verdict is Verdict.EARLIER


def test_a_fault_whose_alarm_comes_and_goes_until_it_is_put_right_is_one_failure() -> None:
    """A verdict an alarm: two of one bearing, before anybody had worked on it; and a third after that."""
    spans = ((40, 42), (44, 50), (60, 65))
    labels = [Label(at(a), at(b), BROKEN.fault, "verdict") for a, b in spans]
    ill = grown(past(90, labels=labels, done_s=[at(49.9), at(65)]), 38, 50, 8.0)
    machine = both(grown(ill, 58, 65, 8.0))
    stretches = [one.failure.known for one in machine.failures]
    assert stretches == [Stretch(at(40), at(50)), Stretch(at(60), at(65))]
    assert [one.verdict for one in machine.failures] == [Verdict.SEEN, Verdict.SEEN]


def test_an_alert_that_stands_for_months_is_no_word_of_what_fails_at_last() -> None:
    x = (well := past(90, labels=[Label(at(70), at(80), "unbalance", "truth")])).x.copy()
    x[20 * 144 : 80 * 144] *= 6
    machine = both(replace(well, x=x))
    assert [one.verdict for one in machine.failures] == [Verdict.MISSED]
    assert [call.fate for call in machine.candidate.calls] == [Fate.FALSE]


def test_an_alert_that_began_in_what_was_trained_on_is_not_held_against_the_model() -> None:
    x = (well := past(90, labels=[Label(at(40), at(50), "unbalance", "truth")])).x.copy()
    x[30 * 144 : 50 * 144] *= 6
    ill = replace(well, x=x)
    (told,) = replay([ill], judge(days=35), None, start_s=at(14), end_s=at(90)).failures
    assert told.verdict is Verdict.TRAINED


def test_what_failed_before_the_period_is_none_of_its_failures(broke: PointHistory) -> None:
    machine = both(broke, start_day=52)
    assert (machine.failures, machine.candidate.calls) == ((), ())


def test_baselines_are_judged_by_the_monitor_and_a_detector_beside_them() -> None:
    short = grown(past(24, labels=[Label(at(18), at(22), "unbalance", "truth")]), 18, 22, 4.0)
    of_week = {PLACE: Part(baseline_of(short, 8))}
    parts = Judge("baselines:2", of_week, trained={PLACE: Stretch(at(0), at(8))})
    report = replay([short], parts, judge(), start_s=at(8), end_s=at(24))
    (told,) = report.failures
    assert told.verdict in (Verdict.EARLIER, Verdict.SAME, Verdict.LATER)
    (call,) = report.machines[0].candidate.calls  # from watch on, as what it is compared with
    assert call.cause.partition(":")[0] in TESTS
    alone = replay([short], parts, None, start_s=at(8), end_s=at(24)).machines[0].candidate
    assert [call.cause.partition(":")[0] for call in alone.calls] == ["alert"]
    assert alone.became == (16 * 144, 0, 0, 0)


def test_a_classifier_is_right_wrong_or_unidentified(broke: PointHistory) -> None:
    def named(fault: str) -> Judge:
        return Judge("faults:1", names={PLACE: lambda h: np.where(h.time_s >= at(40), fault, HEALTHY)})

    found = {}
    for answer in (BROKEN.fault, "unbalance", "unidentified", ""):
        report = replay([broke], named(answer), None, start_s=at(0), end_s=at(90), prices=Prices(500, 80_000))
        assert ([one.verdict for one in report.failures], report.cost()) == ([Verdict.UNASKED], None)
        assert "trained_unknown" in {note.key for note in report.machines[0].notes}
        naming = report.machines[0].candidate.naming
        assert naming is not None
        found[answer] = naming.failures[0].called.value
        assert naming.healthy + naming.refused == 20 * 144 + 40 * 144  # but the month that it was looked for
    assert found == {
        BROKEN.fault: "right",
        "unbalance": "wrong",
        "unidentified": "unidentified",
        "": "refused",
    }


def test_a_classifier_is_not_asked_about_what_it_was_taught(broke: PointHistory) -> None:
    taught = Judge(
        "faults:1", names={PLACE: lambda h: np.full(len(h), "x")}, trained={PLACE: Stretch(at(0), at(60))}
    )
    report = replay([broke], taught, None, start_s=at(0), end_s=at(90))
    assert [one.verdict for one in report.failures] == [Verdict.TRAINED]


def test_the_report_is_json(broke: PointHistory) -> None:
    report = replay([broke], judge(), deaf(), start_s=at(14), end_s=at(90), prices=Prices(1, 2))
    told = json.loads(json.dumps(report.told(), allow_nan=False))
    assert told["candidate"] == "loudest:2"
    assert told["verdicts"]["extra"] == 1


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda h: h.columns(h.names[:2]), "other columns"),
        (lambda h: replace(h, point="9"), "no blocks of a point that loudest:2 knows"),
        (lambda h: h.rows(slice(None, None, -1)), "in order of time"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_a_sentence(
    broke: PointHistory, spoil: Callable[[PointHistory], PointHistory], sentence: str
) -> None:
    with pytest.raises(ReplayError, match=sentence):
        replay([spoil(broke)], judge(), None, start_s=at(14), end_s=at(90))


def test_the_past_after_a_time_changes_nothing_before_it(broke: PointHistory) -> None:
    whole = replay([broke], judge(), None, start_s=at(14), end_s=at(46)).machines[0].candidate
    until = broke.between(at(0), at(46))
    cut = replay([until], judge(), None, start_s=at(14), end_s=at(46)).machines[0].candidate
    assert [call.raised_s for call in whole.calls] == [call.raised_s for call in cut.calls]
