"""`palier agent --check` tells all that is wrong in one pass: each source, each mistake of one source."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.__main__ import main
from edge_agent.opening import SourceError, open_all, open_source
from edge_agent.settings import SourceSettings
from palier.clock import PlantClock
from palier.table_mistakes import TableError, TableMistakes
from tests.support.services import free_port

HEAD = 'site = "usine"\nnode = "p1"\ndata = "d"\n[broker]\nport = {}\n'
ROW = {"machine": "P-101", "point": "2", "channel": "T", "unit": "°C"}
PLACE = {"machine": "P-101", "point": "2"}


def failed(folder: Path, text: str, capsys: pytest.CaptureFixture[str], code: int = 1) -> list[str]:
    """The lines that say FAILED, without the one of the broker, which nobody started."""
    config = folder / "agent.toml"
    config.write_text(HEAD.format(free_port()) + text)
    assert main(["--config", str(config), "--check"]) == code
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if line.startswith("FAILED") and "the broker can't be reached" not in line]


def test_a_missing_device_a_missing_unit_and_a_bad_scale_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = failed(
        tmp_path,
        '[[source]]\ntype = "w1"\nevery_s = 0\ncolour = "red"\n'
        '[[source.value]]\nmachine = "P-101"\npoint = "2"\nchannel = "T"\nscale = 0\n'
        'sensor = "28-0316a2794fff"\n'
        '[[source.value]]\nmachine = "P-101"\nchannel = "U"\nunit = "°C"\nlow = 9\nhigh = 1\nsensor = "x"\n',
        capsys,
    )
    assert [mistake for mistake in EVERY_ONE_OF_W1 if not any(mistake in line for line in told)] == []
    assert len(told) == len(EVERY_ONE_OF_W1)


EVERY_ONE_OF_W1 = (
    "w1: unknown key 'colour'",
    "value 1 (P-101 2/T): unit is missing",
    "value 1 (P-101 2/T): scale must not be 0",
    "value 2: point is missing",
    "value 2: low must be below high, got 9 and 1",
    "sensor must be the name of a folder",
    "every_s must be a number of seconds",
    "thermometer 28-0316a2794fff",  # is missing
)


def test_every_source_is_looked_at_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = failed(
        tmp_path,
        '[[source]]\ntype = "iis3dwb"\nspi = "9.9"\nrange_g = 3\nmounting = 1\npoint = "2"\n'
        "[source.plan]\nh_s = 9\nh_every_s = 0\ncolour = 1\n"
        '[[source]]\ntype = "iis3dwb"\nspi = "9.9"\nmachine = "P-102"\npoint = "2"\n'
        '[[source]]\ntype = "nothing"\n',
        capsys,
    )
    expected = (
        "source 'iis3dwb': range_g must be one of",
        "source 'iis3dwb': mounting must be text",
        "source 'iis3dwb': machine must be given",
        "source 'iis3dwb': plan: unknown key 'colour'",
        "source 'iis3dwb': plan: h_every_s must be a number above 0",
        "source 'iis3dwb': ",  # no such bus, or no library
        "source 'iis3dwb-2': ",
        "a source's type must be one of",
        "spi 9.9 is taken by source iis3dwb",
    )
    assert [one for one in expected if not any(one in line for line in told)] == []
    assert len(told) == len(expected)


def test_mistakes_of_the_file_itself_hide_none_of_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = failed(
        tmp_path,
        'colour = "red"\n[[source]]\ntype = "w1"\n[[source]]\ntype = "replay"\nrate = -1\n',
        capsys,
        code=2,
    )
    assert any("source 'w1': at least one [[source.value]] is needed" in line for line in told)
    assert any("source 'replay': rate must be a number" in line for line in told)
    assert any("source 'replay': file is missing" in line for line in told)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (
            "adxl345",
            {"rate_hz": 7, "speed_rpm": -1},
            ["either spi", "rate_hz", "machine", "point", "speed_rpm"],
        ),
        ("adxl345", {"i2c": -1, "address": 3, **PLACE}, ["i2c must be", "address must be"]),
        ("adxl355", {"spi": 1, "spi_hz": 1, "gain": 3, **PLACE}, ["spi must be", "spi_hz", "gain must be"]),
        ("mcc172", {"inputs": [7], "iepe": 1, "fs_hz": 1e9, **PLACE}, ["inputs", "iepe", "fs_hz", "sensit"]),
        ("audio", {"inputs": [], "unit": "V", **PLACE}, ["device", "inputs", "full_scale", "unit"]),
        ("iio", {"fs_hz": 0, "elements": 1, "gain": "x", **PLACE}, ["device", "fs_hz", "elements"]),
        (
            "max31865",
            {"value": [{**ROW, "spi": "0.0", "wires": 9, "zero_ohm": 0}, {**ROW, "spi": "x"}]},
            ["wires", "zero_ohm", "is channel P-101 2/T", "spi must be"],
        ),
        (
            "modbus",
            {
                "host": "h",
                "port": 0,
                "baud": 9600,
                "gap": -1,
                "slow": {"x": 1},
                "value": [{**ROW, "type": "int9"}],
            },
            [
                "port",
                "baud must not be given",
                "gap",
                "slow names slave 'x'",
                "register is missing",
                "type must be",
            ],
        ),
        (
            "opcua",
            {"security": "x", "queue": 0, "every_s": 0, "value": [{**ROW, "node_id": "?"}]},
            ["url is missing", "security must be", "queue", "every_s", "node_id"],
        ),
        (
            "json_mqtt",
            {"host": "h", "port": 0, "silent_s": 0, "value": [{**ROW, "path": 1, "time_unit": "h"}]},
            [
                "port must be",
                "tls_ca_file must name",
                "silent_s",
                "path must be text",
                "time_unit",
                "topic is",
            ],
        ),
        ("replay", {"fs_hz": 0, "repeat": 1, "colour": 1}, ["file is missing", "fs_hz", "repeat", "colour"]),
        ("simulated", {"seed": -1, "interval_s": 0, "scenario": 1}, ["seed", "interval_s", "scenario"]),
        (
            "simulated",
            {"machines": ["A", "B"], "scenario": "x"},
            ["machine 'A'", "machine 'B'", "scenario must"],
        ),
        ("simulated_history", {"first": 1, "seed": -1}, ["first must be", "seed", "origin_s"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_source_tells_all_mistakes_of_its_table(
    kind: str, options: dict[str, object], expected: list[str]
) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(SourceSettings(kind, options), PlantClock())
    told = refused.value.sentences
    assert [one for one in expected if not any(one in sentence for sentence in told)] == []
    assert len(told) == len(expected)


@pytest.mark.parametrize(
    ("kind", "key"), [("max31855", "reads"), ("max31855", "curve"), ("json_mqtt", "time_unit")]
)
@pytest.mark.parametrize("value", [["K"], {"a": 1}], ids=["list", "table"])
def test_a_list_or_a_table_for_a_word_is_a_mistake_of_the_table(kind: str, key: str, value: object) -> None:
    """Neither can be looked up in a set: the agent fell over it at its start."""
    row = {**ROW, "spi": "0.1"} if kind == "max31855" else {**ROW, "topic": "a", "path": "b"}
    with pytest.raises(SourceError, match=f"{key} must be"):
        open_source(SourceSettings(kind, {"value": [{**row, key: value}]}), PlantClock())


def test_the_agent_itself_names_all_of_them_when_it_does_not_start() -> None:
    sources = [SourceSettings("w1", {}, "w1"), SourceSettings("replay", {"rate": -1}, "replay")]
    with pytest.raises(SourceError) as refused:
        open_all(sources, PlantClock())
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "source 'w1'",
        "source 'replay'",
        "source 'replay'",
    ]


def test_a_part_of_a_table_begins_each_sentence_with_its_name() -> None:
    found = TableMistakes()
    inner = TableMistakes()
    inner.note("a must be b")
    with pytest.raises(TableError) as several:
        inner.refuse()
    found.of("row 1").note(several.value)
    found.of("row 1").note(several.value)
    with pytest.raises(TableError, match="row 1: a must be b") as refused:
        found.refuse()
    assert refused.value.sentences == ("row 1: a must be b",)
