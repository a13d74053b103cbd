"""plant.toml: what is right is read, what is wrong is told with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.types import Quantity
from palier.frames import MAX_FRAME_BYTES
from palier.limits import load_bearings, load_limits
from palier.plant import (
    BYTES_PER_SAMPLE,
    Plant,
    PlantError,
    load_plant,
    load_sample_plant,
    parse_plant,
)

FILE = Path("plant.toml")

PLANT = """\
[site]
id = "s"
name = "Site"
timezone = "Africa/Casablanca"
[[machine]]
id = "M1"
kind = "pump"
speed = { source = "fixed", rpm = 1485 }
limits = "iso20816-3:g2:rigid"
[[machine.point]]
id = "1"
bearing = "6205"
[[machine.point.channel]]
id = "H"
quantity = "acceleration"
unit = "g"
fs_hz = 25600
samples = 102400
[[machine.point.channel]]
id = "N"
quantity = "speed"
unit = "r/min"
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(PlantError) as caught:
        parse_plant(text, file=FILE)
    return str(caught.value).splitlines()


def parsed(text: str) -> Plant:
    return parse_plant(text, file=FILE)


def test_the_sample_is_the_five_machines() -> None:
    plant = load_sample_plant()
    assert [m.id for m in plant.machines] == ["P-101", "C-201", "V-301", "L-401", "B-501"]
    limits = {(m.id, p.id): p.limits for m in plant.machines for p in m.points}
    assert limits == {
        ("P-101", "1"): "iso10816-7:cat2:over200kw",
        ("P-101", "2"): "iso10816-7:cat2:over200kw",
        ("C-201", "1"): "iso20816-3:g2:rigid",
        ("C-201", "2"): "iso20816-3:g2:rigid",
        ("C-201", "3"): None,
        ("V-301", "1"): "iso14694:bv3:rigid",
        ("V-301", "2"): "iso14694:bv3:rigid",
        ("L-401", "1"): "iso20816-3:g1:rigid",
        ("L-401", "2"): "iso20816-3:g1:rigid",
        ("B-501", "1"): None,
    }


def test_every_point_of_the_sample_has_vibration_and_temperature() -> None:
    for machine in load_sample_plant().machines:
        for point in machine.points:
            quantities = {c.quantity for c in point.channels}
            assert {Quantity.ACCELERATION, Quantity.TEMPERATURE} <= quantities
            rates = {c.fs_hz for c in point.channels if c.quantity is Quantity.ACCELERATION}
            assert rates == {51200.0 if machine.kind == "spindle" else 25600.0}


def test_a_machine_is_read_into_the_types_of_the_core() -> None:
    machine = parsed(PLANT).machine("M1")
    assert machine is not None
    assert (machine.speed_source, machine.speed_rpm, machine.criticality) == ("fixed", 1485.0, "B")
    point = machine.points[0]
    assert point.bearing == load_bearings()["6205"]
    assert (point.shaft_order, point.mounting, point.limits) == (1.0, "stud", "iso20816-3:g2:rigid")
    assert (point.channels[0].fs_hz, point.channels[0].n_samples, point.channels[1].fs_hz) == (
        25600.0,
        102400,
        None,
    )


def test_a_point_overrides_the_limits_of_its_machine() -> None:
    plant = parsed(PLANT.replace('bearing = "6205"', 'limits = "none"'))
    assert plant.machines[0].points[0].limits is None


def test_the_speed_may_come_from_a_channel() -> None:
    plant = parsed(PLANT.replace('"fixed", rpm = 1485', '"reading", channel = "1/N", rpm = 990'))
    assert (plant.machines[0].speed_channel, plant.machines[0].speed_rpm) == ("1/N", 990.0)


def test_a_bearing_may_be_given_by_orders_or_geometry() -> None:
    orders = '{ designation = "X", bpfo = 8.2, bpfi = 10.8, bsf = 3.6, ftf = 0.43 }'
    geometry = (
        '{ designation = "6205", rolling_elements = 9, '
        "element_diameter_mm = 7.938, pitch_diameter_mm = 39.04 }"
    )
    by_orders = parsed(PLANT.replace('"6205"', orders)).machines[0].points[0].bearing
    by_geometry = parsed(PLANT.replace('"6205"', geometry)).machines[0].points[0].bearing
    assert by_orders is not None
    assert by_orders.orders == (8.2, 10.8, 3.6, 0.43)
    assert by_geometry is not None
    assert by_geometry.orders == pytest.approx((3.585, 5.415, 2.357, 0.398), abs=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('id = "s"', 'id = "a b"', "plant.toml:2: id must be 1 to 64 of"),
        ('"Africa/Casablanca"', '"Casablanca"', "plant.toml:4: timezone must be a name like"),
        ('kind = "pump"', 'kind = "pmup"', "plant.toml:7: kind must be one of"),
        (
            'kind = "pump"',
            'knid = "pump"',
            "plant.toml:7: unknown key 'knid' in [machine] (did you mean \"kind\"",
        ),
        ('"fixed", rpm = 1485', '"fixed"', "plant.toml:8: rpm is missing in [machine.speed]"),
        ("rpm = 1485", "rpm = 0", "plant.toml:8: rpm must be above 0, got 0"),
        ('"fixed"', '"fixd"', "plant.toml:8: source must be one of"),
        (
            "g2:rigid",
            "g2:rigd",
            "plant.toml:9: unknown limits 'iso20816-3:g2:rigd' (did you mean \"iso20816-3:g2:rigid\"",
        ),
        (
            '"6205"',
            '"6025"',
            "plant.toml:12: unknown bearing '6025': the catalogue does not have it; a near number is another",
        ),
        ('bearing = "6205"', "bearing = {}", "plant.toml:12: designation is missing in [machine.point."),
        (
            'bearing = "6205"',
            'bearing = { designation = "x", rolling_elements = 9, element_diameter_mm = 8, '
            "pitch_diameter_mm = 39, contact_angle_deg = 120 }",
            "plant.toml:12: bearing x: the contact angle must be 0 or more and below 90 degrees, got 120",
        ),
        (
            'unit = "g"',
            'unit = "°C"',
            'plant.toml:16: the unit of acceleration must be one of "m/s²", "g"',
        ),
        (
            "fs_hz = 25600\n",
            "",
            "plant.toml:13: fs_hz is missing: an acceleration channel is sampled in blocks",
        ),
        ("samples = 102400", "samples = 1.5", "plant.toml:18: samples must be a whole number, got 1.5"),
        ('id = "N"', 'id = "H"', "plant.toml:20: duplicate channel id 'H', first used in line 14"),
        (
            'unit = "r/min"',
            'unit = "r/min"\nfs_hz = 1',
            "plant.toml:23: fs_hz must not be given: a speed channel",
        ),
        ("[[machine]]", "[[machin]]", "plant.toml:5: unknown key 'machin'"),
        (
            'bearing = "6205"',
            "demodulation_hz = [4000, 3000]",
            "plant.toml:12: demodulation_hz must be two frequencies in Hz that rise",
        ),
        (
            'bearing = "6205"',
            "demodulation_hz = [9000, 13000]",
            "plant.toml:12: demodulation_hz must lie below 10000 Hz",
        ),
        (
            'bearing = "6205"',
            'mounting = "magnet"\ndemodulation_hz = [3200, 4800]',
            "plant.toml:13: demodulation_hz must lie below 2000 Hz",
        ),
        ("samples = 102400", "samples = 102400\nusable_hz = 0", "plant.toml:19: usable_hz must be above 0"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, told: str) -> None:
    found = mistakes(PLANT.replace(old, new, 1))
    assert any(line.startswith(told) for line in found), found


def test_an_unknown_bearing_is_told_how_to_give_its_own_geometry() -> None:
    """The keys that it names are those that a table takes."""
    (found,) = mistakes(PLANT.replace('"6205"', '"6206"'))
    assert "6205" not in found
    for keys, values in (
        (
            "designation, rolling_elements, element_diameter_mm, pitch_diameter_mm, contact_angle_deg",
            ('"x"', "9", "7.9", "39.0", "0.0"),
        ),
        ("designation, bpfo, bpfi, bsf, ftf", ('"x"', "3.6", "5.4", "2.4", "0.4")),
    ):
        assert f"{{ {keys} }}" in found
        table = ", ".join(f"{key} = {value}" for key, value in zip(keys.split(", "), values, strict=True))
        assert parsed(PLANT.replace('"6205"', f"{{ {table} }}")).machines[0].points[0].bearing is not None


def test_all_mistakes_are_told_at_once() -> None:
    text = (
        PLANT.replace('id = "M1"', 'id = "M 1"').replace('"6205"', '"?"').replace('unit = "g"', 'unit = "V"')
    )
    assert [line.split(":")[1] for line in mistakes(text)] == ["6", "12", "16"]


def test_machines_and_points_have_ids_of_their_own() -> None:
    text = PLANT + PLANT[PLANT.index("[[machine]]") :]
    assert mistakes(text) == ["plant.toml:24: duplicate machine id 'M1', first used in line 6"]
    text = PLANT + PLANT[PLANT.index("[[machine.point]]") :]
    assert mistakes(text) == ["plant.toml:24: duplicate point id '1', first used in line 11"]


def test_a_speed_channel_must_be_there() -> None:
    (found,) = mistakes(PLANT.replace('"fixed", rpm = 1485', '"reading", channel = "1/H"'))
    assert found.startswith(
        "plant.toml:8: speed channel '1/H' must be POINT/CHANNEL of a channel of this machine"
    )


def test_a_block_must_fit_into_a_frame() -> None:
    most = (MAX_FRAME_BYTES - 4096) // BYTES_PER_SAMPLE
    assert parsed(PLANT.replace("102400", str(most))).machines
    (found,) = mistakes(PLANT.replace("102400", str(most + 1)))
    assert found.startswith("plant.toml:10: a block of point '1' (1 x ")
    assert found.endswith(f"at most {most} samples fit")


def test_channels_that_are_sampled_together_share_a_frame() -> None:
    text = PLANT.replace("102400", "600000")
    first = text[text.index("[[machine.point.channel]]") : text.rindex("[[machine.point.channel]]")]
    text += first.replace('id = "H"', 'id = "V"')
    assert "(2 x 600000 samples at 25600 Hz" in mistakes(text)[0]


def test_the_sites_own_limits_and_bearings_are_known(tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text(
        '[[bearing]]\ndesignation = "SPECIAL"\nsource = "maker"\nverified_by = "none"\n'
        "orders = { bpfo = 8.2, bpfi = 10.8, bsf = 3.6, ftf = 0.43 }\n",
        "utf-8",
    )
    path = tmp_path / "plant.toml"
    path.write_text(
        PLANT.replace('name = "Site"', 'name = "Site"\nlimits_file = "limits.toml"').replace(
            "6205", "SPECIAL"
        ),
        "utf-8",
    )
    plant = load_plant(path)
    assert plant.limits_file == tmp_path / "limits.toml"
    bearing = plant.machines[0].points[0].bearing
    assert bearing is not None
    assert bearing.designation == "SPECIAL"


def test_a_limits_file_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    path.write_text(PLANT.replace('name = "Site"', 'name = "Site"\nlimits_file = "limits.toml"'), "utf-8")
    with pytest.raises(PlantError, match=r"plant\.toml:4: limits_file must be a file beside the plant's"):
        load_plant(path)


def test_an_empty_plant_says_what_a_plant_needs() -> None:
    assert "plant.toml: [site] is missing" in mistakes("")
    assert any("[[machine]] is missing" in line for line in mistakes(""))


def test_temperature_limits_are_no_limits_of_a_point() -> None:
    """A point's limits are compared with its vibration."""
    name = next(row.id for row in load_limits().values() if row.quantity.startswith("temperature"))
    assert f"unknown limits {name!r}" in mistakes(PLANT.replace("iso20816-3:g2:rigid", name))[0]


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ("bpfo = 5.4, bpfi = 3.6, bsf = 2.4, ftf = 0.4", "bpfo must be above 0 and below bpfi"),
        ("bpfo = 3.6, bpfi = 5.4, bsf = 0.4, ftf = 2.4", "ftf, the turns of the cage, must be above 0 and"),
        ("bpfo = 3.6, bpfi = 5.4, bsf = 2.4, ftf = -1", "ftf must be above 0, got -1"),
    ],
)
def test_orders_that_changed_places_are_refused(orders: str, told: str) -> None:
    (mistake,) = mistakes(PLANT.replace('"6205"', f'{{ designation = "x", {orders} }}'))
    assert mistake.startswith(f"plant.toml:12: {told}")


def test_a_block_that_no_spectrum_can_be_made_of_is_refused() -> None:
    (mistake,) = mistakes(PLANT.replace("samples = 102400", "samples = 10"))
    assert mistake == "plant.toml:18: samples must be at least 16, got 10"
