"""Lines of bearing defects: visible at a glance, without a state of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from dashboards.console.snapshot import LINE_BLOCKS, DefectLines, SnapshotReader
from palier.historian.sqlite import SqliteHistorian
from palier.plant import load_sample_plant
from tests.page.conftest import make_app
from tests.support.page_server import page_client
from tests.support.seeding import EVERY_NS, NOW_NS, SAMPLE_COURSES, Series, seeded_plant

SPALLED = [replace(c, defect="bpfo") if c.machine == "P-101" else c for c in SAMPLE_COURSES]


def lines_after(path: Path, defects: list[str | None]) -> tuple[DefectLines, ...]:
    """What is read of a channel whose blocks show these defects, oldest first."""
    historian = SqliteHistorian(path)
    try:
        for i, defect in enumerate(defects):
            ts = np.array([NOW_NS + i * EVERY_NS], dtype=np.int64)
            historian.write([Series("s", "P-1", "2", "H", ts).features(np.ones(1), defect=defect)])
        return SnapshotReader("s").read(historian).machines["P-1"].lines
    finally:
        historian.close()


@pytest.mark.parametrize(
    ("defects", "told"),
    [
        (["bpfo"] * LINE_BLOCKS, "bpfo"),
        ([None] + ["bsf"] * LINE_BLOCKS, "bsf"),
        (["bpfo"] * (LINE_BLOCKS - 1), None),
        (["bpfo"] * LINE_BLOCKS + [None], None),
        (["bpfo", "bpfi", "bpfo"], None),
        ([None] * LINE_BLOCKS, None),
    ],
)
def test_the_newest_blocks_must_agree_on_a_defect(
    tmp_path: Path, defects: list[str | None], told: str | None
) -> None:
    expected = (DefectLines("2", "H", told),) if told else ()
    assert lines_after(tmp_path / "historian.sqlite", defects) == expected


def test_blocks_whose_lines_could_not_be_searched_say_nothing(tmp_path: Path) -> None:
    historian = SqliteHistorian(tmp_path / "historian.sqlite")
    ts = NOW_NS + EVERY_NS * np.arange(LINE_BLOCKS, dtype=np.int64)
    historian.write(
        [Series("s", "P-1", "2", "H", ts).rows("feature", {"velocity_rms_mm_s": np.ones(LINE_BLOCKS)})]
    )
    assert SnapshotReader("s").read(historian).machines["P-1"].lines == ()
    historian.close()


@pytest.fixture
def spalled(tmp_path: Path) -> Path:
    return seeded_plant(tmp_path, courses=SPALLED)[1]


def tile(client: httpx.Client, machine: str) -> str:
    found = re.search(rf'<a class="tile[^>]*data-machine="{machine}".*?</a>', client.get("/").text, re.S)
    assert found is not None
    return found[0]


def test_the_tile_names_point_and_defect_and_keeps_its_look(spalled: Path, client: httpx.Client) -> None:
    with page_client(make_app(spalled)) as opened:
        noted = tile(opened, "P-101")
        assert "raies de bague externe, point 2" in noted
        assert noted.split(">")[0] == tile(client, "P-101").split(">")[0]
        assert "raies de" not in tile(opened, "C-201")


def test_the_table_marks_the_rows_of_the_defect_and_says_that_it_is_a_reading(spalled: Path) -> None:
    with page_client(make_app(spalled)) as opened:
        html = opened.get("/machine/P-101?point=2&channel=H").text
        assert "Raies de défaut visibles\u00a0: bague externe (lecture, pas un diagnostic)." in html
        rows = re.findall(r'<tr class="standing">.*?feature=([a-z_0-9]+)', html)
        assert rows == [f"bpfo_{what}" for what in ("m_s2", "modulation", "bits", "harmonics", "band_hz")]
        assert "standing" not in opened.get("/machine/P-101?point=1&channel=H").text


def test_the_markers_of_the_spectrum_are_explained_where_there_is_a_bearing(client: httpx.Client) -> None:
    html = client.get("/machine/P-101").text
    for label, meaning in (
        ("BPFO", "bague externe"),
        ("BSF", "élément roulant"),
        ("FTF", "cage de roulement"),
    ):
        assert f'<b dir="ltr">{label}</b> {meaning}' in html
    plant = load_sample_plant().machine("C-201")
    assert plant is not None
    assert plant.points[2].bearing is None
    assert ">BPFO<" not in client.get("/machine/C-201?point=3&channel=H").text


def test_the_velocity_of_the_head_names_its_point(client: httpx.Client) -> None:
    head = client.get("/machine/C-201").text.split("<dl")[1].split("</dl>")[0]
    assert "1,0" in head
    assert "· point 1" in head
