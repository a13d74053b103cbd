"""What Grafana shows in a table: the answers of its queries after the transforms that our dashboards use.

As Grafana's own `extractFields`, `filterFieldsByName`, `organize` and `merge` do it, by their sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tests.support.grafana_queries import Dashboard

Row = dict[str, Any]

NOT_FOUND: Final = "Not Found"


class Frame:
    """The table of one query: columns in order, rows by column."""

    def __init__(self, ref: str, columns: Iterable[str], rows: list[Row]) -> None:
        self.ref = ref
        self.columns = list(columns)
        self.rows = rows


def shown(board: Dashboard, panel: Mapping[str, Any]) -> Frame:
    """The table as people see it. Fails where more than one is left: only one is shown at a time."""
    frames = [_answer(board, target) for target in panel["targets"]]
    for transform in panel.get("transformations", ()):
        pattern = transform.get("filter", {}).get("options", "//").strip("/")
        mine = [frame for frame in frames if re.search(pattern, frame.ref)]
        others = [frame for frame in frames if frame not in mine]
        frames = [*others, *_TRANSFORMS[transform["id"]](mine, transform["options"])]
    (frame,) = frames
    return frame


def in_words(field: Mapping[str, Any], value: object) -> bool:
    """Whether a value is shown as one of the texts of a field: nothing where it is empty."""
    if value in (None, ""):
        return True
    for mapping in field["mappings"]:
        if mapping["type"] == "value" and str(value) in mapping["options"]:
            return True
    return False


def _answer(board: Dashboard, target: Mapping[str, Any]) -> Frame:
    series = board.ask(target["query"], target["datasource"]["uid"])
    if not series:
        return Frame(target["refId"], (), [])
    tags = list(series[0].get("tags", {}))
    columns = ["Time", *tags, *series[0]["columns"][1:]]
    rows = [
        dict(zip(columns, (row[0], *one.get("tags", {}).values(), *row[1:]), strict=True))
        for one in series
        for row in one["values"]
    ]
    return Frame(target["refId"], columns, rows)


def _extract(frames: list[Frame], options: Mapping[str, Any]) -> list[Frame]:
    for frame in frames:
        for row in frame.rows:
            told = _parsed(row.get(options["source"]))
            if "jsonPaths" in options:
                told = {one["alias"]: _at(told, one["path"]) for one in options["jsonPaths"]}
            row.update(told)
            frame.columns += [name for name in told if name not in frame.columns]
    return frames


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return {}


def _at(told: Any, path: str) -> Any:
    for key in re.findall(r"\w+", path):
        try:
            told = told[int(key)] if isinstance(told, list) else told[key]
        except (KeyError, IndexError, TypeError):
            return NOT_FOUND
    return NOT_FOUND if told is None else told


def _without(frames: list[Frame], names: Iterable[str]) -> list[Frame]:
    for frame in frames:
        frame.columns = [name for name in frame.columns if name not in names]
        frame.rows = [{name: row.get(name) for name in frame.columns} for row in frame.rows]
    return frames


def _merge(frames: list[Frame], _: Mapping[str, Any]) -> list[Frame]:
    some = [frame for frame in frames if frame.columns]
    keys = [name for name in some[0].columns if all(name in frame.columns for frame in some)]
    assert keys, "tables without a column in common stay apart"
    columns = list(dict.fromkeys(name for frame in some for name in frame.columns))
    rows: dict[tuple[Any, ...], Row] = {}
    for frame in some:
        for row in frame.rows:
            rows.setdefault(tuple(row[name] for name in keys), {}).update(row)
    return [Frame(some[0].ref, columns, list(rows.values()))]


_TRANSFORMS: Final[Mapping[str, Callable[[list[Frame], Mapping[str, Any]], list[Frame]]]] = {
    "extractFields": _extract,
    "filterFieldsByName": lambda frames, options: _without(frames, options["exclude"]["names"]),
    "organize": lambda frames, options: _without(frames, options["excludeByName"]),
    "merge": _merge,
}
