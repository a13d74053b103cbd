"""When spectra are written, and what is remembered of it over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.board import InForce
from ingest.spectra import SPECTRA, read_spectra
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch, StateRow
from palier.plant import Plant
from tests.support.committing import SECOND, T0, Fakes, batch, committer, work
from tests.support.gateway import waveform

INTERVAL_S = 3600  # of `committer`


class House:
    """A committer whose records are real, and start again with it."""

    def __init__(self, plant: Plant, path: Path) -> None:
        self.plant, self.path, self.seq = plant, path, 0
        self.records = Records(path)
        self.restart()

    def restart(self) -> None:
        self.records.close()
        self.records = Records(self.path)
        states = self.records.states()
        read = {key: InForce.from_json(text) for key, text in states.items()}
        self.fakes = Fakes()
        in_force = {key: state for key, state in read.items() if state is not None}
        self.host = committer(self.plant, self.fakes, in_force=in_force, spectra=read_spectra(states))
        self.fakes.commit = self.records.commit  # type: ignore[method-assign]

    def rows(self, second: int, *, live: bool = True, velocity: float = 1.0) -> int:
        """Rows of spectra that a block of that time brings."""
        self.seq += 1
        self.fakes.written.clear()
        block = waveform(T0 + second * SECOND, velocity_mm_s=velocity)
        self.host.commit(batch(work(self.seq, block, live=live)))
        return sum(len(rows) for rows in self.fakes.written if rows.measurement == "spectrum")


@pytest.fixture
def house(plant: Plant, tmp_path: Path) -> Iterator[House]:
    one = House(plant, tmp_path / "records.sqlite")
    yield one
    one.records.close()


def test_a_restart_writes_no_spectrum_before_its_time(house: House) -> None:
    assert house.rows(0) > 0
    house.restart()
    assert house.rows(1) == 0
    house.restart()
    assert house.rows(INTERVAL_S - 1) == 0
    assert house.rows(INTERVAL_S) > 0
    house.restart()
    assert house.rows(INTERVAL_S + 1) == 0


def test_a_change_of_state_still_brings_one_after_a_restart(house: House) -> None:
    house.rows(0)
    house.restart()
    assert house.rows(1, velocity=12.0) > 0


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"ts_ns": null}', '{"ts_ns": "x"}', "7"])
def test_a_memory_that_cannot_be_read_costs_one_more_spectrum(house: House, text: str) -> None:
    house.rows(0)
    house.records.commit(RecordsBatch(states=(StateRow("usine", "pompe/p1" + SPECTRA, text),)))
    house.restart()
    assert house.rows(1) > 0
    assert house.rows(2) == 0


def test_the_memory_is_no_state_of_a_machine(house: House) -> None:
    house.rows(0)
    states = house.records.states()
    assert InForce.from_json(states["usine", "pompe/p1" + SPECTRA]) is None
    assert read_spectra(states) == {("usine", "pompe/p1"): T0}


def test_a_block_of_the_future_silences_no_spectrum(house: House) -> None:
    assert house.rows(10 * INTERVAL_S, live=False) > 0
    assert house.rows(0) > 0
    assert house.rows(1) == 0
    house.rows(20 * INTERVAL_S, live=False)
    house.restart()
    assert house.rows(2) == 0


def test_a_backlog_brings_no_spectrum_of_each_block(house: House) -> None:
    house.rows(10 * INTERVAL_S)
    assert [house.rows(k * INTERVAL_S, live=False) for k in range(5)] == [0] * 5
