"""Which machines are trained, and what of their history is sent to whom."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palier import fleet
from palier.commands.train import Source
from palier.commands.train_jobs import Job, fit_all
from palier.historian.base import Rows
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_sample_plant, sample_plant_path

HOUR_NS = 3600 * 10**9
WORKERS = "tcp://scheduler:8786"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A historian of a machine of the plant, and of one that was scrapped since."""
    plant = load_sample_plant()
    machines = (plant.machines[0].id, "scrapped")
    with closing(SqliteHistorian(tmp_path / "historian.sqlite")) as historian:
        for machine in machines:
            times = np.arange(1, 5) * HOUR_NS
            points, channels = ["1"] * 4, [plant.machines[0].points[0].channels[0].id] * 4
            fields = {"velocity_rms_mm_s": np.ones(4), "frame": ["gw:e:1"] * 4}
            tags = ([plant.site_id] * 4, [machine] * 4, points, channels)
            historian.write([Rows("feature", *tags, times, fields)])
    shutil.copy(sample_plant_path(), tmp_path / "plant.toml")
    return tmp_path


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that are handed out; nothing comes back."""
    jobs: list[Job] = []

    def run(_: Any, some: Sequence[Job], **__: Any) -> list[Any]:
        jobs.extend(some)
        return [() for _ in some]

    monkeypatch.setattr(fleet, "run", run)
    return jobs


def test_a_machine_that_the_plant_has_no_more_is_left_alone(data: Path, given: list[Job]) -> None:
    fit_all(Source(None, data, (), None, None), None, lambda _done, _of: None)
    assert [job.machine for job in given] == [load_sample_plant().machines[0].id]


def test_a_cluster_gets_the_blocks_of_a_file_whatever_names_it(data: Path, given: list[Job]) -> None:
    config = data / "ingest.toml"
    config.write_text(f'plant = "plant.toml"\ndata = "{data}"\n')
    fit_all(Source(config, None, (), None, None), WORKERS, lambda _done, _of: None)
    assert [job.histories is not None for job in given] == [True]
