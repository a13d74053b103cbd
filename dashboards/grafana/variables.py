"""The variables of the dashboards: what a person chooses at their top, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from models.detection.zones import LimitSet
from models.types import Bearing

from . import queries as q
from .sdk import INFLUXDB, data_source, models
from .words import Words

RAW_UID: Final = "palier"
HOURLY_UID: Final = "palier_hourly"
"""The data sources as they are provisioned and pushed; another one can be chosen in the dashboard."""

CONSOLE_URL: Final = "http://127.0.0.1:8080"
"""Where the page is unless `build` is told otherwise."""

ALL: Final = "$__all"

SILENCES: Final = ("15m", "1h", "6h", "24h")
"""After how long without a state a machine can be called silent; slow machines speak each hour."""

SILENT: Final = "6h"
"""What the page, too, takes for the longest silence."""

TEMPERATURES: Final = "temperature_c"
"""The quantity of limit sets for the temperature of a bearing housing."""


def raw(words: Words) -> models.VariableModel:
    """The data source of the series as they were written."""
    return _source("raw", words("variable.raw"), "/^palier(?!.*hourly)/i", RAW_UID)


def hourly(words: Words) -> models.VariableModel:
    """The data source of the hourly series."""
    return _source("hourly", words("variable.hourly"), "/^palier.*hourly/i", HOURLY_UID)


def console(url: str) -> models.VariableModel:
    """The address of the page, for the links to it."""
    return models.VariableModel(
        type_val=models.VariableType.CONSTANT,
        name="console",
        hide=models.VariableHide.HIDE_VARIABLE,
        skip_url_sync=True,
        query=url,
        current=models.VariableOption(selected=True, text=url, value=url),
        options=[models.VariableOption(selected=True, text=url, value=url)],
    )


def sites(words: Words, of: Sequence[str] = ("state",), *, several: bool = True) -> models.VariableModel:
    """Which sites; all of them unless the dashboard is of one machine."""
    return _tag(words, "site", q.tag_values(of, "site"), several=several)


def machine(words: Words) -> models.VariableModel:
    """One machine of the site."""
    return _tag(words, "machine", q.tag_values(("state",), "machine", q.SITE))


def machines(words: Words) -> models.VariableModel:
    """Some machines of the sites."""
    return _tag(words, "machine", q.tag_values(("state",), "machine", q.SITE), several=True)


def point(words: Words) -> models.VariableModel:
    """One point of the machine that has vibration."""
    return _tag(words, "point", q.tag_values(("feature",), "point", q.SITE, q.MACHINE))


def channel(words: Words) -> models.VariableModel:
    """One vibration channel of the point."""
    return _tag(words, "channel", q.tag_values(("feature",), "channel", q.SITE, q.MACHINE, q.POINT))


def gateways(words: Words) -> models.VariableModel:
    """Some gateways; in the ledger they stand in the place of machines."""
    return _tag(words, "gateway", q.tag_values(("ledger",), "machine", q.SITE), several=True)


def silence(words: Words) -> models.VariableModel:
    """How old a state may be before the machine counts as silent."""
    return _choice("silent", words("variable.silent"), {value: value for value in SILENCES}, SILENT)


def limits(words: Words, limit_sets: Iterable[LimitSet]) -> models.VariableModel:
    """The limits in force at the point, by name; not those of a temperature that spoke last."""
    of_temperature = sorted({one.id.split(":")[0] for one in limit_sets if one.quantity == TEMPERATURES})
    statement = q.select(
        f"last({q.field('state', 'limit_name')})",
        "state",
        q.SITE,
        q.MACHINE,
        q.POINT,
        "\"limit_name\" != ''",
        f'"limit_name" !~ /^({"|".join(of_temperature)}):/',
        q.KEPT,
    )
    return _found(words, "limits", statement)


def thermal(words: Words, limit_sets: Iterable[LimitSet]) -> models.VariableModel:
    """Which limits are drawn behind temperatures: greased bearings, unless a spindle is looked at."""
    ids = [one.id for one in limit_sets if one.quantity == TEMPERATURES]
    known = {one: f"limits.{one.replace(':', '_')}" for one in ids}
    named = {one: words(key) if key in words else one for one, key in known.items()}
    return _choice("thermal", words("variable.thermal"), named, ids[0])


def block(words: Words) -> models.VariableModel:
    """The newest block of the period that a spectrum was kept of."""
    statement = q.select(
        f"last({q.field('spectrum', 'frame')})",
        "spectrum",
        q.SITE,
        q.MACHINE,
        q.POINT,
        q.CHANNEL,
        q.IN_RANGE,
    )
    return _found(words, "block", statement, hide=models.VariableHide.HIDE_VARIABLE)


def speed(words: Words) -> models.VariableModel:
    """The speed of rotation of that block, r/min; another can be typed in."""
    statement = q.select(
        f"last({q.field('feature', 'speed_rpm')})",
        "feature",
        q.SITE,
        q.MACHINE,
        q.POINT,
        q.CHANNEL,
        q.OF_BLOCK,
        q.IN_RANGE,
    )
    return _found(words, "rpm", statement)


def bearing(words: Words, bearings: Iterable[Bearing]) -> models.VariableModel:
    """Which rolling bearing's lines are marked in the spectra."""
    names = {q.text_of(b.designation)[1:-1]: b.designation for b in bearings}
    return _choice(
        "bearing", words("variable.bearing"), {"none": words("variable.no_bearing"), **names}, "none"
    )


def _source(name: str, label: str, regex: str, uid: str) -> models.VariableModel:
    return models.VariableModel(
        type_val=models.VariableType.DATASOURCE,
        name=name,
        label=label,
        query=INFLUXDB,
        regex=regex,
        refresh=models.VariableRefresh.ON_DASHBOARD_LOAD,
        current=models.VariableOption(selected=True, text=uid, value=uid),
        options=[],
        allow_custom_value=False,
    )


def _tag(words: Words, name: str, statement: str, *, several: bool = False) -> models.VariableModel:
    every = models.VariableOption(selected=True, text=[words("variable.all")], value=[ALL])
    return models.VariableModel(
        type_val=models.VariableType.QUERY,
        name=name,
        label=words(f"variable.{name}"),
        datasource=data_source(q.RAW),
        query=statement,
        refresh=models.VariableRefresh.ON_DASHBOARD_LOAD,
        sort=models.VariableSort.NATURAL_ASC,
        multi=several,
        include_all=several,
        # Matches an empty tag too, and is not made of the values: a new machine is in it at once.
        all_value=".*" if several else None,
        current=every if several else None,
        options=[],
        allow_custom_value=False,
    )


def _found(
    words: Words, name: str, statement: str, hide: models.VariableHide = models.VariableHide.DONT_HIDE
) -> models.VariableModel:
    """A variable that follows from the others: the one value that its statement finds."""
    return models.VariableModel(
        type_val=models.VariableType.QUERY,
        name=name,
        label=words(f"variable.{name}"),
        hide=hide,
        datasource=data_source(q.RAW),
        query=statement,
        refresh=models.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=models.VariableSort.DISABLED,
        options=[],
    )


def _choice(name: str, label: str, texts: Mapping[str, str], default: str) -> models.VariableModel:
    """A list to choose from: values and what they are called."""
    options = [
        models.VariableOption(selected=value == default, text=text, value=value)
        for value, text in texts.items()
    ]
    return models.VariableModel(
        type_val=models.VariableType.CUSTOM,
        name=name,
        label=label,
        query=", ".join(f"{_escaped(text)} : {value}" for value, text in texts.items()),
        current=next(option for option in options if option.selected),
        options=options,
        allow_custom_value=False,
    )


def _escaped(text: str) -> str:
    """A comma would start the next option."""
    return text.replace(",", r"\,")
