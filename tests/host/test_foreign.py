"""What a PLC's plain Sparkplug gateway says of a machine is there when its vibration is judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.foreign import Foreign, inner_name
from palier.frames import QUALITY_BAD, QUALITY_GOOD, QUALITY_STALE
from palier.plant import Plant, PlantError, parse_plant
from palier.wire.payload import DataType
from tests.host.conftest import PLANT
from tests.support.gateway import waveform
from tests.support.host_at_hand import SECOND, T0, HostAtHand, host_at_hand
from tests.support.plc_gateway import PlcGateway

NODE = "usine/Automate n° 3"
FED = PLANT.replace(
    'id = "n"\nquantity = "speed"\nunit = "r/min"\n',
    'id = "n"\nquantity = "speed"\nunit = "r/min"\n'
    f'sparkplug = "{NODE}/Broche 1/Mesures/Vitesse"\nsparkplug_scale = 0.1\n\n'
    '[[machine.point.channel]]\nid = "m"\nquantity = "load"\nunit = "%"\n'
    f'sparkplug = "{NODE}//Charge ligne"\n',
).replace(
    'id = "t"\nquantity = "temperature"\nunit = "°C"\n',
    f'id = "t"\nquantity = "temperature"\nunit = "°C"\nsparkplug = "{NODE}/Pompe/Palier"\n',
)
TAGS: dict[tuple[str, str], tuple[DataType, Any]] = {
    ("", "Charge ligne"): (DataType.UINT8, 60),
    ("Broche 1", "Mesures/Vitesse"): (DataType.INT16, 12_000),
    ("Broche 1", "Marche"): (DataType.BOOLEAN, True),
    ("Pompe", "Palier"): (DataType.FLOAT, 55.5),
    ("Pompe", "Nom"): (DataType.STRING, "P-101"),
}


@pytest.fixture
def fed() -> Plant:
    return parse_plant(FED, file=Path("plant.toml"))


@pytest.fixture
def host(fed: Plant, tmp_path: Path) -> Iterator[HostAtHand]:
    with host_at_hand(fed, tmp_path) as host:
        yield host


@pytest.fixture
def plc(host: HostAtHand) -> PlcGateway:
    def publish(topic: str, data: bytes) -> None:
        host.message(topic, data)
        host.settle()

    return PlcGateway(publish, TAGS, node="Automate n° 3", clock_ms=lambda: host.now.plant_ns // 10**6)


def block(host: HostAtHand, seq: int) -> tuple[float, float]:
    """(speed in r/min, load in %) that a block of now is judged with."""
    host.link_s += 1
    host.frame(seq, waveform(host.now.plant_ns, machine="broche"))
    host.settle()
    speeds = host.committer._speeds
    frame = waveform(host.now.plant_ns, machine="broche")
    rpm = speeds.machine_rpm("usine", frame)
    return math.nan if rpm is None else rpm, speeds.load_percent("usine", frame)


def speed_of(host: HostAtHand) -> float:
    """What the last block was stored with."""
    table = host.stores.historian.read("feature", ["speed_rpm"], site="usine", machine="broche")
    return float(table.columns["speed_rpm"][-1])


def test_births_and_data_by_alias_attach_to_the_blocks_of_the_machine(
    host: HostAtHand, plc: PlcGateway
) -> None:
    plc.born()
    assert block(host, 1) == (1200.0, 60.0)
    assert speed_of(host) == 1200.0
    host.link_s += 10
    plc.say("Broche 1", {"Mesures/Vitesse": 14_800})
    plc.say("", {"Charge ligne": 80})
    assert block(host, 2) == (1480.0, 80.0)
    assert speed_of(host) == 1480.0
    table = host.stores.historian.read("reading", ["value", "unit"], site="usine", machine="broche")
    assert set(zip(table.point, table.channel, table.columns["unit"], strict=True)) == {
        ("p1", "n", "r/min"),
        ("p1", "m", "%"),
    }


def test_a_value_that_does_not_change_is_in_force_for_hours(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    host.link_s += 6 * 3600
    assert block(host, 1) == (1200.0, 60.0)
    host.link_s += 24 * 3600
    assert math.isnan(block(host, 2)[0])


@pytest.mark.parametrize("end", ["node", "device", "bad", "null", "away"])
def test_nothing_is_in_force_after_its_end(host: HostAtHand, plc: PlcGateway, end: str) -> None:
    plc.born()
    assert block(host, 1)[0] == 1200.0
    host.link_s += 1
    if end == "node":
        plc.die()
    elif end == "device":
        plc.device_dies("Broche 1")
    elif end == "bad":
        plc.say("Broche 1", {"Mesures/Vitesse": 12_000}, properties={"Quality": QUALITY_BAD})
    elif end == "null":
        plc.say("Broche 1", {"Mesures/Vitesse": None})
    else:
        host.pipeline.foreign.were_away()
        host.settle()
    rpm, load = block(host, 2)
    assert math.isnan(rpm)
    assert math.isnan(load) == (end in ("node", "away"))
    host.link_s += 1
    plc.born()
    assert block(host, 3) == (1200.0, 60.0)


def test_a_late_will_of_an_earlier_connection_ends_nothing(host: HostAtHand, plc: PlcGateway) -> None:
    plc.bd_seq = 4
    plc.born()
    plc.die(bd_seq=3)
    assert block(host, 1)[0] == 1200.0


def test_what_is_historical_is_stored_under_its_time_and_moves_nothing(
    host: HostAtHand, plc: PlcGateway
) -> None:
    plc.born()
    past_ms = T0 // 10**6 - 3_600_000
    plc.say("Broche 1", {"Mesures/Vitesse": 9_990}, at_ms=past_ms, historical=True)
    plc.say("Pompe", {"Palier": 140.0}, at_ms=past_ms, historical=True)
    assert block(host, 1)[0] == 1200.0
    table = host.stores.historian.read(
        "reading", ["value"], site="usine", machine="broche", end_ns=T0 - SECOND
    )
    assert table.ts_ns.tolist() == [past_ms * 10**6]
    assert host.committer.in_force.get(("usine", "pompe", "p1")) is None


def test_a_hot_bearing_that_only_the_plc_measures_is_judged(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    host.link_s += 60
    plc.say("Pompe", {"Palier": 120.0})
    table = host.stores.historian.read("state", ["state"], site="usine", machine="pompe")
    assert "danger" in table.columns["state"]


@pytest.mark.parametrize(
    ("told", "quality"),
    [(QUALITY_GOOD, True), (QUALITY_STALE, False), (QUALITY_BAD, False), (7, False), (True, False)],
)
def test_only_good_quality_counts(host: HostAtHand, plc: PlcGateway, told: int, quality: bool) -> None:
    plc.born()
    host.link_s += 1
    plc.say("Broche 1", {"Mesures/Vitesse": 15_000}, properties={"Quality": told})
    assert (block(host, 1)[0] == 1500.0) is quality


def test_a_plc_that_is_gone_makes_no_machine_unknown(host: HostAtHand, plc: PlcGateway) -> None:
    """A node whose device has a machine's name, too."""
    named = PlcGateway(
        plc.publish, {("pompe", "p1/x"): (DataType.DOUBLE, 1.0)}, node="autre", clock_ms=plc.clock_ms
    )
    named.born()
    host.frame(1, waveform(host.now.plant_ns))
    host.settle()
    named.die()
    host.link_s += 30
    host.settle()
    assert str(host.committer.in_force["usine", "pompe"].judgement.state) == "normal"


def test_a_node_is_heard_and_told_under_its_own_name(fed: Plant) -> None:
    foreign = Foreign(fed)
    assert foreign.edges == (f"usine/{inner_name('Automate n° 3')}",)
    assert foreign.topic("spBv1.0/usine/DDATA/Automate n° 3/Broche 1") is not None
    assert foreign.topic("spBv1.0/usine/DDATA/Automate n° 4/Broche 1") is None
    assert foreign.topic("spBv1.0/usine/NDATA/Automate n° 3/Broche 1") is None
    assert foreign.command_topic(foreign.edges[0]) == "spBv1.0/usine/NCMD/Automate n° 3"


def test_after_an_absence_the_nodes_that_feed_are_asked_for_their_births(host: HostAtHand) -> None:
    host.pipeline.foreign.were_away()
    assert host.pipeline.foreign.asked() == host.pipeline.foreign.edges
    assert host.pipeline.foreign.asked() == ()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('sparkplug = "usine/automate"', 'must be "group/node/device/metric"'),
        ('sparkplug = "usine//d/m"', 'must be "group/node/device/metric"'),
        ('sparkplug = "usine/a+/d/m"', "without + and #"),
        ('sparkplug = "g/n/d/m"\nsparkplug_scale = 0', "must not be 0"),
        ("sparkplug_scale = 2.0", 'sparkplug_scale needs sparkplug = "group/node/device/metric"'),
        ('sparkplug = "g/n/d/m"\nsparkplug_skale = 2.0', "unknown key 'sparkplug_skale'"),
    ],
)
def test_a_mistake_in_the_plant_is_told_with_its_line(line: str, sentence: str) -> None:
    text = PLANT.replace('id = "n"\nquantity = "speed"\n', f'id = "n"\nquantity = "speed"\n{line}\n')
    with pytest.raises(PlantError) as caught:
        parse_plant(text, file=Path("plant.toml"))
    assert sentence in str(caught.value)
    assert "plant.toml:" in str(caught.value)


def test_vibration_is_not_fed_by_a_plc() -> None:
    text = PLANT.replace('direction = "A"\n', 'direction = "A"\nsparkplug = "g/n/d/m"\n', 1)
    with pytest.raises(PlantError, match="vibration comes in blocks"):
        parse_plant(text, file=Path("plant.toml"))


def test_one_metric_feeds_several_machines() -> None:
    text = FED.replace("//Charge ligne", "/Broche 1/Mesures/Vitesse")
    foreign = Foreign(parse_plant(text, file=Path("plant.toml")))
    (fed,) = foreign.feeds(foreign.edges[0], inner_name("Broche 1")).values()
    assert [one.channel for one in fed] == ["p1/n", "p1/m"]


def test_whole_numbers_of_every_width_and_sign_come_as_they_are(host: HostAtHand) -> None:
    kinds = {"INT8": -100, "INT16": -30_000, "INT32": -2_000_000, "INT64": -(2**40), "UINT8": 200}
    kinds |= {"UINT16": 60_000, "UINT32": 4_000_000_000, "UINT64": 2**40, "FLOAT": 1.5, "DOUBLE": -2.5}
    tags = {("pompe", f"p1/{name}"): (DataType[name], 0) for name in kinds}
    plc = PlcGateway(host.message, tags, node="autre", clock_ms=lambda: host.now.plant_ns // 10**6)
    plc.born()
    plc.say("pompe", {f"p1/{name}": value for name, value in kinds.items()})
    host.settle()
    table = host.stores.historian.read("reading", ["value"], site="usine")
    assert dict(zip(table.channel, table.columns["value"].tolist(), strict=True)) == kinds


def test_what_the_plant_does_not_name_is_kept_where_it_is_good(host: HostAtHand) -> None:
    tags = {("pompe", "p1/x"): (DataType.DOUBLE, 0.0)}
    plc = PlcGateway(host.message, tags, node="autre", clock_ms=lambda: host.now.plant_ns // 10**6)
    plc.born()
    for value, quality in ((1.0, QUALITY_BAD), (2.0, QUALITY_GOOD), (3.0, QUALITY_STALE)):
        host.link_s += 1
        plc.say("pompe", {"p1/x": value}, properties={"Quality": quality})
    host.settle()
    table = host.stores.historian.read("reading", ["value"], site="usine")
    assert table.columns["value"].tolist() == [2.0]


def test_no_reading_comes_of_a_metric_that_the_plant_does_not_name(host: HostAtHand, plc: PlcGateway) -> None:
    plc.born()
    plc.say("Pompe", {"Nom": "P-102"})
    table = host.stores.historian.read("reading", ["value"], site="usine")
    assert set(table.machine) == {"pompe", "broche"}
