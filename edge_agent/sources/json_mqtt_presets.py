"""Presets: devices whose messages are known, as data files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final

from palier.strict_toml import did_you_mean

NAMES: Final = ("ifm", "esphome")
_FROM_SENSOR: Final = ("unit", "scale", "low", "high")


@cache
def preset(name: str) -> dict[str, Any]:
    """The content of a preset's file. ValueError for a name that there is not."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES) or f" (known: {', '.join(NAMES)})"
        raise ValueError(f"there is no preset {name!r}{hint}")
    text = (resources.files("edge_agent") / "sources" / "presets" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def with_preset(row: Mapping[str, object], where: str) -> dict[str, object]:
    """A row with what its preset says where the row does not. ValueError with a sentence naming the row."""
    name = row.get("preset")
    if name is None:
        return dict(row)
    try:
        known = preset(str(name))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    for variable in known["variables"]:
        if variable not in row:
            raise ValueError(f"{where}: preset {name!r} needs {variable}")
    told: dict[str, object] = {
        key: known[key]
        for key in ("topic", "path", "code_path", "code", "status_topic", "offline")
        if key in known
    }
    if "sensor" in known:
        told |= _of_sensor(known, row, where)
    return {**told, **row}


def _of_sensor(known: Mapping[str, Any], row: Mapping[str, object], where: str) -> dict[str, object]:
    sensors = known["sensor"]
    sensor, value = str(row["sensor"]), str(row["measure"])
    if sensor not in sensors:
        hint = did_you_mean(sensor, sensors) or f" (known: {', '.join(sensors)})"
        raise ValueError(f"{where}: the preset has no sensor {sensor!r}{hint}; give path and hex instead")
    values = sensors[sensor]["value"]
    if value not in values:
        hint = did_you_mean(value, values) or f" (known: {', '.join(values)})"
        raise ValueError(f"{where}: sensor {sensor} has no measure {value!r}{hint}")
    found = values[value]
    decode = {**found["hex"], "bytes": sensors[sensor]["bytes"]}
    if found["hex"]["type"] == "int16":
        decode["reserved"] = known["reserved"]
    return {"hex": decode, **{key: found[key] for key in _FROM_SENSOR if key in found}}
