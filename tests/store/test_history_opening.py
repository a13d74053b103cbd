"""Which historian, site, plant and raw blocks a history is of, and what is said where one is not there."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from palier import historian
from palier.frames import FrameId, Waveform
from palier.historian.base import HistorianError, SchemaError
from palier.historian.folder import DataFolder
from palier.historian.history import HistoryError
from palier.historian.records import Records, RecordsBatch, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.plant import load_sample_plant, sample_plant_path
from tests.support.stores import SITE, frame_id, readings, waveform


def folder_with(tmp_path: Path, *sites: str) -> DataFolder:
    """A data folder whose historian has one reading of each site."""
    folder = DataFolder(tmp_path / "data").create()
    with closing(SqliteHistorian(folder.historian)) as store:
        for site in sites:
            store.write([readings([10], [1.5], site=site)])
    return folder


def kept(folder: DataFolder, *frames: tuple[FrameId, Waveform]) -> None:
    """Raw blocks as an ingest keeps them."""
    store, records = WaveformStore(folder.waveforms), Records(folder.records)
    refs = store.append_all(frames)
    store.sync()
    rows = tuple(
        WaveformRow(name, SITE, block.machine, block.point, block.start_ns, ref)
        for (name, block), ref in zip(frames, refs, strict=True)
    )
    records.commit(RecordsBatch(stored=tuple(name for name, _ in frames), waveforms=rows))
    store.close()
    records.close()


def refused(where: object, **given: object) -> str:
    with pytest.raises(HistorianError) as error:
        historian.open(where, **given)  # type: ignore[arg-type]
    return str(error.value)


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, palier.historian; print('numpy' in sys.modules, 'palier.historian.base' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "False False"


def test_a_file_and_the_folder_around_it_are_the_same_history(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SITE)
    for where in (folder.path, folder.historian, str(folder.historian)):
        with historian.open(where) as history:
            assert history.site == SITE
            assert history.readings(columns=["value"])["value"].tolist() == [1.5]


def test_what_is_no_historian_is_a_sentence(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SITE)
    assert "there is no" in refused(tmp_path / "nowhere")
    assert f"did you mean {folder.path}?" in refused(tmp_path)
    (tmp_path / "text.sqlite").write_text("no database")
    assert "can't be used" in refused(tmp_path / "text.sqlite")
    with closing(sqlite3.connect(folder.historian)) as later, later:
        later.execute("PRAGMA user_version=99")
    with pytest.raises(SchemaError, match="it is of schema 99; run the version of Palier that wrote it"):
        historian.open(folder.path)


def test_the_site_is_the_plants_or_the_only_one(tmp_path: Path) -> None:
    both = folder_with(tmp_path, SITE, "khouribga")
    assert "holds several sites: give site=, one of khouribga, usine" in refused(both.path)
    assert "has no site 'safi'; it has khouribga, usine" in refused(both.path, site="safi")
    with historian.open(both.path, plant=sample_plant_path()) as history:
        assert (history.site, history.plant.site_id) == ("khouribga", "khouribga")
    alone = folder_with(tmp_path / "alone", SITE)
    assert "has no site 'khouribga', that of the plant" in refused(alone.path, plant=load_sample_plant())
    assert "holds no rows yet" in refused(folder_with(tmp_path / "empty").path)


def test_the_plant_lies_in_or_beside_the_data_folder(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "khouribga")
    with (
        historian.open(folder.path) as history,
        pytest.raises(HistoryError, match=r"give its path to open, plant="),
    ):
        history.point("P-101", "1")
    (tmp_path / "plant.toml").write_text(sample_plant_path().read_text("utf-8"), "utf-8")
    with historian.open(folder.path) as history:
        assert history.plant.machine("P-101") is not None
    assert "the plant can't be read" in refused(folder.path, plant=tmp_path / "other.toml")


def test_an_influxdb_needs_an_account_that_makes_sense(tmp_path: Path) -> None:
    url = "http://127.0.0.1:8086"
    assert "username 'reader' must come with password_file" in refused(url, username="reader")
    assert "password_file in [historian] must be a file" in refused(
        url, username="reader", password_file=tmp_path / "none"
    )
    assert "must be http(s)://HOST:PORT" in refused("http://reader:secret@127.0.0.1:8086/x")
    assert "secret" not in refused("http://reader:secret@127.0.0.1:8086/x")
    assert "username are for an InfluxDB" in refused(folder_with(tmp_path, SITE).path, username="reader")
    assert "does not answer" in refused("http://127.0.0.1:9")


def test_raw_blocks_lie_beside_the_historian(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SITE)
    frames = [(frame_id(k), waveform(k * 100, value=k)) for k in range(1, 4)]
    kept(folder, *frames)
    with historian.open(folder.path) as history:
        table = history.waveforms("pompe-1", start=200)
        assert table["time"].tolist() == [200, 300]
        block = history.waveform(table["frame"][1])
        assert np.array_equal(block.samples, frames[2][1].samples)
        with pytest.raises(HistoryError, match="is not kept: it was thinned away"):
            history.waveform("usine/gw-1:0123456789abcdef:9")
        with pytest.raises(HistoryError, match="\"site/gateway:epoch:seq\", got '9'"):
            history.waveform("9")
        with pytest.raises(HistoryError, match="no point 'palier-9'"):
            history.waveforms("pompe-1", "palier-9")


def test_without_their_place_raw_blocks_say_how_to_give_it(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SITE)
    with historian.open(folder.historian) as history, pytest.raises(HistoryError, match="waveforms=FOLDER"):
        history.waveforms("pompe-1")
    assert "holds no records.sqlite" in refused(folder.path, waveforms=tmp_path)
    other = folder_with(tmp_path / "other", SITE)
    kept(other, (frame_id(1), waveform(100)))
    with historian.open(folder.path, waveforms=other.waveforms) as history:
        assert len(history.waveforms("pompe-1")) == 1


def test_a_page_that_is_away_is_a_sentence(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, SITE)
    with (
        historian.open(folder.path, waveforms="http://127.0.0.1:9/") as history,
        pytest.raises(HistorianError, match=r"the page at http://127.0.0.1:9 can't be reached"),
    ):
        history.waveforms("pompe-1")
