"""`palier model`: what people read of models, and what they decide."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models.training.fit import Trained
from palier.commands.model import model
from palier.commands.model_text import brief, differences, held_lines
from palier.commands.train_text import told_of
from palier.commands.trained_text import metrics_lines
from palier.historian.records import Records
from palier.historian.rows import RecordsBatch, Transition
from palier.locale import LANGUAGES, Catalogue
from palier.options import CommandError, catalogue
from palier.plant import load_plant
from palier.registry import Note, Registry, Stage
from palier.registry_keys import make_keys, signer
from tests.host.conftest import PLANT
from tests.support import trained

Run = Callable[..., Result]


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., dict[str, bytes]]:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT, "utf-8")
    plant = load_plant(path)

    return lambda seed=1: trained.baselines(plant, seed=seed)


@pytest.fixture
def registry(tmp_path: Path, files: Callable[..., dict[str, bytes]]) -> Registry:
    found = Registry(tmp_path / "registry")
    for seed in (1, 2):
        note = Note("s.idrissi", f"seed {seed}", 1_790_000_000 * 10**9)
        found.add("baselines", files(seed), note, kind="baselines")
    return found


@pytest.fixture
def run(registry: Registry) -> Run:
    def call(*arguments: str) -> Result:
        told = [*arguments]
        if arguments[0] != "keygen":
            told += ["--registry", str(registry.path)]
        result = CliRunner().invoke(model, told)
        if isinstance(result.exception, CommandError):
            return result
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_the_list_is_a_table_with_the_version_that_was_retired_last(
    run: Run, registry: Registry, files: Callable[..., dict[str, bytes]]
) -> None:
    registry.add("baselines", files(3), Note("s.idrissi", "seed 3", 1), kind="baselines")
    for version in (2, 1):
        registry.promote("baselines", version, Note("s.idrissi", "tried", 1), forced=True)
    registry.retire("baselines", 1, Note("s.idrissi", "too short", 1))
    heading, *rows, older = run("list").stdout.splitlines()
    assert heading.split()[0] == "modèle"
    assert [row.split()[:4] for row in rows] == [
        ["baselines", "1", "références", "retirée"],
        ["baselines", "3", "références", "candidate"],
    ]
    assert older == "versions retirées plus anciennes\u00a0: 1 (--all)"
    assert len(run("list", "--all").stdout.splitlines()) == 4
    told = json.loads(run("list", "--json").stdout.splitlines()[-1])
    assert (told["name"], told["version"], told["stage"]) == ("baselines", 3, "candidate")


def test_a_rollback_says_what_it_wants_and_refusals_are_in_the_language_of_who_asks(run: Run) -> None:
    refused = run("rollback", "baselines:1", "--why", "x").exception
    assert isinstance(refused, CommandError)
    assert "palier model rollback baselines --to 1" in str(refused)
    for lang in LANGUAGES:
        refused = run("rollback", "baselines", "--why", "x", "--lang", lang).exception
        assert str(refused) == Catalogue(lang).text("registry.not_in_force", name="baselines")
        assert isinstance(refused, CommandError)


def test_a_promotion_needs_a_replay_or_force_with_a_reason(run: Run, registry: Registry) -> None:
    refused = run("promote", "baselines:1")
    assert isinstance(refused.exception, CommandError)
    assert "palier model replay baselines:1" in str(refused.exception)
    assert isinstance(run("promote", "baselines:1", "--force").exception, CommandError)
    done = run("promote", "baselines:1", "--force", "--why", "the first", "--user", "s.idrissi")
    assert done.exit_code == 0
    assert "en service" in done.stdout
    registry.attach_report("baselines", 2, {"false": {}}, Note("s.idrissi", "", 2))
    assert run("promote", "baselines").exit_code == 0  # of a name alone the newest
    last = registry.line("baselines").entries[-1]
    assert (last.before, last.forced) == (1, False)


def test_a_rollback_says_what_is_in_force_now(run: Run, registry: Registry) -> None:
    for version in (1, 2):
        registry.promote("baselines", version, Note("a", "b", 1), forced=True)
    assert "baselines:1" in run("rollback", "baselines", "--why", "false calls", "--user", "h.alami").stdout
    assert registry.line("baselines").entries[-1].note.who == "h.alami"
    assert "Plus aucune version de baselines" in run("rollback", "baselines", "--why", "again").stdout
    assert isinstance(run("rollback", "baselines", "--why", "again").exception, CommandError)


def test_shadow_and_retire(run: Run, registry: Registry) -> None:
    assert run("shadow", "baselines:2", "--why", "to compare").exit_code == 0
    shadow = registry.line("baselines").shadow
    assert shadow is not None
    assert shadow.version == 2
    assert run("retire", "baselines:2", "--why", "no better").exit_code == 0
    assert registry.line("baselines").version(2).stage is Stage.RETIRED


def test_show_tells_who_from_what_and_what_was_done(run: Run, registry: Registry) -> None:
    registry.promote("baselines", 1, Note("h.alami", "the first", 1_790_000_000 * 10**9), forced=True)
    text = run("show", "baselines").stdout
    assert text.startswith("baselines:1  références, en service\n")
    assert "s.idrissi" in text
    assert "  usine/pompe/p1\u00a0: 1100 blocs, 8 jours" in text.splitlines()
    assert "mise en service (sans rejeu)  h.alami: the first" in text
    told = json.loads(run("show", "baselines:1", "--json").stdout)
    assert told["manifest"]["kind"] == "baselines"
    assert [act["act"] for act in told["acts"]] == ["trained", "promoted"]


def test_diff_tells_what_is_different(run: Run) -> None:
    text = run("diff", "baselines:1", "baselines:2").stdout
    assert "data_sha256\u00a0: " in text
    assert run("diff", "baselines:1", "baselines:1").stdout == "Aucune différence.\n"
    point = {"place": ["a", "b", "c"], "features": [{"name": "x", "unit": "1"}]}
    rows = differences({"points": [point]}, {"points": [], "metrics": {"days": 8}})
    assert rows == [("points[a/b/c]", 1, None), ("metrics.days", None, 8)]
    other = point | {"features": [{"name": "y", "unit": "1"}]}
    rows = differences({"points": [point]}, {"points": [other]})
    assert rows == [("points[a/b/c].features", ["x"], ["y"])]


def test_what_there_are_many_of_is_one_line_for_people_and_all_of_it_for_programs() -> None:
    ratios = {f"feature_{k}": {"ratio": float("nan"), "left_out": "unknown"} for k in range(40)}
    report = {
        "machines": 21,
        "named": 0.9583333333333333,
        "healthy": 1.0,
        "examples": {"none": 84, "unbalance": 19},
        "named_of": {"unbalance": 0.8888888888888888},
        "unseen_unidentified": {"unbalance": 0.9444444444444443},
        "like_good_health": {"inner_ring": 1},
        "mistaken": [{"fault": "unbalance", "for": "unidentified", "examples": 2}],
        "selection": ratios,
    }
    lines = list(metrics_lines(report, catalogue("en")))
    assert lines[1] == (
        "faults named rightly: 96\u00a0%; healthy machines called healthy: 100\u00a0% (means over machines)"
    )
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "healthy machine", "unbalance", "inner ring of the bearing",
    ]  # fmt: skip
    assert re.split(" {2,}", lines[4])[1:] == ["19", "89\u00a0%", "94\u00a0%", "0"]
    assert lines[6:] == [
        "mistake: unbalance taken for unidentified anomaly, examples: 2",
        "features kept: 0 of 40",
    ]
    rows = [(f"points[a/b/{k}].trained.blocks", str(k)) for k in range(40)]
    assert list(brief(rows, catalogue("en"))) == [
        "points[*].trained.blocks: 40 values, all of them with --json"
    ]
    told = json.dumps(told_of(Trained(None, (), report), None), allow_nan=False)
    assert json.loads(told)["report"]["selection"]["feature_7"] == {"ratio": None, "left_out": "unknown"}


def test_verify_checks_as_the_ingest_does_and_fails_on_one(run: Run, registry: Registry) -> None:
    assert run("verify").exit_code == 0
    path = registry.path / "baselines" / "2" / "arrays.npz"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-20])
    result = run("verify", "--json")
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["ok"] for one in told] == [True, False]
    assert "copy" in told[1]["why"]


def test_a_signature_is_looked_at_where_a_key_is_given(
    run: Run, registry: Registry, files: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    assert run("keygen", str(tmp_path / "site")).exit_code == 0
    key = str(tmp_path / "site.pub")
    sign = signer(tmp_path / "site.key")
    registry.add("baselines", files(3), Note("a", "b", 1), kind="baselines", sign=sign)
    assert run("verify", "baselines:3", "--public-key", key).exit_code == 0
    assert run("verify", "baselines:1", "--public-key", key).exit_code == 1
    make_keys(tmp_path / "other")
    assert run("verify", "baselines:3", "--public-key", str(tmp_path / "other.pub")).exit_code == 1
    refused = run("promote", "baselines:1", "--force", "--why", "x", "--public-key", key)
    assert isinstance(refused.exception, CommandError)
    assert registry.line("baselines").in_force is None
    registry.add("baselines", registry.files("baselines", 3), Note("a", "copied", 1), kind="baselines")
    assert run("verify", "baselines:4", "--public-key", key).exit_code == 1  # what was signed is version 3


def test_a_name_that_is_not_there_is_wrong_usage(run: Run) -> None:
    for arguments in (("show", "bassline"), ("show", "baselines:9"), ("diff", "baselines:1", "a b")):
        error = run(*arguments).exception
        assert isinstance(error, CommandError)
        assert error.exit_code == 2


def event(state: str, ts_ns: int, **detail: object) -> Transition:
    return Transition(
        f"model:{ts_ns}", "usine", "baselines", "", "", ts_ns, "model", state, "", json.dumps(detail)
    )


def test_the_list_tells_what_the_ingest_has_and_what_it_could_not_take(run: Run, tmp_path: Path) -> None:
    records = Records(tmp_path / "records.sqlite")
    taken = event("in force", 10**18, stage="in force", version=1)
    refused = event("refused", 2 * 10**18, version=2, key="tampered", sentence="it was cut off.")
    records.commit(RecordsBatch(transitions=(taken, refused)))
    records.close()
    held, wrong = run("list", "--data", str(tmp_path)).stdout.splitlines()[-2:]
    assert held == "ingestion\u00a0: baselines:1 en service depuis le 2001-09-09 01:46 UTC"
    assert wrong.endswith("le précédent reste en service. " + Catalogue("fr").text("bundle.tampered"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_was_refused_and_then_taken_is_no_more_told(lang: str) -> None:
    words = Catalogue(lang)
    told = [
        event("refused", 1, version=2, key="tampered", sentence="cut off"),
        event("in force", 2, stage="in force", version=2),
        event("none", 3, stage="shadow", version=None),
    ]
    (line,) = held_lines(told, words)
    assert "baselines:2" in line
