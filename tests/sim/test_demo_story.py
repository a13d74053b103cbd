"""What the demonstration tells: once each, of what the ingest found out, with its place on the page."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from palier.alarm_finding import Finding
from palier.alarms import Alarm, AlarmKey, Cause, Level, Mode
from palier.historian.base import Table
from palier.locale import LANGUAGES, Catalogue
from palier.operations import Baseline, BaselineStatus
from simulators.demo_story import LIFE_FIELDS, Story
from simulators.status import MachineStatus

PAGE = "http://127.0.0.1:8080/"
ALARM = Alarm(
    AlarmKey("usine", "P-101", "2", Mode.VIBRATION),
    level=Level.ALERT,
    standing=Level.ALERT,
    raises=1,
    acknowledged=False,
)


@pytest.fixture
def story() -> Story:
    return Story(Catalogue("fr"), PAGE)


def test_an_alarm_is_told_when_it_comes_is_explained_and_gets_worse(story: Story) -> None:
    (first,) = story.of_alarms([ALARM])
    assert first == f"P-101, point 2\u00a0: alerte. {PAGE}machine/P-101"
    assert not [*story.of_alarms([ALARM])]
    found = Finding(1, fault="outer_ring", confidence=0.9, severity=3, action="plan", task="replace_bearing")
    (explained,) = story.of_alarms([replace(ALARM, found=found)])
    assert "bague externe" in explained
    (worse,) = story.of_alarms([replace(ALARM, found=found, level=Level.DANGER, standing=Level.DANGER)])
    assert "DANGER" in worse
    assert not [*story.of_alarms([replace(ALARM, standing=None)])]


def test_a_sensor_is_called_a_sensor(story: Story) -> None:
    key = AlarmKey("usine", "C-201", "1", Mode.SENSOR)
    (line,) = story.of_alarms([replace(ALARM, key=key, causes=(Cause("stuck"),))])
    assert "c'est le capteur, pas la machine (le signal est figé" in line


def test_the_gateway_is_left_to_its_page(story: Story) -> None:
    assert not [*story.of_alarms([replace(ALARM, key=AlarmKey("usine", "gw", "", Mode.GATEWAY))])]


def test_machines_that_stand_and_baselines_that_were_learned_are_told_once(story: Story) -> None:
    still = MachineStatus("B-501", "Broche", "stopped")
    assert len([*story.of_machines([still, still, MachineStatus("P-101", "Pompe", "normal")])]) == 1
    learned = Baseline("P-101", status=BaselineStatus.LEARNED, opened_ns=1, since_ns=1)
    assert len([*story.of_baselines([learned, Baseline("V-301", opened_ns=1, since_ns=1), learned])]) == 1


def test_a_life_is_told_with_its_interval_and_a_refusal_is_none(story: Story) -> None:
    hours = {name: np.array([h, np.nan]) for name, h in zip(LIFE_FIELDS, (8.0, 14.4, 25.0), strict=True)}
    lives = Table(np.array([5, 5]), ("P-101", "C-201"), ("2", "1"), ("", ""), hours)
    (line,) = story.of_lives(lives)
    assert "14\u00a0h (P10 à P90\u00a0: 8,0 à 25\u00a0h)" in line
    assert not [*story.of_lives(lives)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_every_line(lang: str) -> None:
    story = Story(Catalogue(lang), PAGE)
    sensor = replace(ALARM, key=AlarmKey("usine", "C-201", "1", Mode.SENSOR), causes=(Cause("stuck"),))
    lines = [*story.of_alarms([ALARM, sensor]), *story.of_machines([MachineStatus("B", "B", "stopped")])]
    assert len(lines) == 3
    assert not any("demo." in line or "{" in line for line in lines)
