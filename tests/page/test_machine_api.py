"""The JSON behind the machine page's charts, over a pump that degraded for a month."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from palier.historian.records import Records, RecordsBatch
from palier.historian.rows import StateRow
from tests.page.conftest import make_app
from tests.support.degrading_pump import BPFO, PUMP, RPM, degrading_pump, housing_text
from tests.support.page_server import page_client
from tests.support.seeding import CLIPPED, NOW_NS, SAMPLE_COURSES, seeded_plant

API = f"/api/machines/{PUMP}"


@pytest.fixture(scope="module")
def pump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    _, data = degrading_pump(tmp_path_factory.mktemp("pump"))
    with page_client(make_app(data.historian, waveforms=data.waveforms)) as client:
        yield client


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A page over a historian alone: no records, no blocks, no baseline."""
    _, path = seeded_plant(tmp_path_factory.mktemp("bare"))
    with page_client(make_app(path)) as client:
        yield client


def test_the_page_says_why_what_how_healthy_and_how_long(pump: httpx.Client) -> None:
    html = pump.get(f"/machine/{PUMP}").text
    for text in (
        "limite dépassée\u00a0: limite B/C",
        "limite d&#39;alerte dépassée (bandes)\u00a0: Vitesse vibratoire efficace",
        "Bague externe du roulement".lower(),
        "confiance 87\u00a0%",
        "gravité 4 sur 5",
        "délai\u00a0: 72\u00a0h",
        "cannelures (passage de courant)",
        "examiner les chemins de roulement",
        "48 sur 100",
        "le plus atteint\u00a0: vitesse vibratoire",
        "à planifier avant le",
        "mélange de modèles de dégradation",
        "régime inchangé",
        f'href="/alarm/{PUMP}/1/vibration"',
    ):
        assert text in html, text


@pytest.mark.parametrize("lang", ["en", "ar"])
def test_the_page_speaks_other_languages_without_a_key_showing(pump: httpx.Client, lang: str) -> None:
    html = pump.get(f"/machine/{PUMP}?lang={lang}").text
    pump.cookies.clear()
    assert "machine." not in html.replace("machine.js", "").replace("machine.css", "")
    assert "page." not in html.replace("page.js", "")


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("bands", {"band_1000_2500_m_s2", "envelope_rms_m_s2"}),
        ("speed", {"speed_rpm", "1/load"}),
        ("health", {"", "1"}),
        ("sensor", {"clipped_fraction", "mean_m_s2"}),
        ("temperature", {"1/T", "2/T", "ambient/T"}),
    ],
)
def test_families_of_trends(pump: httpx.Client, family: str, names: set[str]) -> None:
    answer = pump.get(f"{API}/families/{family}?range=30d").json()
    assert names <= {one["name"] for one in answer["series"]}
    for one in answer["series"]:
        assert len(one["times_ms"]) == len(one["mean"]) == len(one["low"]) == len(one["high"]) <= 500
        assert one["label"]


def test_a_gap_of_a_day_is_a_gap(pump: httpx.Client) -> None:
    (turns, *_) = pump.get(f"{API}/families/speed?range=30d").json()["series"]
    assert None in turns["mean"]


def test_the_residual_of_the_temperature_is_the_one_that_was_judged_with_its_limits(
    pump: httpx.Client,
) -> None:
    answer = pump.get(f"{API}/warmth?range=30d").json()
    known = [v for v in answer["mean"] if v is not None]
    assert known[0] == 0.3
    assert known[-1] == 13
    assert (answer["alert"], answer["danger"]) == (10, 20)
    assert answer["refused"] is None


def test_the_limits_of_a_restless_housing_are_those_of_its_own_spread(tmp_path: Path) -> None:
    plant, data = degrading_pump(tmp_path)
    with closing(Records(data.records)) as records:
        restless = StateRow(plant.site_id, f"{PUMP}/1#housing:1", housing_text(5.0))
        records.commit(RecordsBatch(states=(restless,)))
    with page_client(make_app(data.historian, waveforms=data.waveforms)) as client:
        answer = client.get(f"{API}/warmth").json()
        assert (answer["alert"], answer["danger"]) == (22, 32)


def test_a_housing_that_is_not_learned_says_what_it_takes(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/warmth?point=2&channel=H").json()
    assert answer["mean"] == []
    assert answer["refused"] == "l'historique est trop court"
    assert "laisser apprendre" in answer["remedy"]


def test_without_the_ambient_temperature_the_residual_is_refused_with_its_remedy(bare: httpx.Client) -> None:
    answer = bare.get(f"{API}/warmth").json()
    assert answer["refused"] == "la température ambiante n'est pas connue"
    assert "ambiante" in answer["remedy"]


def test_the_baseline_and_its_limits_stand_over_the_trend(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/marks?range=30d").json()
    band = answer["baseline"]
    assert band["level"] == 2.1
    assert band["low"] < 2.1 < band["high"] < band["alert"] < band["danger"]
    assert "médiane 2,1\u00a0mm/s eff." in answer["why"]
    assert [flag["label"] for flag in answer["flags"]] == [
        "graissage (A. Idrissi)", "surveillance", "alerte", "alarme apparue",
    ]  # fmt: skip
    plain = pump.get(f"{API}/marks?range=30d&feature=skewness").json()["baseline"]
    assert plain == {"level": 0.2, "low": None, "high": None, "alert": None, "danger": None}
    assert pump.get(f"{API}/marks?feature=kurtosis").json()["baseline"] is None


def test_a_model_of_another_version_draws_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    plant, data = degrading_pump(tmp_path_factory.mktemp("old"))
    records = Records(data.records)
    records.commit(RecordsBatch(states=(StateRow(plant.site_id, f"{PUMP}/1#model:2", "not a model"),)))
    records.close()
    with page_client(make_app(data.historian, waveforms=data.waveforms)) as client:
        answer = client.get(f"{API}/marks").json()
        assert answer["baseline"] is None
        assert answer["why"] == "pas de référence pour cet indicateur"


def test_a_spectrum_is_computed_of_the_stored_block(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/lines?kind=velocity&to=1000").json()
    assert answer["source"] == "block"
    highest = answer["frequency_hz"][answer["peaks"][0]]
    assert highest == pytest.approx(RPM / 60, abs=1)
    envelope = pump.get(f"{API}/lines?kind=envelope").json()
    assert envelope["frequency_hz"][envelope["peaks"][0]] == pytest.approx(BPFO * RPM / 60, abs=1)
    assert envelope["band_hz"] == [2500, 10_000]
    assert len(answer["frequency_hz"]) <= 1300


def test_a_part_has_all_its_lines(pump: httpx.Client) -> None:
    part = pump.get(f"{API}/lines?kind=acceleration&from=3700&to=3800").json()
    assert part["frequency_hz"][0] >= 3700
    assert part["frequency_hz"][1] - part["frequency_hz"][0] == pytest.approx(part["step_hz"], abs=1e-3)


def test_another_date_gives_the_block_before_it(pump: httpx.Client) -> None:
    now = pump.get(f"{API}/lines").json()
    then = pump.get(f"{API}/lines?at=2026-11-01T08:00").json()
    assert then["ts_ms"] < now["ts_ms"]
    assert then["amplitude"][then["peaks"][0]] < now["amplitude"][now["peaks"][0]]
    assert pump.get(f"{API}/lines?at=1000").json() is None


def test_without_blocks_the_lines_kept_for_display_are_drawn(bare: httpx.Client) -> None:
    answer = bare.get(f"{API}/lines").json()
    assert answer["source"] == "kept"
    assert answer["unit"] == "mm/s crête"
    shaken = bare.get(f"{API}/lines?kind=acceleration").json()
    assert shaken["kind"] == "acceleration"
    assert shaken["unit"] == "m/s² crête"
    assert bare.get(f"{API}/lines?kind=envelope").json() is None
    assert bare.get(f"{API}/wave").json() is None


def test_the_waveform_is_an_outline_of_the_block(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/wave").json()
    assert len(answer["seconds"]) == len(answer["value"]) <= 1600
    assert answer["length_s"] == pytest.approx(1.28)
    assert answer["seconds"] == sorted(answer["seconds"])


def test_the_waterfall_holds_the_spectra_of_the_window(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/waterfall?range=30d").json()
    assert len(answer["rows"]) == len(answer["times_ms"]) > 20
    assert all(len(row) == len(answer["frequency_hz"]) for row in answer["rows"])
    assert max(map(max, answer["rows"])) == 255
    assert pump.get(f"{API}/waterfall?kind=envelope").json() is None


def test_the_fan_begins_at_the_last_value_and_ends_at_the_threshold(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/fan").json()
    assert answer["from_ms"] == NOW_NS // 1_000_000
    assert answer["from_ms"] < answer["p10_ms"] < answer["p50_ms"] < answer["p90_ms"]
    assert answer["threshold"] == 11.0
    assert answer["mean"][-1] == pytest.approx(7.0, abs=0.5)


def test_two_dates_are_compared_by_their_values(pump: httpx.Client) -> None:
    answer = pump.get(f"{API}/compare?at=2026-10-25T08:00").json()
    row = answer["rows"][0]
    assert row["then"].startswith("2,")
    assert row["ratio"].startswith("×3,")


@pytest.mark.parametrize(
    "what", ["families/bands", "marks", "lines", "wave", "waterfall", "fan", "compare", "warmth"]
)
def test_a_machine_that_never_spoke_says_nothing_and_breaks_nothing(pump: httpx.Client, what: str) -> None:
    assert pump.get(f"/api/machines/B-501/{what}").status_code == 200
    assert pump.get(f"/api/machines/NOPE/{what}").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["at=zz", "at=9999-99-99T00:00", "kind=<script>", "range=1y", "end=-5", "point=../..", "channel=%00",
     "feature=nope", "lang=xx", "at=" + "9" * 40],
)  # fmt: skip
def test_a_hostile_query_is_answered_with_a_sentence(pump: httpx.Client, query: str) -> None:
    for what in ("lines", "marks"):
        answer = pump.get(f"{API}/{what}?{query}")
        assert answer.status_code in (200, 400, 404)
        if answer.status_code != 200:
            assert answer.json()["error"]
    assert pump.get(f"{API}/families/nope").status_code == 404


@pytest.mark.parametrize("query", ["from=nan&to=inf", "from=5&to=2", "from=x", "from=-1e300&to=1e300"])
def test_odd_bounds_show_the_whole_spectrum_or_a_part_of_it(pump: httpx.Client, query: str) -> None:
    answer = pump.get(f"{API}/lines?{query}")
    assert answer.status_code == 200
    assert answer.json()["frequency_hz"]


def test_without_a_historian_the_page_stands_and_the_questions_are_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("none") / "historian.sqlite"
    with page_client(make_app(path)) as client:
        html = client.get(f"/machine/{PUMP}")
        assert html.status_code == 200
        assert "Pas encore d&#39;historique." in html.text
        assert client.get(f"{API}/families/bands").status_code == 503
        assert client.get(f"{API}/lines").status_code == 503


def test_a_sensor_at_fault_is_named_with_its_remedy(tmp_path_factory: pytest.TempPathFactory) -> None:
    courses = [replace(c, judgement=CLIPPED) if c.machine == "L-401" else c for c in SAMPLE_COURSES]
    _, path = seeded_plant(tmp_path_factory.mktemp("clipped"), courses=courses)
    with page_client(make_app(path)) as client:
        told = client.get("/machine/L-401").text
        assert "Capteur\u00a0: le signal est écrêté. À faire\u00a0: choisir" in told
        assert "Aucun défaut de capteur" in client.get("/machine/C-201").text


def test_a_machine_without_a_speed_has_no_markers_of_its_shaft(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    _, data = degrading_pump(tmp_path_factory.mktemp("still"), speed=False)
    with page_client(make_app(data.historian)) as client:
        assert client.get(f"/machine/{PUMP}").status_code == 200
        assert client.get(f"{API}/families/speed").status_code == 200
