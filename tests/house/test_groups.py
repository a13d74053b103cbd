"""Tests of one group run on one worker: a benchmark's run is made once for its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GROUPED = """
import os

import pytest


@pytest.mark.xdist_group("bench")
@pytest.mark.parametrize("_turn", range(6))
def test_it_leaves_the_name_of_its_worker(_turn):
    open(f"worker-{os.environ['PYTEST_XDIST_WORKER']}", "w").close()
"""


@pytest.mark.long
def test_a_group_is_run_by_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(GROUPED, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "3", "--dist=loadgroup", "-q", "test_grouped.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "6 passed" in done.stdout, done.stdout + done.stderr
    assert len(list(tmp_path.glob("worker-*"))) == 1
