"""The InfluxQL of all panels: what is asked of each series, as text with Grafana's macros and variables.

`$timeFilter` and `$__interval` are Grafana's; variables are always written with a format of their own
(`${machine:regex}`), so that dots in names, several values and "all" work whatever the variable allows.
Names of measurements and fields are checked against the historian's schema when a query is made.
Times of spectra, envelopes, events and ledger lines are shifted by less than a millisecond, which is the
resolution that Grafana reads times in: no panel sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from models.types import BEARING_DEFECTS, Bearing, State
from palier.historian.schema import RAW_DAYS, measurement

RAW: Final = "${raw}"
HOURLY: Final = "${hourly}"
"""The data sources of a panel, by variable."""

SITE: Final = '"site" =~ /^${site:regex}$/'
MACHINE: Final = '"machine" =~ /^${machine:regex}$/'
POINT: Final = '"point" =~ /^${point:regex}$/'
CHANNEL: Final = '"channel" =~ /^${channel:regex}$/'
GATEWAY: Final = '"machine" =~ /^${gateway:regex}$/'
OF_MACHINE: Final = "\"point\" = ''"
OF_POINTS: Final = "\"point\" != ''"
IN_RANGE: Final = "$timeFilter"
KEPT: Final = f"time > now() - {RAW_DAYS}d"
"""Everything there is: for what holds until it changes, whatever period is looked at."""

FRESH: Final = "time > now() - ${silent:raw}"
"""Not older than what the variable `silent` calls silence."""

EVERY: Final = "time($__interval)"
MACHINES: Final = ("site", "machine")
POINTS: Final = ("site", "machine", "point")
CHANNELS: Final = ("point", "channel")

ALARM: Final = "alarm"
INTERVENTION: Final = "intervention"
VERDICT: Final = "verdict"
BASELINE: Final = "baseline"
"""Kinds of event: an alarm's life (ISA-18.2), what people did to a machine, what they found of an alarm to be
true, and how far a machine's baseline is."""

OF_BLOCK: Final = "\"frame\" = '${block:raw}'"
"""The lines of one block: those of the newest one, which the variable `block` finds."""

HARMONICS: Final = 5
"""Harmonics of a defect that are marked: enough to see a comb."""

ASIDE: Final = 0.02
"""How far aside of its place a marked line may stand, as a part of it: rolling elements slip by 1 to 2 %."""

SHAFT_HZ: Final = "0${rpm:raw} / 60"
"""The speed of rotation; the leading 0 makes an unknown one 0, which `SPEED_KNOWN` refuses."""

SPEED_KNOWN: Final = "0${rpm:raw} > 0"


def select(
    what: str,
    of: str,
    *conditions: str,
    by: Sequence[str] = (),
    fill: str = "",
    newest: int | None = None,
) -> str:
    """One statement over a measurement of the schema. Raises SchemaError for a measurement it does not have.

    `by` are tags or `EVERY`; with `newest` only so many rows of each group, the newest first.
    """
    text = _statement(what, quoted(measurement(of).name), *conditions, by=by, fill=fill)
    return text if newest is None else f"{text} ORDER BY time DESC LIMIT {newest}"


def among(what: str, *inner: str, where: Sequence[str] = (), by: Sequence[str] = (), fill: str = "") -> str:
    """A statement over the rows of others; of several, the rows stand beside each other."""
    return _statement(what, ", ".join(f"({one})" for one in inner), *where, by=by, fill=fill)


def _statement(what: str, source: str, *conditions: str, by: Sequence[str], fill: str) -> str:
    # Every name is the schema's, every value ours; what a person chooses comes in by Grafana's own escaping.
    text = f"SELECT {what} FROM {source}"  # noqa: S608
    if conditions:
        text += f" WHERE {' AND '.join(conditions)}"
    if by:
        text += f" GROUP BY {', '.join(key if '(' in key else quoted(key) for key in by)}"
    return f"{text} fill({fill})" if fill else text


def quoted(name: str) -> str:
    """A name of a tag, a field or a column."""
    return f'"{name}"'


def text_of(value: str) -> str:
    """A text value. Ours hold neither quote nor backslash, which are refused. Raises ValueError."""
    if "'" in value or "\\" in value:
        raise ValueError(f"a text in a query must hold no quote and no backslash, got {value!r}")
    return f"'{value}'"


def field(of: str, name: str) -> str:
    """A field of a measurement, quoted. Raises SchemaError for one it does not have."""
    return quoted(measurement(of).field(name).name)


def one_of(name: str, values: Iterable[str]) -> str:
    """A condition: the field or tag is one of a few words."""
    return f"{quoted(name)} =~ /^({'|'.join(values)})$/"


def trend(of: str, name: str, *conditions: str, by: Sequence[str] = (), how: str = "mean") -> str:
    """A field over the period, one value an interval and group, and none where nothing was measured."""
    what = f"{how}({field(of, name)}) AS {quoted(name)}"
    return select(what, of, *conditions, IN_RANGE, by=(EVERY, *by), fill="none")


def tag_values(of: Sequence[str], key: str, *conditions: str) -> str:
    """What a variable offers: the values of a tag."""
    tables = ", ".join(quoted(measurement(name).name) for name in of)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SHOW TAG VALUES FROM {tables} WITH KEY = {quoted(key)}{where}"


# --- states -----------------------------------------------------------------------------------------------


def in_state(state: State, *, learning: bool | None, where: Sequence[str], since: str) -> str:
    """The machines whose newest state is this one.

    `learning` is whether they have no baseline yet; None where it does not matter.
    """
    columns = f'last("state") AS "state", {field("state", "learning")}'
    newest = select(columns, "state", OF_MACHINE, *where, since, by=MACHINES)
    whose = () if learning is None else (f'"learning" = {int(learning)}',)
    return among('"state"', newest, where=(f'"state" = {text_of(state)}', *whose), by=MACHINES)


def silent_machines() -> str:
    """The machines that have a state, but none that is fresh: their rows of the two counts add up to 0."""
    count = f"count({field('state', 'live')})"
    ever = select(f'{count} * 0 AS "fresh"', "state", OF_MACHINE, SITE, KEPT, by=MACHINES)
    fresh = select(f'{count} AS "fresh"', "state", OF_MACHINE, SITE, FRESH, by=MACHINES)
    both = among('sum("fresh") AS "fresh"', ever, fresh, by=MACHINES)
    return among('"fresh"', both, where=('"fresh" = 0',), by=MACHINES)


# --- spectra ----------------------------------------------------------------------------------------------


def spectrum_lines(of: str, x: str, y: str, *, orders: bool) -> str:
    """The newest spectrum of the period: `x` in Hz or in orders of the speed, `y` the amplitude."""
    known = (SPEED_KNOWN,) if orders else ()
    return select(_line_columns(of, x, y, orders=orders), of, *_LINES, *known)


def defect_lines(of: str, x: str, y: str, *, orders: bool, defect: str, bearings: Iterable[Bearing]) -> str:
    """Those lines of that spectrum that stand where a defect of the chosen bearing has its harmonics.

    Its lines are found first, and only they are compared with all bearings: of months of spectra that is five
    times as fast.
    """
    place = BEARING_DEFECTS.index(defect)
    combs = [
        f"('${{bearing:raw}}' = {text_of(bearing.designation)} AND ({_comb(bearing.orders[place])}))"
        for bearing in bearings
    ]
    columns = f"{field(of, 'frequency_hz')}, {field(of, 'amplitude')}"
    return among(
        _line_columns(of, x, y, orders=orders),
        select(columns, of, *_LINES),
        where=(SPEED_KNOWN, f"({' OR '.join(combs)})"),
    )


_LINES: Final = (SITE, MACHINE, POINT, CHANNEL, OF_BLOCK, IN_RANGE)


def _line_columns(of: str, x: str, y: str, *, orders: bool) -> str:
    per_turn = f" / ({SHAFT_HZ})" if orders else ""
    return f"{field(of, 'frequency_hz')}{per_turn} AS {quoted(x)}, {field(of, 'amplitude')} AS {quoted(y)}"


def _comb(order: float) -> str:
    return " OR ".join(
        f'("frequency_hz" > {k * order * (1 - ASIDE):.5g} * {SHAFT_HZ}'
        f' AND "frequency_hz" < {k * order * (1 + ASIDE):.5g} * {SHAFT_HZ})'
        for k in range(1, HARMONICS + 1)
    )


def highest_line(of: str, where: Sequence[str], low_hz: float, high_hz: float) -> str:
    """The highest line of a band over time, in a column named by the band's upper edge in Hz.

    A query a band: InfluxDB answers each in some milliseconds, and all of them as one, by subqueries, in ten
    times that.
    """
    what = f"max({field(of, 'amplitude')}) AS {quoted(f'{high_hz:g}')}"
    band = (f'"frequency_hz" > {low_hz:g}', f'"frequency_hz" <= {high_hz:g}')
    return select(what, of, *where, *band, IN_RANGE, by=(EVERY,), fill="none")


# --- ledger -----------------------------------------------------------------------------------------------


def of_all_epochs(name: str) -> str:
    """A count of a gateway over the period, added up over its outboxes: one line a minute and outbox."""
    each = select(
        f"sum({field('ledger', name)}) AS {quoted(name)}",
        "ledger",
        SITE,
        GATEWAY,
        IN_RANGE,
        by=("time(1m)", *MACHINES),
    )
    return among(
        f"max({quoted(name)}) AS {quoted(name)}",
        each,
        where=(IN_RANGE,),
        by=(EVERY, *MACHINES),
        fill="none",
    )
