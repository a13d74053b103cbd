"""A report as people get it: HTML in three languages, and the command. The PDF is looked at with the page."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from models.detection.zones import LimitSet
from palier import extras
from palier.cli import main
from palier.historian.folder import DataFolder
from palier.historian.records import RecordsReader
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformReader
from palier.limits import load_limits, verified_bearings
from palier.locale import LANGUAGES
from palier.plant import load_sample_plant, sample_plant_path
from palier.report.content import report_of
from palier.report.found import Found
from palier.report.gather import Asked, Stores, gather
from palier.report.render import html
from palier.report.values import Report
from tests.support import report_machine as pump

LIMITS: Mapping[str, LimitSet] = load_limits()
KEY = re.compile(
    r"\b(report|state|fault|evidence|refusal|remedy|limit|task|confirm|advice|page|alarm|life|assumption|"
    r"intervention|baseline|plant_new)\.[a-z_]{3,}\b(?!toml)"
)
HOSTILE = "Pompe </title><script>alert(1)</script> \"'&amp; {{ 7*7 }}"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text += data + " "

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    return pump.failed_pump(tmp_path_factory)


@pytest.fixture(scope="module")
def found(data: DataFolder) -> Found:
    plant = load_sample_plant()
    machine = plant.machine(pump.PUMP)
    assert machine is not None
    asked = Asked(plant, machine, LIMITS, verified_bearings(), pump.AT_NS + pump.HOUR_NS, 30)
    with (
        closing(SqliteHistorian(data.historian, read_only=True)) as historian,
        closing(RecordsReader(data.records)) as records,
    ):
        return gather(asked, Stores(historian, records, WaveformReader(data.waveforms)))


@pytest.fixture(scope="module")
def report(found: Found) -> Report:
    return report_of(found, version="1.2.3")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_is_complete_in_itself_and_in_its_language(report: Report, lang: str) -> None:
    page = html(report, LIMITS, lang)
    told = Tags(page)
    assert not KEY.search(told.text), KEY.search(told.text)
    assert told.tags[0] == ("html", {"lang": lang, "dir": "rtl" if lang == "ar" else "ltr"})
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in told.tags}
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)", page.replace(report.fingerprint, ""))
    assert "None" not in told.text
    assert page.count("<svg") == len(report.trends) + len(report.spectra)


def test_the_french_page_says_what_a_technician_asks(report: Report) -> None:
    text = " ".join(Tags(html(report, LIMITS, "fr")).text.split())
    for said in (
        "État de la machine : alerte",
        "raies de défaut, bague externe : 5 harmoniques sur 5",
        "À planifier sous 42 h : commander et remplacer le roulement.",
        "vitesse vibratoire au plus 4,2 mm/s eff. (limite A/B, iso10816-7:cat2:over200kw)",
        "durée avant défaillance estimée (ETTF)",
        "NON VÉRIFIÉ",
        "Directions non mesurées : V, A.",
        "890 ± ",
        "version 2, confirmée",
        "Palier 1.2.3",
        report.fingerprint,
    ):
        assert said in text, said


def test_hostile_names_are_text(found: Found) -> None:
    point = replace(found.machine.points[1], name=HOSTILE)
    machine = replace(found.machine, name=HOSTILE, points=(found.machine.points[0], point))
    done = replace(found.interventions[0], text=HOSTILE, user=HOSTILE)
    plant = replace(found.plant, site_name=HOSTILE)
    hostile = replace(found, plant=plant, machine=machine, interventions=(done,))
    told = Tags(html(report_of(hostile, version="1"), LIMITS, "fr"))
    assert "script" not in {tag for tag, _ in told.tags}
    assert not [name for _, attributes in told.tags for name in attributes if name.startswith("on")]
    assert told.text.count(HOSTILE) >= 4


def test_a_report_of_nothing_is_a_page_of_gaps(found: Found) -> None:
    empty = replace(
        found, channels=(), readings=(), spectra=(), states=(), diagnoses=(), lives=(), baseline=None,
        levels={}, alarms=(), interventions=(), verdicts=(),
    )  # fmt: skip
    text = Tags(html(report_of(empty, version="1"), LIMITS, "fr")).text
    assert "Aucun état connu" in text
    assert "Aucune mesure dans la période." in text
    assert not KEY.search(text)


def test_refusals_stand_in_words(found: Found) -> None:
    refused = replace(
        found,
        diagnoses=(
            replace(found.diagnoses[0], fault="refused", reason="speed_unknown", remedy="give_speed"),
        ),
        lives=(
            replace(
                found.lives[0], method="refused", p10_h=None, reason="poor_fit", remedy="wait_for_points"
            ),
        ),
    )
    text = " ".join(Tags(html(report_of(refused, version="1"), LIMITS, "fr")).text.split())
    assert "diagnostic refusé" in text
    assert "la vitesse de rotation n'est pas connue" in text
    assert "Pas de durée de vie restante : l'évolution est trop irrégulière" in text


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(("report", *arguments))
    out = capsys.readouterr()
    return int(caught.value.code or 0), out.out, out.err


def where(data: DataFolder) -> tuple[str, ...]:
    return ("--data", str(data.path), "--plant", str(sample_plant_path()))


def test_the_command_writes_a_file_and_says_which(
    capsys: pytest.CaptureFixture[str], data: DataFolder, tmp_path: Path
) -> None:
    out = tmp_path / "rapport.html"
    assert run(capsys, "P-101", *where(data), "--out", str(out)) == (0, f"{out}\n", "")
    assert "Rapport d'analyse vibratoire" in Tags(out.read_text("utf-8")).text


def test_the_command_reads_the_settings_of_a_service(
    capsys: pytest.CaptureFixture[str], data: DataFolder, tmp_path: Path
) -> None:
    config = tmp_path / "ingest.toml"
    config.write_text(
        f'plant = "{sample_plant_path()}"\ndata = "{data.path}"\nhealth_port = 0\n[broker]\nport = 1883\n'
    )
    code, out, _ = run(capsys, "P-101", "--config", str(config), "--json", "--days", "7")
    told = json.loads(out)
    assert code == 0
    assert told["head"]["at_ns"] - told["head"]["start_ns"] == 7 * 24 * pump.HOUR_NS


def test_without_data_both_ways_to_name_them_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALIER_HOME", str(tmp_path))
    code, _, said = run(capsys, "P-101", "--out", str(tmp_path / "x.html"))
    assert code == 2
    assert "give --data FOLDER (and --plant FILE), or --config FILE" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("P-1O1",), 2, "has no machine 'P-1O1' (did you mean \"P-101\"?)"),
        (("P-101", "--out", "x.doc"), 2, "--out must be FILE.pdf or FILE.html"),
        (("P-101", "--at", "hier"), 2, "--at must be a time like 2026-07-14T08:30, got 'hier'"),
        (("P-101", "--lang", "de"), 2, "--lang"),
        (("P-101", "--out", "/nowhere/x.html"), 1, "/nowhere/x.html can't be written"),
    ],
)
def test_a_mistake_is_a_sentence(
    capsys: pytest.CaptureFixture[str], data: DataFolder, arguments: tuple[str, ...], code: int, said: str
) -> None:
    told = run(capsys, *arguments, *where(data), *(() if "--out" in arguments else ("--out", "x.html")))
    assert (told[0], said in told[2]) == (code, True), told[2]


def test_a_folder_that_is_no_ingests_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "P-101", *where(DataFolder(tmp_path)), "--out", "x.html")
    assert (code, "does not exist: data must be the folder of an ingest" in err) == (2, True)


def test_where_nothing_prints_the_way_to_html_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: DataFolder
) -> None:
    monkeypatch.setitem(extras.EXTRAS, "report", ("weasyprint_that_is_not_there",))
    for arguments in ((), ("--json", "--out", "x.pdf")):
        code, out, err = run(capsys, "P-101", *where(data), *arguments)
        assert (code, out) == (1, "")
        assert "pip install '.[report]'" in err
        assert "--out FILE.html" in err
