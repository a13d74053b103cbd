"""Simulated recordings, read back by the reader of recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from palier.options import CommandError
from palier.recordings import open_recordings
from simulators.simulate_command import simulate
from tests.support.commands import app_of


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app_of(simulate), arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_recording_can_be_read_back(tmp_path: Path) -> None:
    out = tmp_path / "pump.npz"
    said = run(
        "--machine", "P-101", "--seconds", "20", "--block", "0.5", "--interval", "5", "--out", str(out)
    )
    assert "8 records" in said  # two points, four times
    records = list(open_recordings(out, out.with_suffix(".csv")))
    assert len(records) == 8
    first = records[0]
    assert first.samples.dtype == np.int16
    assert first.samples.shape == (1, 12_800)
    assert (first.rpm, first.unit) == (890, "m/s²")
    assert first.labels["machine"] == "P-101"
    signal = first.samples * first.scale[0]
    assert 1.0 < signal.std() < 4.0


def test_the_same_seed_writes_the_same_samples(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("--machine", "B-501", "--seconds", "5", "--block", "0.5", "--out", str(tmp_path / f"{name}.npz"))
    a, b = (np.load(tmp_path / f"{name}.npz")["B-501_1_00001|H"] for name in ("a", "b"))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "either --out"),
        (("--out", "x.npz", "--broker", "h:1"), "either --out"),
        (("--out", "x.npz"), "needs --seconds"),
        (("--out", "x.npz", "--seconds", "5", "--machine", "Z-9"), "no machine 'Z-9'"),
        (("--out", "/nowhere/x.npz", "--seconds", "5", "--block", "0.1"), "can't be written"),
        (("--broker", "somewhere"), "HOST:PORT"),
        (
            ("--broker", "127.0.0.1:1", "--scenario", "demoo"),
            r"healthy, demo, or a TOML file .*did you mean \"demo\"",
        ),
        (("--out", "x.wav", "--seconds", "5"), r"--out must end in \.npz"),
    ],
)
def test_wrong_usage_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        CliRunner().invoke(app_of(simulate), arguments, catch_exceptions=False)
