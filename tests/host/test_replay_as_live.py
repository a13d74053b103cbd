"""A replay says of the same blocks what the watch and a detector in force said live, block by block."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from ingest.judging import Assessed
from ingest.model_scoring import Installed, Models
from ingest.scoring import Scored
from models import bundle
from models.training.dataset import PointHistory
from models.training.fit import train_detector
from models.training.replay_courses import course_of_scores, courses_of_parts
from palier import historian
from palier.historian.sqlite import SqliteHistorian
from palier.model_replaying import _part, _scored
from tests.support import watched_pump as pump


def blocks() -> Iterator[Assessed]:
    """Health, a bearing that goes, rest, health again; at first ten minutes apart, then three for a while."""
    ill = pump.simulated([0.1 * severity for severity in range(1, 9)], seed=500)
    tenth_s = 60.0  # pump.at counts in steps of EVERY_S: here in tenths of them
    at = 10 * pump.LEARNED
    for i in range(380):
        at += 3 if 100 <= i < 250 else 10
        entry: Scored = pump.sound()[i * 31 % pump.SOUND_BLOCKS]
        if 120 <= i < 250:
            entry = ill[min(7, (i - 120) // 12)]
        elif 300 <= i < 310:
            entry = pump.standing(i).scored
        said = pump.at(entry, 20_000 + i)
        frame = replace(said.scored.block, start_ns=round((pump.T0_S + at * tenth_s) * 1e9))
        work = replace(said.scored.work, frame=frame)
        yield replace(said, scored=replace(said.scored, work=work, block=frame))


def detector(folder: Path) -> bundle.Bundle:
    """One of the pump's weeks in good health."""
    pump.gathered_host(folder).historian.close()
    with historian.open(folder / "historian.sqlite", plant=folder / "plant.toml") as history:
        found = train_detector([history.point(pump.PUMP, pump.POINT)], "baseline")
    assert found.parts is not None, found.refused
    return bundle.load(bundle.pack(found.parts, name="d"))


@pytest.mark.long
def test_a_replay_says_block_by_block_what_was_said_live(tmp_path: Path) -> None:
    with as_file(files("palier") / "samples" / "plant.toml") as sample:
        shutil.copy(sample, tmp_path / "plant.toml")
    model = detector(tmp_path)
    (tmp_path / "historian.sqlite").unlink()
    host = pump.learned_host(tmp_path)
    host.historian.close()
    host.historian = SqliteHistorian(tmp_path / "historian.sqlite")
    in_force = Models().having([Installed.of("d", 1, "shadow", model)])
    host.watching = replace(host.watching, models=in_force)
    live: dict[float, tuple[int, bool]] = {}
    for one in blocks():
        for verdict in host.commit([one]).verdicts.values():
            held = host.watching.models.held.get(("d:1", pump.PLACE))
            live[verdict.ts_ns / 1e9] = int(verdict.level), held is not None and held.on
    host.historian.close()
    (tmp_path / "after.sqlite").unlink()
    with historian.open(tmp_path / "historian.sqlite", plant=tmp_path / "plant.toml") as history:
        past = history.point(pump.PUMP, pump.POINT)
        part = _part(history, past)
    watched = host.watching.watch.watched(pump.PLACE)
    assert watched is not None
    assert watched.model is not None
    assert (part.alert, part.danger, part.zoned) == (watched.alert, watched.danger, watched.zoned)
    (course,) = courses_of_parts([(past, replace(part, baseline=watched.model.baseline))])

    def score(one: PointHistory) -> tuple[object, float]:
        return _scored(model, one)

    by = course_of_scores(past, score)  # type: ignore[arg-type]
    assert past.time_s.tolist() == list(live)
    levels, on = (np.array(said) for said in zip(*live.values(), strict=True))
    assert np.unique(levels).size > 2
    assert on.any()
    np.testing.assert_array_equal(course.level, levels)
    np.testing.assert_array_equal(by.level > 0, on)
