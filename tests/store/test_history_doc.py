"""What docs/data-scientist.md says of the history runs as it stands there, top to bottom."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from palier.commands.export import export
from palier.historian.sqlite import SqliteHistorian
from palier.plant import sample_plant_path
from tests.support import watched_pump as pump
from tests.support.commands import app_of
from tests.support.degrading_pump import degrading_pump

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "data-scientist.md").read_text("utf-8")
SECTION = TEXT.partition("## From the historian")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a demo would leave: `data` and `plant.toml`; blocks to be believed are of the pump's point 2."""
    path = tmp_path_factory.mktemp("demo")
    _, data = degrading_pump(path / "data")
    store = SqliteHistorian(data.historian)
    pump.Host(store).commit([pump.healthy(k) for k in range(20)])
    store.close()
    (path / "plant.toml").write_text(sample_plant_path().read_text("utf-8"), "utf-8")
    (path / "ingest.toml").write_text('data = "data"\n', "utf-8")
    return path


@pytest.fixture
def folder(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(filled)
    return filled


@pytest.mark.usefixtures("folder")
def test_the_blocks_run_one_after_the_other() -> None:
    found: dict[str, object] = {"np": np}
    blocks = [b for b in re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL) if "http://" not in b]
    assert len(blocks) == 3
    for told in blocks:
        block = told.replace('history.point("P-101", "1")', 'history.point("P-101", "2")')
        exec(compile(block, "docs/data-scientist.md", "exec"), found)
    assert np.isfinite(found["levels"]["velocity_rms_mm_s"]).any()  # type: ignore[index]
    assert set(found["radial"]["channel"].tolist()) == {"H"}  # type: ignore[index]
    assert found["x"].shape[0] == len(found["block"].channels)  # type: ignore[attr-defined]
    assert len(found["point"]) == 20  # type: ignore[arg-type]


def test_the_commands_write_their_files(folder: Path) -> None:
    commands = re.findall(r"^    palier export (.*?)(?:\s+#.*)?$", SECTION, re.MULTILINE)
    assert len(commands) == 3
    for command in commands[:2]:
        done = CliRunner().invoke(app_of(export), shlex.split(command))
        assert done.exit_code == 0, done.exception
        assert (folder / shlex.split(command)[0]).stat().st_size > 1000
