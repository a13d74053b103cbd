"""Raw blocks through the page, for who has no access to the ingest's folder."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from dashboards.console import raw_blocks
from dashboards.console.app import create_app
from palier.historian.folder import DataFolder
from palier.historian.history import HistoryError
from palier.historian.history_waveforms import Page, frame_name
from palier.historian.records import Records, RecordsBatch, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.limits import load_limits
from palier.plant import load_sample_plant
from tests.support.page_server import running_page
from tests.support.stores import frame_id, waveform

SITE = load_sample_plant().site_id
FRAMES = [(frame_id(k, edge=f"{SITE}/gw-1"), waveform(k * 100, value=k, point="1")) for k in range(1, 6)]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page over the kept blocks FRAMES; a sixth is in the index and gone from the disk."""
    folder = DataFolder(tmp_path_factory.mktemp("page") / "data").create()
    store, records = WaveformStore(folder.waveforms), Records(folder.records)
    gone = (frame_id(6, edge=f"{SITE}/gw-1"), waveform(600, point="1"))
    index = []
    for (frame, block), ref in zip(FRAMES, store.append_all(FRAMES), strict=True):
        index.append(WaveformRow(frame, SITE, block.machine, block.point, block.start_ns, ref))
    index.append(WaveformRow(gone[0], SITE, "pompe-1", "1", 600, type(index[0].ref)(9, 0, 100)))
    store.sync()
    store.close()
    records.commit(RecordsBatch(stored=tuple(row.frame for row in index), waveforms=tuple(index)))
    records.close()
    SqliteHistorian(folder.historian).close()
    app = create_app(
        load_sample_plant(),
        historian=folder.historian,
        open_historian=lambda: SqliteHistorian(folder.historian, read_only=True),
        limits=load_limits(),
        records=folder.records,
        waveforms=folder.waveforms,
    )
    with running_page(app) as url:
        yield url


def test_blocks_are_listed_and_come_as_they_were_stored(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(address)
    monkeypatch.setattr(raw_blocks, "MOST_LISTED", 2)  # so that it takes several answers
    table = page.index(SITE, "pompe-1", ("1",), 200, None)
    assert table["time"].tolist() == [200, 300, 400, 500, 600]
    block = page.read(table["frame"][0])
    assert np.array_equal(block.samples, FRAMES[1][1].samples)
    assert block.start_ns == 200


def test_a_block_that_is_not_kept_is_refused(address: str) -> None:
    page = Page(address)
    for seq in (6, 99):
        with pytest.raises(HistoryError, match=r"refuses \(404\)"):
            page.read(frame_name(frame_id(seq, edge=f"{SITE}/gw-1")))


def test_what_can_t_be_asked_is_a_sentence(address: str) -> None:
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        refused = client.get("/api/machines/P-101/waveforms?point=1&start_ns=soon&lang=en")
        assert refused.status_code == 400
        assert refused.json()["error"] == 'start_ns must be a time in ns since 1970, got "soon".'
        assert client.get("/api/machines/P-101/waveforms?point=../1").status_code == 400
        assert client.get("/api/machines/P-101/waveforms").status_code == 400
        for name in ("nothing", "a:b:c", f"a:b:{'9' * 40}", "..%2F..%2Fetc:1:2"):
            assert client.get(f"/api/waveforms/{name}").status_code == 404


def test_another_server_is_no_page(address: str) -> None:
    with pytest.raises(HistoryError, match=r"refuses|no page of Palier"):
        Page(address + "/static").index(SITE, "P-101", ("1",), None, None)
