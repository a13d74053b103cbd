"""The notebooks: committed bare, guarded against strange modules, and each runs as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from palier.historian.record_tables import RECORDS
from simulators.fleet_history import make_history
from tests.support.waiting import eventually

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = tuple(sorted(FOLDER.glob("*.ipynb")))
HISTORY = "parc"
SEED = 7
"""As the notebooks ask for it themselves."""


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_what_it_printed(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_first_cell_looks_where_the_packages_come_from(path: Path) -> None:
    notebook = _read(path)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert "check_places()" in first.source
    assert "assert places.verdict is Verdict.OK" in first.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in _read(path).cells)
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (FOLDER / link).exists()] == []


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One simulated past for all notebooks, and for all workers: it takes half a minute to make."""
    mine = tmp_path_factory.getbasetemp()
    shared = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine  # never one of a run before this
    folder = shared / f"palier-{HISTORY}-{RECORDS.version}"
    try:
        folder.with_suffix(".lock").mkdir()
    except FileExistsError:
        eventually(folder.is_dir, 240, "the history that another worker makes")
    else:
        make_history(folder, seed=SEED)
    return folder


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, history: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    (tmp_path / HISTORY).symlink_to(history)
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(tmp_path)]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", "--nbmake", "--nbmake-timeout=180", str(copy)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
