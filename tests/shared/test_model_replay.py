"""`palier model replay` and `palier model drift` on a data folder: from its rows to a report that is kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ingest.drift_rows import drift_rows
from ingest.watch_parts import PointModel
from models import bundle
from models.training.dataset import Label
from models.training.drift import DRIFT_IN_ALARM, Drift, Reason
from models.training.fit import train_baselines
from models.training.replay import Judge, replay
from models.training.replay_courses import Score
from models.training.replay_report import Prices, ReplayReport
from models.training.replay_truth import Stretch
from palier import historian
from palier.commands.model import model
from palier.commands.model_replay_text import report_lines
from palier.historian.opening import HistorianSettings
from palier.historian.records import Records
from palier.historian.rows import BaselineRow, RecordsBatch, StateRow, Transition
from palier.historian.sqlite import SqliteHistorian
from palier.locale import LANGUAGES, Catalogue
from palier.model_replaying import Asked, Where, in_force, replay_version
from palier.operations import Baseline, BaselineStatus
from palier.options import CommandError
from palier.registry import Note, Registry, RegistryError
from tests.support import watched_pump as pump
from tests.support.training_past import LEVELS, NAMES, at, grown, past

SITE, MACHINE, POINT = pump.PLACE


@cache
def trained() -> dict[str, bytes]:
    """A bundle of the pump's baseline."""
    with historian.open(folder()) as history:
        found = train_baselines(history.points(MACHINE))
    assert found.parts is not None, found.refused
    return bundle.pack(found.parts, name="baselines")


@cache
def folder() -> Path:
    """A data folder: the pump's week, its records with the baseline in force, its plant."""
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="palier-replay-"))
    host = pump.gathered_host(path)
    fitted = host.fit(pump.LEARNED_NS)
    assert isinstance(fitted, PointModel)
    host.historian.close()
    told = Baseline(MACHINE, 1, BaselineStatus.CONFIRMED, 0, pump.LEARNED_NS + 10**15, 1.0)
    records = Records(path / "records.sqlite")
    key = f"{MACHINE}/{POINT}#model:1"
    said = json.dumps({"version": 1})
    event = Transition(
        "b", SITE, MACHINE, POINT, "", pump.LEARNED_NS, "baseline", "learned", "learning", said
    )
    records.commit(
        RecordsBatch(
            transitions=(event,),
            states=(StateRow(SITE, key, fitted.to_text()),),
            baselines=(BaselineRow(SITE, MACHINE, 1, json.dumps(told.told())),),
        )
    )
    records.close()
    with as_file(files("palier") / "samples" / "plant.toml") as sample:
        shutil.copy(sample, path / "plant.toml")
    return path


@pytest.fixture(scope="module", autouse=True)
def cleared() -> object:
    yield
    if folder.cache_info().currsize:
        shutil.rmtree(folder())


Run = Callable[..., Result]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    found.add("baselines", trained(), Note("s.idrissi", "essai", 1_790_000_000 * 10**9), kind="baselines")
    return found


@pytest.fixture
def run(registry: Registry) -> Run:
    def call(*arguments: str, data: Path | None = None) -> Result:
        told = [*arguments, "--data", str(data or folder())]
        told += ["--registry", str(registry.path)] if arguments[0] == "replay" else []
        result = CliRunner().invoke(model, told)
        known = isinstance(result.exception, CommandError | SystemExit) or result.exception is None
        if not known:
            raise result.exception  # type: ignore[misc]
        return result

    return call


def test_a_replay_is_kept_with_its_version_for_a_promotion(
    run: Run, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The small past was all learned from; what is asked here is where a report goes.
    monkeypatch.setattr(ReplayReport, "judged_nothing", False)
    told = json.loads(run("replay", "baselines", "--json").stdout)
    (machine,) = told["machines"]
    assert (told["candidate"], told["in_force"], machine["machine"]) == ("baselines:1", "own:1", MACHINE)
    assert {note["key"] for note in machine["notes"]} >= {"trained_here", "too_short"}
    report = registry.report("baselines", 1)
    assert report is not None
    assert report["machines"][0]["machine"] == MACHINE
    registry.promote("baselines", 1, Note("s.idrissi", "rejouée", 1))


def test_a_replay_of_what_was_all_learned_from_is_no_ground_for_a_promotion(
    run: Run, registry: Registry
) -> None:
    found = run("replay", "baselines")
    assert isinstance(found.exception, CommandError)
    assert "rien de cette période n'a pu être évalué" in str(found.exception)
    assert registry.report("baselines", 1) is None


def test_without_keep_nothing_is_written(run: Run, registry: Registry) -> None:
    lines = run("replay", "baselines:1", "--no-keep").stdout.splitlines()
    assert lines[0].startswith("baselines:1 rejoué sur le passé de l'usine, du 2026-")
    assert registry.report("baselines", 1) is None


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_report_that_can_not_be_kept_is_shown_before_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    def full(*_: object) -> str:
        raise RegistryError("unwritable", "the registry can't be written: the disk is full")

    monkeypatch.setattr(Registry, "attach_report", full)
    found = run("replay", "baselines", *more)
    assert isinstance(found.exception, CommandError)
    assert "P-101" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--price-breakdown", "1000"], "belong together"),
        (["--price-breakdown", "-1", "--price-false-call", "1"], "breakdown must be 0 or more"),
        (["--machine", "X-1"], "no rows of X-1; there are some of P-101"),
        (["--from", "2026-01-01", "--to", "2026-01-02"], "P-101: there are no blocks of a point that"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "2026"),
    ],
)
def test_what_cannot_be_replayed_is_told_in_a_sentence(
    run: Run, registry: Registry, arguments: list[str], sentence: str
) -> None:
    found = run("replay", "baselines", *arguments)
    assert isinstance(found.exception, CommandError)
    assert sentence in str(found.exception)
    assert registry.report("baselines", 1) is None


def test_a_machine_of_which_nothing_can_be_told_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "P-102: the model and the history are of other columns"
    monkeypatch.setattr("palier.model_replaying._machines", lambda _: ["P-101", "P-102"])
    monkeypatch.setattr("palier.fleet.run", lambda *_, **__: [example(), why])
    report = replay_version(Asked(Where(HistorianSettings(), folder()), registry.path, "baselines:1", 0, 1))
    assert report.told()["left_out"] == [why]
    assert list(report_lines(report, Catalogue("fr")))[-1].endswith(why)


def test_what_is_in_force_is_what_the_records_say() -> None:
    found = in_force(folder(), SITE, MACHINE)
    assert set(found) == {pump.PLACE}
    one = found[pump.PLACE]
    assert one.name == "own:1"
    assert len(one.baseline.names) == 19
    assert one.trained.start_s < pump.T0_S < one.trained.end_s
    assert one.trained.end_s == pump.LEARNED_NS / 1e9  # when it was learned, not when it was confirmed
    assert in_force(folder() / "nowhere", SITE, MACHINE) == {}


def test_what_was_learned_of_an_imported_past_is_left_out_as_a_whole(tmp_path: Path) -> None:
    shutil.copytree(folder(), tmp_path / "data")
    records = Records(tmp_path / "data" / "records.sqlite")
    late_ns = pump.LEARNED_NS - 3600 * 10**9  # the first live block, after which the past came
    told = Baseline(MACHINE, 1, BaselineStatus.LEARNED, late_ns, pump.LEARNED_NS, 1.0)
    row = BaselineRow(SITE, MACHINE, 1, json.dumps(told.told()))
    records.commit(RecordsBatch(baselines=(row,)))
    records.close()
    assert in_force(tmp_path / "data", SITE, MACHINE)[pump.PLACE].trained.start_s < pump.T0_S


def example() -> ReplayReport:
    """A report with a failure, a false call and labels that contradict."""
    labels = [Label(at(40), at(50), "bearing_outer_ring", "work_order")]
    broke = grown(past(90, labels=labels), 40, 50, 6.0)
    x = broke.x.copy()
    x[55 * 144 : 55 * 144 + 10] *= 6
    broke = replace(broke, x=x)

    def score(above: float) -> Score:
        def of(history: object) -> tuple[object, float]:
            z = np.log(history.columns(NAMES).x / np.array(LEVELS)) / 0.15  # type: ignore[attr-defined]
            return z.max(axis=1), above

        return of  # type: ignore[return-value]

    mine, theirs = (
        Judge(name, scores={broke.place: score(above)}, trained={broke.place: Stretch(at(0), at(14))})
        for name, above in (("forest:2", 5.0), ("forest:1", 9.0))
    )
    return replay([broke], mine, theirs, start_s=at(0), end_s=at(90), prices=Prices(500, 80_000))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_has_words_for_everything_in_every_language(lang: str) -> None:
    words = Catalogue(lang)
    text = "\n".join(report_lines(example(), words))
    assert "model_replay." not in text
    assert "forest:2" in text
    assert words.text("model_replay.column_false") in text


def test_a_table_tells_rates_with_their_interval() -> None:
    lines = list(report_lines(example(), Catalogue("en")))
    row = next(line for line in lines if line.split()[:2] == ["P-101", "candidate"])
    assert "0.39 [0.01; 2.20]" in row
    assert any("h earlier than the model in force" in line for line in lines)
    assert any(line.startswith("Cost, candidate: 500 (false calls: 1; failures") for line in lines)


@pytest.fixture
def drifted(tmp_path: Path) -> Path:
    """A data folder with two looks at one point and one at another."""
    store = SqliteHistorian(tmp_path / "historian.sqlite")
    day = 86_400 * 10**9
    params = {"columns": ["H/kurtosis"], "n": 1, "psi": 0.6, "shift": 1.2, "regime": ""}
    reasons = (Reason("levels_moved", params), Reason("regimes_new", {"share": 0.25, "days": 4}))
    for ts_ns, drift in (
        (20_000 * day, Drift((), 0.0, 40.0, 1900, 0)),
        (20_001 * day, Drift((), 0.25, 41.0, 1900, 30, reasons)),
    ):
        store.write(drift_rows((SITE, MACHINE, "1"), ts_ns, drift, "own:1"))
    store.write(
        drift_rows(
            (SITE, MACHINE, "2"), 20_001 * day, Drift((), 0.0, 9.0, 10, 99, (), DRIFT_IN_ALARM), "own:1"
        )
    )
    store.close()
    shutil.copy(folder() / "plant.toml", tmp_path / "plant.toml")
    return tmp_path


def test_the_newest_look_at_each_point_is_told_with_its_reasons(run: Run, drifted: Path) -> None:
    text = run("drift", "--lang", "en", data=drifted).stdout
    assert "41   " in text
    assert (
        "1 features are no longer distributed as they were learned (most of all H/kurtosis: PSI 0.60" in text
    )
    assert "25 % of the blocks are outside the speeds and loads" in text
    assert f"{MACHINE}/2: the point is in alarm most of the time" in text
    assert "Check the machine first" in text


def test_drift_as_json_has_plain_values(run: Run, drifted: Path) -> None:
    first, second = (json.loads(line) for line in run("drift", "--json", data=drifted).stdout.splitlines())
    assert (first["point"], first["advice"], first["outside"], first["psi"]) == ("1", "retrain", 0.25, None)
    assert [reason["key"] for reason in first["reasons"]] == ["levels_moved", "regimes_new"]
    assert (second["advice"], second["reason"]) == ("none", "drift_in_alarm")


def test_nothing_was_looked_at_yet(run: Run) -> None:
    assert run("drift", "--lang", "en").stdout.startswith("No drift has been computed yet")


def test_without_a_folder_it_says_what_to_give(registry: Registry) -> None:
    found = CliRunner().invoke(model, ["replay", "baselines", "--registry", str(registry.path)])
    assert isinstance(found.exception, CommandError)
    assert "--data FOLDER" in str(found.exception)
