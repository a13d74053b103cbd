"""A training folder with two exercises as a training leaves it: session, series, records, last blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.turning import kinematics_of
from models.features import Extractor
from models.types import MachineSpec
from palier.frames import FrameId, Waveform
from palier.historian.folder import DataFolder
from palier.historian.records import Records, RecordsBatch
from palier.historian.rows import WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.plant import Plant, load_sample_plant, parse_plant
from palier.training import Exercise, Session
from palier.training_results import TrainingFolder
from simulators.tasks import Options, Task
from simulators.training_file import shipped_session
from simulators.training_plant import plant_text, simulated
from simulators.training_times import END_S
from tests.support.seeding import Series

HOUR_S = 3600.0
HOURS = (*range(27 * 24, 15 * 24, -72), 96, 48, 4, 3, 2, 1, 0)
"""Hours before the end: four blocks in good order, the course of the fault, and the five that are judged."""

CHOSEN = ("EX-03", "EX-10")
"""An outer ring of a pump, and a pump in good order that is struck by stones."""

BLOCK = Options(interval_s=60.0, block_s=2.0)


def training_folder(folder: Path) -> tuple[Plant, TrainingFolder, DataFolder]:
    """The plant of two exercises, the training folder, and the data of their machines."""
    shipped = shipped_session(load_sample_plant())
    chosen = tuple(replace(one, blocks=len(HOURS)) for one in shipped.exercises if one.id in CHOSEN)
    session = Session("tested", shipped.title, round(END_S * 1e9), chosen)
    plant = parse_plant(plant_text(session), file=folder / "plant.toml")
    training = TrainingFolder(folder)
    training.session_file.write_text(session.to_json(), "utf-8")
    data = DataFolder(folder / "data").create()
    historian, store, records = (
        SqliteHistorian(data.historian),
        WaveformStore(data.waveforms),
        Records(data.records),
    )
    try:
        found = [row for one in chosen for row in _written(one, plant, historian, store)]
        store.sync()
        records.commit(RecordsBatch(waveforms=tuple(found)))
    finally:
        historian.close()
        store.close()
        records.close()
    return plant, training, data


def _written(
    exercise: Exercise, plant: Plant, historian: SqliteHistorian, store: WaveformStore
) -> list[WaveformRow]:
    spec = plant.machine(exercise.id)
    assert spec is not None
    sim = simulated(exercise, plant)
    found = []
    for task in sim.tasks(BLOCK):
        if task.point is None:
            continue
        frames = [sim.frame_at(task, END_S - hour * HOUR_S) for hour in HOURS]
        blocks = [frame for frame in frames if isinstance(frame, Waveform)]
        assert len(blocks) == len(HOURS)
        historian.write([_features(spec, task, blocks, plant.site_id)])
        last = blocks[-1]
        frame = FrameId(f"{plant.site_id}/salle", "ab" * 8, 1 + len(found) + 10 * int(exercise.id[-2:]))
        found.append(
            WaveformRow(
                frame, plant.site_id, spec.id, task.point.id, last.start_ns, store.append(frame, last)
            )
        )
    return found


def _features(spec: MachineSpec, task: Task, blocks: list[Waveform], site: str) -> object:
    point = task.point
    assert point is not None
    assert spec.speed_rpm is not None
    hz = spec.speed_rpm / 60 * point.shaft_order
    extractor = Extractor(task.fs_hz, task.n, compiled=False)
    orders = None if point.bearing is None else point.bearing.orders
    table = np.array(
        [
            extractor.extract(
                block.samples[:1],
                block.scale[0],
                speed_hz=hz,
                orders=orders,
                kinematics=kinematics_of(spec, point, hz),
            )[0]
            for block in blocks
        ],
        dtype=np.float64,
    )
    times = np.array([block.start_ns for block in blocks], dtype=np.int64)
    columns = dict(zip(extractor.names, table.T, strict=True)) | {"speed_rpm": np.full(len(blocks), hz * 60)}
    columns |= {"zone": [None] * len(blocks)}  # type: ignore[dict-item]
    return Series(site, spec.id, point.id, task.channels[0].id, times).rows("feature", columns)
