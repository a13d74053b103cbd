"""`palier replay`: recordings through a gateway of their own until the host has every frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.replay_run import Outcome
from edge_agent.replay_summary import RecordLines, count_faults, read_lines
from palier.cli import main
from palier.historian.base import Table
from palier.plant import load_plant
from tests.support.fake_host import FakeHost
from tests.support.recordings import data_folder
from tests.support.services import Mosquitto, free_port, mosquitto_path

FAULTY_BEARING = "3.585,5.415,2.357,0.398"


def palier(*arguments: object) -> int:
    """Run the command in this process; its exit code."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def recording(folder: Path) -> tuple[Path, Path]:
    """Two records with an index that names a third."""
    noise = np.random.default_rng(1).normal(0, 3000, (2, 20_000)).astype("<i2")
    np.savez(folder / "rig.npz", a=noise[0], b=noise[1])
    (folder / "rig.csv").write_text(
        "file,fs,rpm,fault\na,10000,1500,N\nb,10000,1500,IR\nlost,10000,1500,OR\n"
    )
    return folder / "rig.npz", folder / "rig.csv"


def test_it_ends_when_a_running_host_has_every_frame(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, index = recording(tmp_path)
    with FakeHost(mosquitto.port, group="replay") as host:
        code = palier(
            "replay", rig, "--index", index, "--broker", f"127.0.0.1:{mosquitto.port}", "--lang", "en"
        )
    shown = capsys.readouterr()
    assert code == 0
    assert len(host.stored) == 2
    assert {frame.machine for frame in host.stored.values()} == {"a", "b"}
    assert "2 blocks sent, 2 stored" in shown.out
    assert "skipped: lost" in shown.err
    assert not host.errors


def test_a_second_replay_goes_on_in_the_same_epoch(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, index = recording(tmp_path)
    arguments = ("replay", rig, "--index", index, "--broker", f"127.0.0.1:{mosquitto.port}", "--json")
    with FakeHost(mosquitto.port, group="replay"):
        codes = [palier(*arguments), palier(*arguments)]
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert codes == [0, 0]
    assert first["epoch"] == second["epoch"]
    assert (first["first"], first["last"], second["first"], second["last"]) == (1, 2, 3, 4)
    assert second["complete"] is True
    assert second["ledger"] is None


def test_without_a_host_it_gives_up_and_the_next_replay_brings_the_rest(
    mosquitto: Mosquitto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, index = recording(tmp_path)
    arguments = ("replay", rig, "--index", index, "--broker", f"127.0.0.1:{mosquitto.port}", "--json")
    assert palier(*arguments, "--patience", "5") == 1
    left = json.loads(capsys.readouterr().out)
    assert (left["frames"], left["left"], left["complete"]) == (2, 2, False)
    assert "waiting for the host" in left["detail"]
    with FakeHost(mosquitto.port, group="replay") as host:
        assert palier(*arguments) == 0
    assert len(host.stored) == 4
    assert json.loads(capsys.readouterr().out)["earlier"] == 2


def test_the_made_plant_can_be_written_for_a_host_to_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, index = recording(tmp_path)
    out = tmp_path / "plant.toml"
    assert palier("replay", rig, "--index", index, "--plant-out", out, "--site", "essai") == 0
    plant = load_plant(out)
    assert plant.site_id == "essai"
    assert [machine.id for machine in plant.machines] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--broker", "10.0.0.1:1883"], "--broker must be on this machine"),
        (["--broker", "127.0.0.1:port"], "--broker must be HOST:PORT"),
        (["--rate", "fast"], "--rate must be a number"),
        (["--site", "a b"], "--site must match"),
        (["--machine", "P-101"], "--machine names a machine of --plant"),
        (["--bearing", "9999"], "unknown bearing '9999'"),
        (["--unit", "furlong"], "the unit must be one of"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    rig, index = recording(tmp_path)
    assert palier("replay", rig, "--index", index, *arguments) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_broker_it_says_so_at_once_and_takes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rig, index = recording(tmp_path)
    arguments = ("--broker", f"127.0.0.1:{free_port()}", "--data", tmp_path / "edge")
    assert palier("replay", rig, "--index", index, *arguments) == 1
    assert "no broker answers on 127.0.0.1:" in capsys.readouterr().err
    assert not list((tmp_path / "edge").iterdir())


@pytest.mark.long
@pytest.mark.parametrize("broker", ["mosquitto", "iotcore"])
def test_real_bearings_show_the_lines_of_their_own_defect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """Every inner- and outer-ring record of a public rig: above the local floor, above the other defects."""
    if broker == "mosquitto":
        mosquitto_path()
    else:
        pytest.importorskip("iotcore", reason="iotcore is not installed: pip install '.[demo]'")
        monkeypatch.setattr("palier.brokers.find_mosquitto", lambda: None)
    recordings, index = data_folder("hitsm", "mfs.npz"), data_folder("hitsm", "index_mfs.csv")
    code = palier(
        *("replay", recordings, "--index", index, "--bearing-orders", FAULTY_BEARING),
        *("--embedded", "--data", tmp_path / "run", "--json"),
    )
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (result["frames"], result["left"], result["dropped"]) == (21, 0, 0)
    assert result["ledger"]["adds_up"] is True
    assert result["ledger"]["stored"] == 21
    for count in result["faults"]:
        if count["own"] is not None:
            assert count["above_floor"] == count["above_others"] == count["records"]
    assert {count["fault"]: count["records"] for count in result["faults"]} == {"IR": 9, "OR": 9, "N": 3}


def test_counts_tell_own_lines_from_those_that_lead() -> None:
    def line(fault: str, leading: str | None, harmonics: int) -> RecordLines:
        return RecordLines("r", fault, {"bpfi": 5.0}, {"bpfi": harmonics}, leading)

    lines = [line("IR", "bpfi", 4), line("IR", "bpfo", 3), line("IR", None, 1), line("N", None, 0)]
    inner, healthy = count_faults(lines)
    assert (inner.records, inner.above_floor, inner.above_others) == (3, 2, 1)
    assert inner.leading == {"bpfi": 1, "bpfo": 1, "": 1}
    assert (healthy.own, healthy.above_floor) == (None, 0)


def test_lines_are_read_of_this_run_only_and_where_they_stand_highest() -> None:
    outcome = Outcome("replay/replay", "ab", 3, 4, 0, 0, 0, 0, 0, False, 1.0, "")

    class Historian:
        def read(self, measurement: str, fields: list[str], *, site: str, machine: str) -> Table:
            rows = [
                (9.0, 5, "replay/replay:ab:2"),
                (2.0, 3, "replay/replay:ab:3"),
                (4.0, 4, "replay/replay:ab:4"),
            ]
            columns: dict[str, object] = {name: np.full(3, np.nan) for name in fields}
            columns["bpfi_bits"] = np.array([row[0] for row in rows])
            columns["bpfi_harmonics"] = np.array([float(row[1]) for row in rows])
            columns["frame"] = tuple(row[2] for row in rows)
            return Table(np.arange(3), ("a",) * 3, ("1",) * 3, ("DE",) * 3, columns)  # type: ignore[arg-type]

    (found,) = read_lines(Historian(), "replay", outcome, {"a": ("a", "IR")})  # type: ignore[arg-type]
    assert (found.bits["bpfi"], found.harmonics["bpfi"], found.leading) == (4.0, 4, "bpfi")
    assert found.above_others
