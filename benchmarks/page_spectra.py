"""Spectra, waveforms and cascades of many machines, asked for in turn: what the page keeps of them.

Raw blocks are those of an ingest: 4 s at 25.6 kHz a point; the cascade is of the longest that is drawn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from palier.frames import FrameId, Waveform
from palier.historian.base import Rows
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import HOUR_NS, RecordsBatch, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore

MOST: Final = 60
"""Machines whose spectra are asked for: more than the page keeps of anything, so that it has to let go."""

FS_HZ: Final = 25_600.0
SAMPLES: Final = 102_400
LINES: Final = 400
TIMES: Final = 40
"""Spectra of the first machine, as many as a cascade shows; of the others there is one."""

BUDGET_BYTES: Final = 1 << 30

ASKED: Final = (
    "/api/machines/{name}/lines?point=1&channel=H&kind=velocity",
    "/api/machines/{name}/lines?point=1&channel=H&kind=acceleration",
    "/api/machines/{name}/lines?point=1&channel=H&kind=envelope",
    "/api/machines/{name}/wave?point=1&channel=H",
    "/api/machines/{name}/waterfall?point=1&channel=H&kind=velocity&range=7d",
    "/api/machines/{name}/waterfall?point=1&channel=H&kind=envelope&range=7d",
    "/api/machines/{name}/trend?point=1&channel=H&range=30d",
    "/api/machines/{name}/marks?point=1&channel=H&range=7d",
    "/machine/{name}",
    "/machine/{name}/order",
)


def keep(
    data: DataFolder, historian: SqliteHistorian, records: Records, site: str, names: Sequence[str]
) -> None:
    """Blocks and spectra of the first MOST machines. Raises HistorianError."""
    store = WaveformStore(data.waveforms, BUDGET_BYTES)
    draw = np.random.default_rng(0)
    now_ns, rows = time.time_ns(), []
    try:
        for k, name in enumerate(names[:MOST]):
            samples = draw.normal(0, 3000, (1, SAMPLES)).astype(np.int16)
            frame = Waveform(name, "1", ("H",), samples, (1e-3,), ("m/s²",), FS_HZ, now_ns, speed_rpm=1490.0)
            frame_id = FrameId(f"{site}/gw", "1" * 16, k + 1)
            ref = store.append(frame_id, frame)
            rows.append(WaveformRow(frame_id, site, name, "1", now_ns, ref))
        store.sync()
    finally:
        store.close()
    records.commit(RecordsBatch(waveforms=tuple(rows), stored=tuple(row.frame for row in rows)))
    for k, name in enumerate(names[:MOST]):
        times = now_ns - np.arange(TIMES if k == 0 else 1) * HOUR_NS
        for what, kind in (("spectrum", "velocity_mm_s"), ("envelope", "envelope_m_s2")):
            historian.write([_lines(what, kind, (site, name), times.repeat(LINES))])


def _lines(what: str, kind: str, of: tuple[str, str], ts_ns: npt.NDArray[np.int64]) -> Rows:
    n = len(ts_ns)
    told: dict[str, Any] = {
        "line": np.tile(np.arange(LINES, dtype=np.int64), n // LINES),
        "frequency_hz": np.tile(np.linspace(2.5, 1000.0, LINES), n // LINES),
        "amplitude": np.random.default_rng(0).rayleigh(0.1, n),
        "kind": [kind] * n,
        "frame": [f"{of[0]}/gw:0:1"] * n,
    }
    return Rows(what, [of[0]] * n, [of[1]] * n, ["1"] * n, ["H"] * n, ts_ns, told)


def ask_all(names: Sequence[str], ask: Callable[[str], object]) -> int:
    """Ask for everything of each of the first MOST machines; how many questions that were."""
    paths = [path.format(name=name) for name in names[:MOST] for path in ASKED]
    for path in paths:
        ask(path)
    return len(paths)
