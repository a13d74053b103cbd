"""`palier train`: from a plant's history to a candidate, or to a sentence that says why there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from palier.commands.train import train
from palier.options import CommandError
from palier.plant import sample_plant_path
from palier.registry import Registry
from palier.registry_keys import make_keys
from tests.support import watched_pump as pump

pytestmark = pytest.mark.long

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    pump.gathered_host(tmp_path).historian.close()
    shutil.copy(sample_plant_path(), tmp_path / "plant.toml")

    def call(*arguments: str) -> Result:
        told = (*arguments, "--data", str(tmp_path), "--registry", str(tmp_path / "registry"))
        result = CliRunner().invoke(train, told)
        if result.exception is not None and not isinstance(result.exception, CommandError | SystemExit):
            raise result.exception
        return result

    return call


def test_a_history_becomes_a_candidate_and_the_same_history_the_same_files(run: Run, tmp_path: Path) -> None:
    make_keys(tmp_path / "site")
    key = str(tmp_path / "site.key")
    first = run("baselines", "--why", "a week of it", "--user", "s.idrissi", "--sign-key", key)
    assert first.exit_code == 0, first.exception
    assert "baselines:1 est candidate" in first.stdout
    told = json.loads(run("baselines", "--why", "again", "--sign-key", key, "--json").stdout)
    assert (told["version"]["version"], told["left_out"]) == (2, [])
    registry = Registry(tmp_path / "registry")
    one, again = registry.line("baselines").versions
    assert all(again.sha256[file] == one.sha256[file] for file in one.sha256 if file != "manifest.sig")
    assert one.sha256["manifest.sig"] != again.sha256["manifest.sig"]  # each is signed as the version it is
    assert (one.created.who, one.created.why) == ("s.idrissi", "a week of it")


def test_too_few_healthy_days_are_a_sentence_and_no_version(run: Run, tmp_path: Path) -> None:
    late = "2026-09-24T00:00"
    result = run("baselines", "--from", late, "--why", "x")
    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 1
    assert f"{pump.PLACE[0]}/{pump.PUMP}/{pump.POINT}" in result.stdout
    assert "laissé de côté" in result.stdout
    assert not (tmp_path / "registry").exists()


def test_a_detector_that_is_not_there_is_wrong_usage(run: Run) -> None:
    result = run("detector", "--detector", "oracle", "--why", "x")
    assert isinstance(result.exception, CommandError)
    assert result.exception.exit_code == 2
    assert "isolation-forest" in str(result.exception)


def test_without_verdicts_there_is_no_classifier(run: Run) -> None:
    result = run("classifier", "--why", "x")
    assert isinstance(result.exception, CommandError)
    assert "laissé de côté" in result.stdout
