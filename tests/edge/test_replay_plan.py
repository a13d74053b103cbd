"""Which machine a record belongs to, and the plant made of recordings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.replay_plant import ReplayPlanError, made_plant_text, plan_by_record, plan_in_plant
from models.types import Bearing
from palier.limits import load_bearings
from palier.plant import Plant, parse_plant
from palier.recordings import Recordings, open_recordings

ORDERS = Bearing("orders", 3.5, 5.5, 2.3, 0.4, "--bearing-orders")


def recordings(folder: Path, **options: float | str) -> Recordings:
    signal = np.arange(2000).astype("<i2")
    np.savez(folder / "r.npz", **{"IR 1|DE": signal, "IR 1|FE": signal}, N_2=signal)  # type: ignore[arg-type]
    (folder / "i.csv").write_text("file,fs,rpm,fault\nIR 1,2000,1200,IR\nN_2,1000,,N\n")
    return open_recordings(folder / "r.npz", folder / "i.csv", unit="g")


def made(folder: Path, bearing: Bearing | None, designation: str | None) -> Plant:
    file = recordings(folder)
    plan = plan_by_record([file])
    records = ((plan.machines[0, record.name], record) for record in file)
    return parse_plant(made_plant_text("replay", records, bearing, designation), file=folder / "plant.toml")


def test_the_made_plant_has_a_machine_for_each_record(tmp_path: Path) -> None:
    plant = made(tmp_path, load_bearings()["6205"], "6205")
    first, second = plant.machines
    assert (first.id, first.name, first.speed_source, first.speed_rpm) == (
        "IR_1",
        "IR 1 (fault IR)",
        "frame",
        1200,
    )
    assert (second.id, second.speed_source, second.speed_rpm) == ("N_2", "unknown", None)
    (point,) = first.points
    assert point.limits is None
    assert point.bearing is not None
    assert point.bearing.designation == "6205"
    assert [(c.id, c.unit, c.fs_hz, c.n_samples) for c in point.channels] == [
        ("DE", "g", 2000, 2000),
        ("FE", "g", 2000, 2000),
    ]


def test_a_record_of_a_machine_at_rest_has_a_speed_and_no_nominal_one(tmp_path: Path) -> None:
    record = next(iter(recordings(tmp_path)))
    text = made_plant_text("replay", [("M", replace(record, rpm=0.0))], None, None)
    (machine,) = parse_plant(text, file=tmp_path / "plant.toml").machines
    assert (machine.speed_source, machine.speed_rpm) == ("frame", None)


def test_orders_and_no_bearing(tmp_path: Path) -> None:
    bearing = made(tmp_path, ORDERS, None).machines[0].points[0].bearing
    assert bearing is not None
    assert bearing.orders == ORDERS.orders
    assert made(tmp_path, None, None).machines[0].points[0].bearing is None


def one_machine(folder: Path, *ids: str) -> Plant:
    text = '[site]\nid = "usine"\nname = "U"\ntimezone = "UTC"\n'
    for name in ids:
        text += f"""
[[machine]]
id = "{name}"
kind = "pump"
speed = {{ source = "unknown" }}
limits = "none"
[[machine.point]]
id = "CA"
[[machine.point.channel]]
id = "DE"
quantity = "acceleration"
unit = "g"
fs_hz = 2000
samples = 2000
"""
    return parse_plant(text, file=folder / "plant.toml")


def test_a_plant_of_one_machine_takes_all_records(tmp_path: Path) -> None:
    plan = plan_in_plant([recordings(tmp_path)], one_machine(tmp_path, "P-101"), None)
    assert set(plan.machines.values()) == {"P-101"}
    assert plan.point == "CA"


def test_a_machine_can_be_named(tmp_path: Path) -> None:
    plan = plan_in_plant([recordings(tmp_path)], one_machine(tmp_path, "P-101", "P-102"), "P-102")
    assert set(plan.machines.values()) == {"P-102"}


def test_records_may_be_named_as_the_machines_are(tmp_path: Path) -> None:
    plan = plan_in_plant([recordings(tmp_path)], one_machine(tmp_path, "IR_1", "N_2"), None)
    assert plan.machines == {(0, "IR 1"): "IR_1", (0, "N_2"): "N_2"}


@pytest.mark.parametrize("machine", [None, "X-1"])
def test_records_without_a_machine_are_named(tmp_path: Path, machine: str | None) -> None:
    with pytest.raises(ReplayPlanError, match="the plant has no machine"):
        plan_in_plant([recordings(tmp_path)], one_machine(tmp_path, "P-101", "P-102"), machine)
