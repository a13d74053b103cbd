"""A closed period judged again: the same scores as live, late blocks included, and nothing else touched."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import ingest.watch
from ingest.rescore_outcome import MONTH_NS, Episode, Outcome, Truth, judged
from ingest.rescore_running import OPEN_NS, Asked, RescoreError, rescore
from ingest.rescore_text import outcome_lines
from ingest.scoring import Scored
from ingest.settings import IngestSettings
from ingest.watch_parts import Watched
from palier.alarms import AlarmKey, Mode
from palier.cli import main
from palier.historian.base import Table
from palier.historian.folder import DataFolder
from palier.historian.records import Records
from palier.historian.rows import InterventionRow, RecordsBatch, StateRow, VerdictRow, WaveformRow
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformStore
from palier.locale import LANGUAGES, Catalogue
from palier.operations import BaselineStatus
from palier.plant import sample_plant_path
from palier.plant_times import times_in
from tests.support import watched_pump as pump
from tests.support.watched_pump import PLACE, POINT, PUMP

FIRST = 1010
SPALL = [0.1] * 8 + np.arange(0.12, 0.46, 0.02).tolist()
LATE = range(FIRST + 12, FIRST + 18)
"""Blocks of an outage: stored, not judged."""

SPALL_FROM = FIRST + 24
LAST = SPALL_FROM + len(SPALL)
AFTER = LAST + 12
SITE = PLACE[0]
SERIES = ("score", "diagnosis", "health", "state")


def at_ns(k: int) -> int:
    return round((pump.T0_S + k * pump.EVERY_S) * 1e9)


ALL = Asked(PUMP, at_ns(FIRST), at_ns(LAST + 5))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an ingest that learned the pump, saw it in good health, an outage, then a spall."""
    tmp = tmp_path_factory.mktemp("lived")
    folder = DataFolder(tmp / "data").create()
    host = pump.learned_host(tmp)
    host.historian.close()
    host.historian = SqliteHistorian(folder.historian)
    spall = pump.simulated(SPALL, seed=900)
    for k in range(FIRST, AFTER):
        entry = spall[k - SPALL_FROM] if SPALL_FROM <= k < LAST else pump.sound()[k % pump.SOUND_BLOCKS]
        host.commit([pump.at(entry, k, live=k not in LATE)])
    host.historian.close()
    with closing(Records(folder.records)) as records, closing(WaveformStore(folder.waveforms)) as waves:
        states = [StateRow(*key, text) for key, text in host.told.items()]
        states += [StateRow(*key, state.to_json()) for key, state in host.in_force.items()]
        kept = []
        for k in range(SPALL_FROM, LAST):
            work = pump.at(spall[k - SPALL_FROM], k).work
            assert work.id is not None
            ref = waves.append(work.id, work.frame)  # type: ignore[arg-type]
            kept.append(WaveformRow(work.id, SITE, PUMP, POINT, at_ns(k), ref))
        waves.sync()
        records.commit(
            RecordsBatch(
                states=tuple(states), baselines=tuple(host.baselines.values()), waveforms=tuple(kept)
            )
        )
    return tmp


def copied(lived: Path, tmp: Path) -> IngestSettings:
    """The ingest's, over a copy of its folder."""
    data = tmp / "data"
    data.mkdir()
    for file in (lived / "data").iterdir():
        if file.is_file():
            (data / file.name).write_bytes(file.read_bytes())
    (data / "waveforms").symlink_to(lived / "data" / "waveforms")
    return settings_of(data)


@pytest.fixture
def settings(lived: Path, tmp_path: Path) -> IngestSettings:
    return copied(lived, tmp_path)


def settings_of(data: Path) -> IngestSettings:
    clock = {"start_ns": at_ns(AFTER + 6), "wall_start_ns": 0, "rate": 1e-6}
    return IngestSettings.model_validate({"plant": sample_plant_path(), "data": data, "clock": clock})


@pytest.fixture(scope="module")
def life(lived: Path) -> IngestSettings:
    """The life as it was: nothing may be written there."""
    return settings_of(lived / "data")


@pytest.fixture(scope="module")
def told(life: IngestSettings) -> Outcome:
    """What a dry run over the whole life tells."""
    before = everything(life)
    outcome = rescore(life, replace(ALL, write=False))
    assert everything(life) == before
    return outcome


@pytest.fixture(scope="module")
def again(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[IngestSettings, Outcome]:
    """The life, judged again."""
    settings = copied(lived, tmp_path_factory.mktemp("again"))
    return settings, rescore(settings, ALL)


def series(settings: IngestSettings, name: str, *fields: str, point: str = POINT) -> Table:
    with closing(SqliteHistorian(DataFolder(settings.data).historian, read_only=True)) as historian:
        return historian.read(name, fields, site=SITE, machine=PUMP, point=point)


def everything(settings: IngestSettings) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for name, field in zip(SERIES, ("score", "fault", "health_index", "state"), strict=True):
        table = series(settings, name, field)
        found[name] = [table.ts_ns.tolist(), list(table.columns[field])]
    return found


def test_what_was_live_gets_the_same_scores_again(
    life: IngestSettings, again: tuple[IngestSettings, Outcome]
) -> None:
    settings, outcome = again
    before = series(life, "score", "score", "threshold", "level")
    live = ~np.isin(before.ts_ns, [at_ns(k) for k in LATE])
    after = series(settings, "score", "score", "threshold", "level")
    place = {ts: i for i, ts in enumerate(after.ts_ns.tolist())}
    anew = [place[ts] for ts in before.ts_ns[live].tolist()]
    old, new = (
        {name: np.asarray(values, dtype=np.float64) for name, values in table.columns.items()}
        for table in (before, after)
    )
    for name in ("score", "threshold"):
        np.testing.assert_allclose(new[name][anew], old[name][live], rtol=1e-6)
    # What lasts may be seen a block later or earlier: charts know the late blocks now.
    assert np.count_nonzero(new["level"][anew] != old["level"][live]) <= 2
    assert outcome.baseline is not None
    assert (outcome.unlearned, outcome.baseline.status) == (("1",), BaselineStatus.LEARNED)
    assert outcome.written is not None
    assert set(outcome.written) == set(SERIES)


def test_it_tells_the_first_alert_and_the_fault_as_the_life_had_them(
    life: IngestSettings, told: Outcome
) -> None:
    states = series(life, "state", "state")
    first = next(
        ts for ts, s in zip(states.ts_ns.tolist(), states.columns["state"], strict=True) if s == "alert"
    )
    faults = series(life, "diagnosis", "fault", "confidence")
    assert told.first_alert is not None
    assert told.first_alert.raised_ns == first
    # What is above its own limit is told, and not a velocity that is calm.
    assert told.first_alert.feature != "velocity_rms_mm_s"
    assert (told.first_alert.value or 0) > (told.first_alert.limit or 99) > 0
    assert told.first_danger is None
    assert told.diagnosis is not None
    assert (told.diagnosis.fault, told.diagnosis.at) == ("outer_ring", POINT)
    # The samples were kept: the bearing rule looked at the lines themselves, as it did live.
    named = [fault == "outer_ring" for fault in faults.columns["fault"]]
    surest = np.asarray(faults.columns["confidence"], dtype=np.float64)[named].max()
    assert told.diagnosis.confidence == pytest.approx(surest, abs=1e-3)
    assert [e.truth for e in told.alerts] == [Truth.OPEN] * len(told.alerts)


def test_what_came_late_is_judged_and_marked_as_not_live(
    life: IngestSettings, again: tuple[IngestSettings, Outcome]
) -> None:
    late, (settings, _) = {at_ns(k) for k in LATE}, again
    assert not late & set(series(life, "state", "live").ts_ns.tolist())
    states = series(settings, "state", "live", "state")
    flags = dict(zip(states.ts_ns.tolist(), states.columns["live"], strict=True))
    assert {flags[ts] for ts in late} == {0}
    assert {live for ts, live in flags.items() if ts not in late} == {1}
    assert late <= set(series(settings, "score", "score").ts_ns.tolist())


def test_twice_is_once(life: IngestSettings, again: tuple[IngestSettings, Outcome]) -> None:
    settings, outcome = again
    once = everything(settings)
    assert rescore(settings, ALL) == outcome
    assert everything(settings) == once
    kept, was = (DataFolder(one.data).records.read_bytes() for one in (settings, life))
    assert kept == was  # neither state nor alarm


def test_a_part_of_a_life_begins_with_the_health_of_before(settings: IngestSettings) -> None:
    before = series(settings, "health", "health_index")
    rescore(settings, Asked(PUMP, at_ns(LAST), at_ns(LAST + 5)))
    after = series(settings, "health", "health_index")
    old, new = (np.asarray(table.columns["health_index"], dtype=np.float64) for table in (before, after))
    part = (after.ts_ns >= at_ns(LAST)) & (after.ts_ns < at_ns(LAST + 5))
    was = old[np.isin(before.ts_ns, after.ts_ns[part])]
    np.testing.assert_allclose(new[part], was, atol=1.0)
    assert was.max() < 60


def test_a_model_that_cannot_be_used_is_told(settings: IngestSettings) -> None:
    with closing(Records(DataFolder(settings.data).records)) as records:
        key = next(key for key in records.states() if "#model" in key[1])
        records.commit(RecordsBatch(states=(StateRow(*key, "odd"),)))
    outcome = rescore(settings, replace(ALL, write=False, start_ns=at_ns(LAST)))
    assert outcome.baseline is None
    assert key[1].partition(":")[0] in outcome.unusable[0]
    assert outcome.unusable[0] in "".join(outcome_lines(outcome, Catalogue("fr"), times_in("UTC")))


def test_without_a_baseline_the_limits_alone_judge_and_it_is_said(settings: IngestSettings) -> None:
    folder = DataFolder(settings.data)
    with closing(Records(folder.records)) as records:
        models = [key for key in records.states() if "#model" in key[1]]
        records.commit(RecordsBatch(states=tuple(StateRow(*key, None) for key in models)))
    outcome = rescore(settings, ALL)
    assert outcome.baseline is None
    assert set(outcome.written or ()) <= {"state", "diagnosis"}
    lines = list(outcome_lines(outcome, Catalogue("fr"), times_in("UTC")))
    assert Catalogue("fr").text("rescore.limits_only") in lines


def test_a_block_that_the_watch_fails_on_is_left_out_and_told(
    life: IngestSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, strange_ns = ingest.watch.columns_of, at_ns(FIRST + 5)

    def columns_of(entry: Scored, one: Watched) -> object:
        if entry.block.start_ns == strange_ns:
            raise ZeroDivisionError("as a defect of ours would")
        return sound(entry, one)

    monkeypatch.setattr("ingest.watch.columns_of", columns_of)
    outcome = rescore(life, Asked(PUMP, at_ns(FIRST), at_ns(FIRST + 9), write=False))
    assert (outcome.left_out, outcome.blocks) == (1, 9)
    assert Catalogue("fr").text("rescore.left_out", n=1) in list(
        outcome_lines(outcome, Catalogue("fr"), times_in("UTC"))
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (replace(ALL, machine="X-9"), "no machine of"),
        (replace(ALL, end_ns=ALL.start_ns), "later than --from"),
        (replace(ALL, end_ns=at_ns(AFTER + 10_000)), "in the future"),
        (replace(ALL, end_ns=at_ns(AFTER - 1) - OPEN_NS + 1), "still open"),
        (Asked(PUMP, at_ns(-900), at_ns(-800)), "no features"),
    ],
)
def test_what_is_no_closed_period_is_refused(settings: IngestSettings, asked: Asked, said: str) -> None:
    with pytest.raises(RescoreError, match=said):
        rescore(settings, asked)


@pytest.fixture
def config(settings: IngestSettings, tmp_path: Path) -> list[str]:
    file = tmp_path / "ingest.toml"
    file.write_text(
        f'plant = "{settings.plant}"\ndata = "{settings.data}"\n'
        f"[clock]\nstart_ns = {at_ns(AFTER + 6)}\nwall_start_ns = 0\nrate = 1e-6\n"
    )
    start, end = (datetime.fromtimestamp(ns / 1e9, UTC).isoformat() for ns in (ALL.start_ns, ALL.end_ns))
    return ["rescore", PUMP, "--from", start, "--to", end, "--config", str(file), "--quiet"]


def test_the_command_tells_it_as_json(
    config: list[str], told: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*config, "--dry-run", "--json"])
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(told.told()))


def test_the_command_tells_it_in_words(
    config: list[str], told: Outcome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.rescore_running.rescore", lambda *_: told)
    with pytest.raises(SystemExit) as ended:
        main([*config, "--dry-run"])
    text = capsys.readouterr().out
    assert not ended.value.code, text
    assert "Première alerte" in text
    assert "Rien n'a été écrit" in text


@pytest.mark.parametrize(("option", "value"), [("--from", "yesterday"), ("--to", "2026-13-01")])
def test_a_time_that_is_none_is_a_mistake_of_usage(
    config: list[str], option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config[config.index(option) + 1] = value
    with pytest.raises(SystemExit) as ended:
        main(config)
    assert ended.value.code == 2
    assert option in capsys.readouterr().err


KEY = AlarmKey(SITE, PUMP, POINT, Mode.VIBRATION)
RAISED = Episode(KEY, 10 * MONTH_NS)


def work(at: int, point: str = "") -> InterventionRow:
    return InterventionRow(f"i{at}", SITE, PUMP, point, "greasing", at, at, "h.alami", "")


def verdict(said: str, raised_ns: int = RAISED.raised_ns) -> VerdictRow:
    return VerdictRow("v", SITE, KEY.id, raised_ns, "", said, "", "", "", "h.alami", raised_ns + 1)


@pytest.mark.parametrize(
    ("done", "verdicts", "now_months", "truth"),
    [
        ([work(RAISED.raised_ns + 1)], [], 12, Truth.ANSWERED),
        ([work(RAISED.raised_ns + 1, "1")], [], 12, Truth.FALSE),  # of another point
        ([work(RAISED.raised_ns - 1)], [], 12, Truth.FALSE),
        ([], [], 10.5, Truth.OPEN),
        ([work(RAISED.raised_ns + 1)], [verdict("refuted")], 12, Truth.FALSE),
        ([], [verdict("other_cause")], 12, Truth.ANSWERED),
        ([], [verdict("confirmed", 1)], 12, Truth.FALSE),  # of another raise
    ],
)
def test_an_alert_is_false_where_nothing_came_of_it(
    done: list[InterventionRow], verdicts: list[VerdictRow], now_months: float, truth: Truth
) -> None:
    sensor = replace(RAISED, key=replace(KEY, mode=Mode.SENSOR))
    (found,) = judged([RAISED, sensor], done, verdicts, round(now_months * MONTH_NS))
    assert found.truth is truth


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_the_words(told: Outcome, lang: str) -> None:
    words = Catalogue(lang)
    text = "\n".join(outcome_lines(told, words, times_in("UTC")))
    assert words.text("fault.outer_ring") in text
    assert "rescore." not in text
