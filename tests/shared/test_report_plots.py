"""The plots of reports: where things lie, what is named, what is escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palier.local_time import zone_of
from palier.locale import Catalogue
from palier.report.overlay import overlaid
from palier.report.plots import MOST_POINTS, Axis, Band, Level, Line, Mark, plot
from palier.report.ticks import nice_step, time_ticks

NUMBER = Catalogue("fr").number
SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: Line, **more: object) -> ET.Element:
    given_ = {"title": "t", "description": "d", "x": Axis("Hz"), "y": Axis("mm/s"), "number": NUMBER} | more
    return ET.fromstring(plot(lines, **given_))  # type: ignore[arg-type]


def texts(svg: ET.Element) -> list[str]:
    return [text.text or "" for text in svg.iter(f"{SVG}text")]


def course(svg: ET.Element) -> str:
    """The path of the line."""
    paths = [path.attrib["d"] for path in svg.iter(f"{SVG}path")]
    return max(paths, key=len)


def test_a_screen_reader_gets_title_and_description() -> None:
    svg = drawn(Line([0, 1], [0, 1]), title="Spectre", description="Raie à 25 Hz")
    assert svg.attrib["role"] == "img"
    assert [svg.findtext(f"{SVG}{name}") for name in ("title", "desc")] == ["Spectre", "Raie à 25 Hz"]


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_escaped(text: str) -> None:
    clean = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd]", "", text)
    svg = drawn(
        Line([0, 1], [0, 1], name=clean), title=clean, description=clean, levels=[Level(0.5, f"<{clean}&")]
    )
    assert {child.tag.removeprefix(SVG) for child in svg} <= {"title", "desc", "rect", "path", "text"}


def test_a_value_that_is_not_known_breaks_the_line() -> None:
    assert course(drawn(Line([0, 1, 2, 3, 4], [1, 1, np.nan, 1, 1]))).count("M") == 2


def test_a_long_line_keeps_its_highest_point() -> None:
    y = np.zeros(50_000)
    y[31_234] = 9.0
    path = course(drawn(Line(np.arange(y.size), y)))
    heights = [float(pair.split()[1]) for pair in re.findall(r"[ML]([\d. ]+)", path)]
    assert len(heights) <= MOST_POINTS + 2
    assert min(heights) < 60 < max(heights)


def test_markers_are_named_in_rows_and_never_over_each_other() -> None:
    marks = [Mark(100 + k, f"BPFO {k}", "bpfo") for k in range(5)]
    named = [text for text in texts(drawn(Line([0, 1000], [0, 1]), marks=marks)) if "BPFO" in text]
    assert named == ["BPFO 0", "BPFO 1", "BPFO 2"]  # three rows


def test_a_marker_outside_is_not_drawn_and_its_tolerance_stays_inside() -> None:
    svg = drawn(Line([0, 100], [0, 1]), marks=[Mark(300.0, "BPFO"), Mark(99.0, "BPFI", "bpfi", 10.0)])
    assert "BPFO" not in texts(svg)
    right = max(float(r.attrib["x"]) + float(r.attrib["width"]) for r in svg.iter(f"{SVG}rect"))
    assert right <= 706.1


def test_zones_reach_to_the_top_and_are_named_where_there_is_room() -> None:
    bands = [Band(0, 1, "zone A", "A"), Band(1, 2, "zone B", "B"), Band(2, None, "zone C", "C")]
    svg = drawn(Line([0, 1], [0.2, 3]), bands=bands)
    assert {"zone A", "zone B", "zone C"} <= set(texts(svg))


def test_a_line_of_one_value_or_none_still_is_a_plot() -> None:
    assert "Hz" in texts(drawn(Line([5], [3])))
    assert "Hz" in texts(drawn())


@given(st.floats(1e-6, 1e9), st.integers(2, 12))
def test_a_step_is_round_and_few_of_them_fit(span: float, most: int) -> None:
    step = nice_step(span, most)
    assert span / step <= most * (1 + 1e-6)
    assert round(step / 10 ** np.floor(np.log10(step) + 1e-9)) in (1, 2, 5)


@pytest.mark.parametrize(("span_s", "first"), [(86_400 * 30, "23/11"), (6 * 3600, "06:00"), (600, "05:30")])
def test_times_are_told_in_the_plants_own_zone(span_s: int, first: str) -> None:
    ticks = time_ticks(1_795_062_400.0, 1_795_062_400.0 + span_s, zone_of("Africa/Algiers"))
    assert ticks[0][1] == first
    assert 2 <= len(ticks) <= 10


def test_words_whose_letters_join_lie_over_the_drawing() -> None:
    x, y = Axis("التردد"), Axis("mm/s")
    arabic = overlaid(plot([Line([0, 1], [0, 1])], title="t", description="d", x=x, y=y, number=NUMBER))
    assert re.search(r'<span class="over end" dir="rtl" style="[^"]*">التردد</span>', arabic)
    assert ">mm/s</" in arabic
    assert "التردد</text>" not in arabic
    french = plot([], title="t", description="d", x=Axis("Hz"), y=Axis("mm/s"), number=NUMBER)
    assert overlaid(french) == french


@pytest.mark.parametrize("days", [2, 10, 90])
def test_ticks_follow_the_clocks_where_they_are_put_back(days: int) -> None:
    zone = zone_of("Europe/Paris")
    change = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()  # from 03:00 to 02:00
    ticks = time_ticks(change - days / 2 * 86_400, change + days / 2 * 86_400, zone)
    clocks = [datetime.fromtimestamp(at, zone) for at, _ in ticks]
    assert {clock.minute for clock in clocks} == {0}
    assert all(clock.hour % 6 == 0 for clock in clocks)
    assert len({clock.utcoffset() for clock in clocks}) == 2
