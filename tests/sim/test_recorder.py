"""Simulated recordings, read back by the reader of recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from palier.clock import PlantClock
from palier.options import CommandError
from palier.recordings import open_recordings
from simulators.recorder import Record, record, write_recording
from simulators.simulate_command import simulate
from simulators.source import open_source
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


def test_the_truth_stands_beside_the_recording(tmp_path: Path) -> None:
    out = tmp_path / "pump.npz"
    run(
        *("--machine", "P-101", "--scenario", "demo", "--from", "60", "--seconds", "5", "--block", "0.1"),
        *("--out", str(out), "--truth"),
    )
    truths = [json.loads(line) for line in (tmp_path / "pump.truth.jsonl").read_text("utf-8").splitlines()]
    assert [truth["machine"] for truth in truths] == ["P-101", "P-101"]
    assert truths[0]["faults"][0]["severity"] == pytest.approx(0.57, abs=0.05)


def test_the_same_seed_and_time_write_the_same_samples() -> None:
    source = open_source({"machine": "B-501", "block_s": 0.5}, PlantClock())
    first, second = (
        next(record(source.plant(1.79e9), source.options, start_s=1.79e9, seconds=5)) for _ in range(2)
    )
    assert first.name == "B-501_1_00001"
    np.testing.assert_array_equal(first.frame.samples, second.frame.samples)
    assert first.truth == second.truth


def test_the_same_command_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(
            *("--machine", "P-101", "--seed", "3", "--seconds", "5", "--block", "0.1", "--truth"),
            *("--out", str(tmp_path / f"{name}.npz")),
        )
    for end in (".npz", ".csv", ".truth.jsonl"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


def test_a_machine_at_rest_is_recorded_at_rest(tmp_path: Path) -> None:
    out = tmp_path / "spindle.npz"
    run(
        *("--machine", "B-501", "--scenario", "demo", "--seconds", "5", "--block", "0.1", "--out", str(out)),
    )
    assert [one.rpm for one in open_recordings(out, out.with_suffix(".csv"))] == [0.0]


def test_channels_of_several_units_are_refused(tmp_path: Path) -> None:
    source = open_source({"machine": "B-501", "block_s": 0.1}, PlantClock())
    one = next(record(source.plant(1.79e9), source.options, start_s=1.79e9, seconds=5))
    frame = one.frame
    both = replace(
        frame,
        channels=("H", "V"),
        samples=np.vstack((frame.samples, frame.samples)),
        scale=frame.scale * 2,
        unit=("m/s²", "g"),
        quality=frame.quality * 2,
    )
    with pytest.raises(ValueError, match="B-501/1: channels of one point must have one unit"):
        write_recording([replace(one, frame=both)], tmp_path / "x.npz")


def test_what_is_not_whole_leaves_nothing(tmp_path: Path) -> None:
    source = open_source({"machine": "B-501", "block_s": 0.1}, PlantClock())

    def failing() -> Iterator[Record]:
        yield from record(source.plant(1.79e9), source.options, start_s=1.79e9, seconds=5)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_recording(failing(), tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hour", ["nan", "inf", "-inf", "1e300"])
def test_an_hour_that_can_not_be_is_refused(hour: str) -> None:
    result = CliRunner().invoke(app_of(simulate), ["--out", "x.npz", "--seconds", "5", "--from", hour])
    assert (result.exit_code, "--from" in result.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "either --out"),
        (("--out", "x.npz", "--broker", "h:1"), "either --out"),
        (("--out", "x.npz"), "needs --seconds"),
        (("--out", "x.npz", "--seconds", "5", "--machine", "Z-9"), "no machine 'Z-9'"),
        (("--out", "/nowhere/x.npz", "--seconds", "5", "--block", "0.1"), "can't be written"),
        (("--out", "x.npz", "--seconds", "3"), "at least --interval, .*: 5, got 3"),
        (("--broker", "somewhere"), "HOST:PORT"),
        (
            ("--broker", "127.0.0.1:1", "--scenario", "demoo"),
            r"healthy, demo, training, degradation, or a TOML file .*did you mean \"demo\"",
        ),
        (("--out", "x.wav", "--seconds", "5"), r"--out must end in \.npz"),
    ],
)
def test_wrong_usage_is_a_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        CliRunner().invoke(app_of(simulate), arguments, catch_exceptions=False)
