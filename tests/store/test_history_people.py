"""Alarms as episodes and what people said, out of the events as the ingest writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.alarm_desk import Desk
from ingest.alarms import Alarms, Record, step
from ingest.rows import event_rows
from models.diagnosis.types import Fault
from models.training.dataset import Label
from palier.historian.history import History
from palier.historian.history_table import Tidy
from palier.historian.rows import Transition
from palier.historian.sqlite import SqliteHistorian
from palier.operations import Acknowledge, Ask, CauseCode, Found, GiveVerdict, Intervene, InterventionKind
from tests.support.alarms import BLOCK_NS, KEY, MACHINE, PLANT, POINT, SITE, ask, velocity

ALERT, DANGER, CALM = 5.0, 8.0, 1.0


class Story:
    """A plant's alarms block by block, with what people do between them."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.block = 0
        self.events: list[Transition] = []

    @property
    def now_ns(self) -> int:
        return self.block * BLOCK_NS

    def measured(self, *values: float) -> int:
        """Blocks more; the time of the last."""
        for value in values:
            self.block += 1
            alarms, effects = step(self.desk.alarms, [velocity(self.block, value)])
            self.desk = Desk(alarms)
            self.events += [effect.transition for effect in effects if isinstance(effect, Record)]
        return self.now_ns

    def done(self, what: Ask) -> None:
        decision = ask(self.desk, what, self.now_ns + 1)
        assert decision.reply.outcome == "done", decision.reply
        self.desk = decision.desk
        self.events += [effect.transition for effect in decision.effects if isinstance(effect, Record)]


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def told(tmp_path: Path, story: Story) -> Iterator[History]:
    """The history of a story that the test tells before it asks."""
    historian = SqliteHistorian(tmp_path / "historian.sqlite")

    class Late(History):
        def _events(self, machine: object) -> list:  # type: ignore[type-arg]
            historian.write([event_rows(story.events)])
            return super()._events(machine)  # type: ignore[arg-type]

    with Late(historian, SITE, plant=PLANT, waveforms=None) as history:
        yield history


def first(table: Tidy, *names: str) -> list[object]:
    return [table[name].tolist()[0] for name in names]


def test_an_alarm_is_one_episode_from_its_raise_until_nothing_is_left_to_do(
    story: Story, told: History
) -> None:
    raised = story.measured(CALM, ALERT)
    worse = story.measured(DANGER)
    story.done(Acknowledge(KEY.id, "seen"))
    gone = story.measured(*[CALM] * 6)
    again = story.measured(ALERT)
    table = told.alarms()
    assert table["alarm"].tolist() == [KEY.id, KEY.id]
    assert table["raised"].tolist() == [raised, again]
    assert first(table, "acknowledged", "returned", "ended") == [worse + 1, gone, gone]
    assert first(table, "level", "by", "mode") == ["danger", "h.alami", "vibration"]
    assert str(table["returned"][1]) == str(table["ended"][1]) == "NaT"
    assert len(told.alarms(start=gone + 1, end=again)) == 0
    assert told.alarms(MACHINE, start=worse, end=gone)["raised"].tolist() == [raised]


def test_a_latched_danger_returns_and_ends_only_when_somebody_has_seen_it(
    story: Story, told: History
) -> None:
    story.measured(DANGER)
    gone = story.measured(*[CALM] * 6)
    story.measured(CALM)
    story.done(Acknowledge(KEY.id))
    assert first(told.alarms(), "returned", "acknowledged", "ended") == [
        gone,
        gone + BLOCK_NS + 1,
        gone + BLOCK_NS + 1,
    ]


def test_a_verdict_labels_the_time_that_its_alarm_stood(story: Story, told: History) -> None:
    raised = story.measured(CALM, ALERT)
    gone = story.measured(ALERT, *[CALM] * 6)
    story.done(GiveVerdict(KEY.id, Found.OTHER_CAUSE, Fault.MISALIGNMENT, None, "coupling"))
    story.measured(CALM, ALERT)
    story.done(GiveVerdict(KEY.id, Found.REFUTED))
    table = told.labels()
    assert table["fault"].tolist() == ["misalignment", "none"]
    assert first(table, "start", "end", "source", "said") == [raised, gone, "verdict", "other_cause"]
    assert first(table, "who", "text", "point") == ["h.alami", "coupling", POINT]
    assert told.alarms()["verdict"].tolist() == ["other_cause", "refuted"]
    assert told.label_stretches(MACHINE, POINT)[0] == Label(
        raised / 1e9, gone / 1e9, "misalignment", "verdict"
    )


def test_work_with_a_cause_labels_the_alarm_that_it_was_for(story: Story, told: History) -> None:
    raised = story.measured(CALM, ALERT, ALERT)
    cause = CauseCode.EXCESSIVE_CURRENT
    story.done(Intervene(MACHINE, InterventionKind.BEARING_CHANGED, None, POINT, "new bearing", cause))
    table = told.labels()
    assert first(table, "source", "fault", "cause") == ["work_order", "electrical_erosion", "5.4.2"]
    assert first(table, "start", "end") == [raised - BLOCK_NS, story.now_ns + 1]
    work = told.interventions()
    assert first(work, "time", "kind", "text") == [story.now_ns + 1, "bearing_changed", "new bearing"]


def test_work_without_an_alarm_labels_nothing(story: Story, told: History) -> None:
    story.measured(CALM)
    story.done(Intervene(MACHINE, InterventionKind.GREASING, cause=CauseCode.ABRASIVE_WEAR))
    assert str(told.labels()["start"][0]) == "NaT"
    assert told.label_stretches(MACHINE, POINT) == ()


def test_what_was_only_shown_is_no_alarm(story: Story, told: History) -> None:
    _, effects = step(Alarms(), [velocity(1, ALERT, action="")])
    story.events += [effect.transition for effect in effects if isinstance(effect, Record)]
    assert len(told.alarms()) == 0
