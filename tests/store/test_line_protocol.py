"""Line protocol: as an encoder of one field at a time says it, and as InfluxDB gives it back."""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palier.historian import line_protocol
from palier.historian.base import Rows, SchemaError
from palier.historian.checking import LAST_NS, check
from palier.historian.line_protocol import encode
from palier.historian.schema import MEASUREMENTS, Field, Measurement, measurement
from tests.support.influxd import Influxd, running_influxd
from tests.support.stores import Columns, readings, rows

orjson = pytest.importorskip("orjson", reason="needs orjson: pip install '.[influx]'")

HOSTILE_TEXTS = (
    *("", " ", "a\nb", "\n", "\r\n", "\t", "end\\", "\\", "\\\\", '"', '\\"', "\\n", "a\\\nb", "a,b=c d"),
    *('zone="x",y=3i 12', "\n#comment\nfeature a=1", 'a="b\nc', "é€😀", "nul\0in", "\0", "\x01\x1f\x7f\x85"),
    *(
        "\u2028\u2029",
        "\ufeffbom",
        "\ufffd\uffff",
        "<&>'",
        "null",
        "usine/gw-1:0123456789abcdef:1",
        "é" * 32_767,
    ),
)
EXTREMES = (
    *(0.0, -0.0, 0.1, 1.5, -3.25, 1e16, 1e17, 1e21, 1e-5, 1e-7, 123_456_789.0, 2.0**53, 2.0**53 + 2),
    *(1e38, -1e38, 3.402_823_466_385_288_6e38, 1.175_494_4e-38, 1e-45, 5e-324, 2.2e-308, 1.797e308),
    *(float("nan"), float("inf"), float("-inf")),
)
INTS = (0, 1, -1, 7, 2**53, -(2**53), float("nan"))
TIMES = (0, 1, -1, 1_700_000_000_123_456_789, LAST_NS, -LAST_NS)

names = st.sampled_from(["usine", "Pompe-1", "a.b_c-d", "0", "n" * 64])
floats = st.sampled_from(EXTREMES) | st.floats() | st.floats(width=32)
texts = st.none() | st.sampled_from(HOSTILE_TEXTS[:-1]) | st.text(st.characters(codec="utf-8"), max_size=12)


def test_the_reference_itself() -> None:
    fields: Columns = {"value": np.array([0.1, np.nan]), "unit": ['"€"', None], "frame": ["a/b:e:1", None]}
    head = "reading,site=usine,machine=pompe-1,point=palier-1"
    assert [by_hand(row).decode() for row in split(rows("reading", [10, 20], fields, channel=""))] == [
        f'{head} frame="a/b:e:1",unit="\\"€\\"",value=0.1 10',
        f'{head} frame="",unit="" 20',
    ]


def split(batch: Rows) -> Iterator[Mapping[str, object]]:
    """Row by row, as dicts of tags, `ts` and fields; the measurement under ''."""
    for i in range(len(batch)):
        fields = {name: column[i] for name, column in batch.fields.items()}
        tags = {tag: getattr(batch, tag)[i] for tag in ("site", "machine", "point", "channel")}
        yield {"": batch.measurement, **tags, "ts": int(batch.ts_ns[i]), **fields}


def by_hand(row: Mapping[str, object]) -> bytes:
    """The line of one row, a field at a time."""
    table = measurement(str(row[""]))
    line = table.name
    for tag in ("site", "machine", "point", "channel"):
        if row[tag]:
            line += f",{tag}={row[tag]}"
    found = {field.name: field_by_hand(field, row) for field in table.fields}
    written = {name: value for name, value in found.items() if value is not None}
    shift = shift_by_hand(table, row)
    first = [name for name in written if name == table.always]
    text = [name for name in written if table.field(name).type == "text" and name != table.always]
    number = [name for name in written if table.field(name).type != "text"]
    line += " " + ",".join(f"{name}={written[name]}" for name in (*first, *text, *number))
    if table.key_extra:
        line += f",shift_ns={shift}i"
    return f"{line} {int(str(row['ts'])) + shift}".encode()


def field_by_hand(field: Field, row: Mapping[str, object]) -> str | None:
    """The value of a field as it is written, None where it is left out."""
    table = measurement(str(row[""]))
    if field.name not in row:
        return '""' if field.name == table.always else None
    value = row[field.name]
    if field.type == "text":
        return '"' + "".join("\\" + c if c in '"\\' else c for c in str(value or "")) + '"'
    number = float(str(value))
    with np.errstate(over="ignore"):
        known = np.float32(number) if field.single else np.float64(number)
    if not np.isfinite(known):
        return None
    if field.type == "int":
        return f"{int(number)}i"
    return str(orjson.dumps(known, option=orjson.OPT_SERIALIZE_NUMPY).decode())


def shift_by_hand(table: Measurement, row: Mapping[str, object]) -> int:
    """Nanoseconds that the key beyond the tags moves the time by."""
    if not table.key_extra:
        return 0
    keys = [row[name] for name in table.key_extra]
    shifts = [zlib.crc32(k.encode()) % 1_000_000 if isinstance(k, str) else int(float(str(k))) for k in keys]
    return shifts[0] if len(shifts) == 1 else sum(shifts) % 1_000_000


@st.composite
def batches(draw: st.DrawFn) -> Rows:
    """Rows of any measurement that all pass the check, with some of its fields."""
    table = draw(st.sampled_from(list(MEASUREMENTS.values())))
    n = draw(st.integers(0, 7))

    def column(of: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(of, min_size=n, max_size=n))

    chosen = [field for field in table.fields if field.name in table.key_extra or draw(st.booleans())]
    fields = {field.name: values(field, table, column) for field in chosen}
    site, machine = column(names), column(names)
    point, channel = column(st.just("") | names), column(st.just("") | names)
    times = np.array(column(st.sampled_from(TIMES) | st.integers(-LAST_NS, LAST_NS)), dtype=np.int64)
    return Rows(table.name, site, machine, point, channel, times, fields)


def values(
    field: Field, table: Measurement, column: Callable[[st.SearchStrategy[Any]], list[Any]]
) -> npt.NDArray[np.generic] | list[str | None]:
    in_key = field.name in table.key_extra
    if field.type == "text":
        return column(texts.filter(lambda text: text is not None) if in_key else texts)
    if field.type == "int":
        return np.array(
            column(st.integers(0, 999_999) if in_key else st.sampled_from(INTS)), dtype=np.float64
        )
    return np.array(column(floats), dtype=np.float64)


@settings(max_examples=300, deadline=None)
@given(batches())
def test_every_row_is_the_line_that_is_made_of_it_alone(batch: Rows) -> None:
    checked = check(batch)
    assert len(checked) == len(batch)
    assert encode(checked) == [by_hand(row) for row in split(batch)]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0], ids=["all", "each row others", "none"])
def test_a_large_batch_of_wide_rows_is_encoded_as_its_rows_are(share: float) -> None:
    batch = wide(3 * line_protocol.NUMBERS_AT_ONCE // 40 + 1, unknown=share)
    assert encode(check(batch)) == [by_hand(row) for row in split(batch)]


def wide(n: int, *, unknown: float, seed: int = 1) -> Rows:
    """Rows of 40 features, of which a share is not known."""
    rng = np.random.default_rng(seed)
    table = rng.lognormal(0, 5, (n, 40))
    table[rng.random(table.shape) < unknown] = np.nan
    fields: Columns = {field.name: table[:, i] for i, field in enumerate(measurement("feature").fields[:40])}
    return rows("feature", range(n), {**fields, "zone": ["A"] * n})


def test_lines_are_those_of_the_good_rows_in_their_order() -> None:
    batch = readings([3, 2, 1, 4], [1.0, 2.0, 3.0, 4.0])
    bad = replace(batch, machine=["a", "not a name", "b", "c"])
    checked = check(bad)
    assert list(checked.index) == [0, 2, 3]
    assert [line.rpartition(b" ")[2] for line in encode(checked)] == [b"3", b"1", b"4"]


def test_no_row_is_no_line() -> None:
    assert encode(check(readings([], []))) == []


def test_a_row_of_which_nothing_is_known_still_has_the_field_that_is_always_there() -> None:
    for table in MEASUREMENTS.values():
        key: Columns = {
            name: ["7"] if table.field(name).type == "text" else np.ones(1) for name in table.key_extra
        }
        (line,) = encode(check(rows(table.name, [5], key)))
        assert f" {table.always}=".encode() in line


def test_the_type_of_a_field_never_changes() -> None:
    """A whole number stays a float where the schema says so: the server refuses a field of two types."""
    fields = [(table, field) for table in MEASUREMENTS.values() for field in table.fields]
    assert not {f"{table.name}.{field.name}" for table, field in fields if not keeps_its_type(table, field)}


def keeps_its_type(table: Measurement, field: Field) -> bool:
    key: dict[str, Any] = {
        name: ["7"] if table.field(name).type == "text" else np.ones(1) for name in table.key_extra
    }
    value: Any = ["3"] if field.type == "text" else np.array([3.0])
    (line,) = encode(check(rows(table.name, [5], {**key, field.name: value})))
    pattern = {"text": '"3"', "int": "3i", "float": r"3\.0"}[field.type]
    return re.search(rf"[ ,]{field.name}={pattern}[ ,]", line.decode()) is not None


def test_names_of_the_schema_need_no_escaping() -> None:
    for table in MEASUREMENTS.values():
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in (table.name, *table.names))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_single_has_the_fewest_digits_that_give_it_back(value: float) -> None:
    field = measurement("feature").fields[0]
    (line,) = encode(check(rows("feature", [1], {field.name: np.array([value])})))
    text = line.decode().partition(f",{field.name}=")[2].partition(" ")[0]
    assert np.float32(text) == np.float32(value)
    assert digits(text) <= digits(np.format_float_scientific(np.float32(value), unique=True))


def digits(number: str) -> int:
    return len(number.partition("e")[0].replace("-", "").replace(".", "").strip("0"))


def test_without_orjson_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "orjson", None)
    with pytest.raises(SchemaError, match=re.escape(".[influx]")):
        encode(check(readings([1], [1.0])))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with running_influxd(tmp_path_factory.mktemp("influxd")) as running:
        running.query("CREATE DATABASE test")
        yield running


def stored(server: Influxd, name: str) -> list[dict[str, Any]]:
    """All rows of a measurement, with their tags, in order of time."""
    _, body = server.query(f'SELECT * FROM "{name}"', "test")
    (series,) = json.loads(body, parse_int=str, parse_float=str)["results"][0]["series"]
    return [dict(zip(series["columns"], values, strict=True)) for values in series["values"]]


@pytest.mark.parametrize("table", MEASUREMENTS.values(), ids=lambda table: table.name)
def test_the_server_gives_back_what_was_written(server: Influxd, table: Measurement) -> None:
    batch = hostile(table)
    status, said = server.write(b"\n".join(encode(check(batch))), "test")
    assert (status, said) == (204, "")
    found = sorted(
        stored(server, table.name), key=lambda row: int(row["time"]) - int(row.get("shift_ns") or 0)
    )
    assert len(found) == len(batch)
    for row, back in zip(split(batch), found, strict=True):
        assert int(back["time"]) - int(back.get("shift_ns") or 0) == row["ts"]
        assert (back["site"], back["machine"]) == (row["site"], row["machine"])
        assert (back.get("point") or "", back.get("channel") or "") == (row["point"], row["channel"])
        for field in table.fields:
            assert same(field, row[field.name], back.get(field.name)), (field.name, row[field.name])


def hostile(table: Measurement) -> Rows:
    """A row for each hostile text, with the extremes of every type in turn."""
    n = len(HOSTILE_TEXTS)
    turns = np.arange(n)
    fields: dict[str, Any] = {}
    for k, field in enumerate(table.fields):
        if field.name in table.key_extra and field.type == "int":
            fields[field.name] = turns * 30_000
        elif field.type == "text":
            fields[field.name] = [HOSTILE_TEXTS[(i + k) % n] for i in range(n)]
        else:
            of = np.array(EXTREMES if field.type == "float" else INTS)
            fields[field.name] = of[(turns + k) % len(of)]
    some = ["", "a.b-c_d"]
    return Rows(
        table.name, ["usine"] * n, ["m"] * n, [some[i % 2] for i in turns], [some[i // 2 % 2] for i in turns],
        turns.astype(np.int64) * 10**9, fields,
    )  # fmt: skip


def same(field: Field, written: Any, back: str | None) -> bool:
    """Whether a value came back; a text that is not known as ""."""
    if field.type == "text":
        return back == (written or "")
    if field.type == "int":
        return back is None if np.isnan(written) else int(back or "") == int(written)
    with np.errstate(over="ignore"):
        known = np.float32(written) if field.single else np.float64(written)
    if not np.isfinite(known):
        return back is None
    return back is not None and type(known)(back) == known
