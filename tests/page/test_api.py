"""The JSON of the page: answers, and sentences for mistakes."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from dashboards.console.words import Words
from tests.page.conftest import make_app
from tests.support.page_server import page_client
from tests.support.seeding import NOW_NS


def test_the_overview_lists_machines_worst_first(client: httpx.Client) -> None:
    answer = client.get("/api/overview").json()
    assert [m["machine"] for m in answer["machines"]] == ["V-301", "P-101", "B-501", "L-401", "C-201"]
    assert answer["problem"] is None
    assert answer["counts"] == {"danger": 1, "alert": 1, "learning": 1, "normal": 2}
    fan = answer["machines"][0]
    assert (fan["state"], fan["limit_name"], fan["learning"]) == ("danger", "shutdown", True)
    assert fan["newest_ms"] == NOW_NS // 1_000_000


def test_a_machine_tells_its_points_and_the_channel_to_look_at(client: httpx.Client) -> None:
    answer = client.get("/api/machines/P-101").json()
    assert [point["id"] for point in answer["points"]] == ["1", "2"]
    assert answer["channel"] == {"point": "1", "channel": "H"}
    assert answer["speed_rpm"] == 890


def test_a_trend_brings_its_zones(client: httpx.Client) -> None:
    answer = client.get("/api/machines/P-101/trend?point=1&channel=H&range=15m").json()
    assert answer["unit"] == "mm/s eff."
    assert answer["limits"]["kind"] == "zones"
    assert answer["limits"]["labels"] == ["A", "B", "C", "D"]
    assert len(answer["times_ms"]) == len(answer["mean"]) == len(answer["low"]) == len(answer["high"]) > 50


def test_the_window_ends_on_whole_buckets_so_that_a_trend_does_not_flicker(client: httpx.Client) -> None:
    answer = client.get("/api/machines/P-101/trend?range=1h").json()
    width_ms = 3_600_000 / 480
    assert answer["end_ms"] % width_ms == 0
    assert answer["end_ms"] - answer["start_ms"] == 3_600_000
    assert answer["start_ms"] <= answer["times_ms"][-1] < answer["end_ms"]


def test_three_values_are_named_lines(client: httpx.Client) -> None:
    limits = client.get("/api/machines/V-301/trend").json()["limits"]
    assert limits["kind"] == "three_values"
    assert limits["labels"] == ["seuil de mise en service", "seuil d'alerte", "seuil d'arrêt"]


def test_a_point_without_limits_has_none_to_draw(client: httpx.Client) -> None:
    assert client.get("/api/machines/B-501/trend").json()["limits"] is None


def test_another_feature_has_its_own_unit_and_no_zones(client: httpx.Client) -> None:
    answer = client.get("/api/machines/P-101/trend?feature=acceleration_peak_m_s2").json()
    assert (answer["unit"], answer["limits"]) == ("m/s²", None)


def test_an_end_in_the_past_moves_the_window(client: httpx.Client) -> None:
    end = NOW_NS // 1_000_000 - 86_400_000
    answer = client.get(f"/api/machines/P-101/trend?range=15m&end={end}").json()
    assert answer["times_ms"] == []
    assert abs(answer["end_ms"] - end) < 5000


def test_temperatures_come_for_each_channel(client: httpx.Client) -> None:
    answer = client.get("/api/machines/C-201/temperature?range=15m").json()
    assert [(one["point"], one["channel"]) for one in answer["series"]] == [
        ("1", "T"),
        ("2", "T"),
        ("3", "T"),
    ]
    assert all(one["times_ms"] for one in answer["series"])


def test_a_spectrum_comes_with_its_markers(client: httpx.Client) -> None:
    answer = client.get("/api/machines/P-101/spectrum?point=1&channel=H").json()
    assert (answer["kind"], answer["unit"]) == ("velocity_mm_s", "mm/s crête")
    labels = {mark["label"]: mark["hz"] for mark in answer["markers"]}
    assert labels["1×"] == pytest.approx(890 / 60)
    assert "BPFO" in labels
    assert "2·BPFI" in labels


def test_values_have_names_and_units_for_people(client: httpx.Client) -> None:
    first = client.get("/api/machines/P-101/values?lang=en").json()["values"][0]
    assert (first["name"], first["label"], first["unit"]) == (
        "velocity_rms_mm_s",
        "Vibration velocity, RMS, 10–1000 Hz",
        "mm/s RMS",
    )


@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/api/machines/NOPE", 404, "NOPE n'est ni dans plant.toml ni dans les données"),
        ("/api/machines/a%20b", 400, "A-Z a-z 0-9"),
        ("/api/machines/" + "x" * 65, 400, "1 à 64"),
        ("/api/machines/P-101/trend?point=9&channel=H", 404, "n'a pas cette voie"),
        ("/api/machines/P-101/trend?channel=H", 400, "point doit"),
        ("/api/machines/P-101/trend?point=1&channel=H%27;--", 400, "channel doit"),
        ("/api/machines/P-101/trend?range=1y", 400, "15m, 1h, 24h, 7d, 30d"),
        ("/api/machines/P-101/trend?end=soon", 400, "ms depuis 1970"),
        ("/api/machines/P-101/trend?end=-5", 400, "ms depuis 1970"),
        ("/api/machines/P-101/trend?end=%C2%B2", 400, "ms depuis 1970"),
        ("/api/machines/P-101/trend?end=99999999999999999999", 400, "ms depuis 1970"),
        ("/api/machines/P-101/trend?feature=state", 400, "indicateur du catalogue"),
        ("/api/machines/P-101/nothing", 404, "n'existe pas"),
        ("/api/machines/NOPE?lang=xx", 400, "lang doit être l'un de fr, en, ar"),
        ("/events?machine=a/b", 400, "machine doit"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(
    client: httpx.Client, path: str, status: int, part: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert part in answer.json()["error"]


def test_only_reading_is_possible(client: httpx.Client) -> None:
    answer = client.post("/api/overview")
    assert answer.status_code == 405
    assert answer.json() == {"error": "Cette adresse se lit seulement\u00a0: GET."}


@pytest.mark.parametrize("lang", ["fr", "ar"])
def test_a_language_nobody_speaks_is_refused_in_the_pages_own(seeded: Path, lang: str) -> None:
    with page_client(make_app(seeded, lang=lang)) as opened:
        answer = opened.get("/api/machines/P-101/values?lang=de")
        assert answer.status_code == 400
        assert answer.json()["error"] == Words(lang).t("error_lang", allowed="fr, en, ar", got="de")


def test_a_point_alone_means_its_first_channel(client: httpx.Client) -> None:
    alone = client.get("/api/machines/P-101/values", params={"point": "2"})
    assert alone.json()["values"]
    assert (
        alone.json() == client.get("/api/machines/P-101/values", params={"point": "2", "channel": "H"}).json()
    )
    assert client.get("/machine/P-101", params={"point": "2"}).status_code == 200
    assert client.get("/machine/P-101", params={"point": "9"}).status_code == 404
