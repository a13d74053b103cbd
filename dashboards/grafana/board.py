"""A dashboard being put together: numbers of panels, places on the grid, canonical JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .sdk import JSONEncoder, models
from .words import Words

TAG: Final = "palier"
"""Every dashboard of ours bears it, and the list of links is made of it."""

WIDE: Final = 24
"""Columns of Grafana's grid."""

REFRESH: Final = "1m"
"""How often a screen reads anew: gateways report and machines speak each minute at most."""

KEYS_OF_SDK: Final = ("auto", "auto_count", "auto_min")
"""Keys that the library writes into every variable and that only interval variables may have."""

HIDDEN: Final = "inControlsMenu"
"""The placement that the library gives to all links and annotations."""

OLD_OPTIONS: Final = {"table": ("footer",)}
"""Options that the library writes into every panel of a kind and that Grafana 12.4 no longer knows."""


@dataclass
class Board:
    """One dashboard. Panels stand side by side until a line is full; a row starts a new line.

    `uid` is without language; that of the English dashboards ends in "-en", so that both can stand in one
    Grafana.
    """

    words: Words
    uid: str
    title: str
    description: str
    variables: Sequence[models.VariableModel]
    since: str = "now-24h"
    annotations: Sequence[models.AnnotationQuery] = ()
    refresh: str = REFRESH
    _panels: list[models.Panel | models.RowPanel] = field(default_factory=list)
    _row: models.RowPanel | None = None
    _ids: int = 0
    _x: int = 0
    _y: int = 0
    _height: int = 0

    def row(self, title: str, *, closed: bool = False) -> None:
        """Start a row; the panels of a closed one are read when somebody opens it."""
        self._new_line()
        row = models.RowPanel(title=title, collapsed=closed, id_val=self._next_id(), panels=[])
        row.grid_pos = models.GridPos(h=1, w=WIDE, x=0, y=self._y)
        self._panels.append(row)
        self._row = row if closed else None
        self._y += 1

    def add(self, panel: models.Panel, width: int, height: int) -> None:
        """Put a panel beside the last one, or on a new line where it has no room."""
        if self._x + width > WIDE:
            self._new_line()
        panel.id_val = self._next_id()
        panel.grid_pos = models.GridPos(h=height, w=width, x=self._x, y=self._y)
        if self._row is not None:
            self._row.panels.append(panel)
        else:
            self._panels.append(panel)
        self._x += width
        self._height = max(self._height, height)

    def to_json(self) -> bytes:
        """Classic JSON, the same bytes for the same dashboard."""
        built = models.Dashboard(
            uid=uid(self.uid, self.words),
            title=self.title,
            description=self.description,
            tags=[TAG, self.words.lang],
            timezone="browser",
            editable=True,
            graph_tooltip=models.DashboardCursorSync.CROSSHAIR,
            time=models.DashboardDashboardTime(from_val=self.since, to="now"),
            timepicker=models.TimePickerConfig(),
            fiscal_year_start_month=0,
            week_start="monday",
            refresh=self.refresh,
            version=1,
            panels=list(self._panels),
            templating=models.DashboardDashboardTemplating(list_val=list(self.variables)),
            annotations=models.AnnotationContainer(list_val=list(self.annotations)),
            links=[self._others()],
        )
        return canonical(json.loads(json.dumps(built, cls=JSONEncoder)))

    def _others(self) -> models.DashboardLink:
        return models.DashboardLink(
            title=self.words("link.others"),
            type_val=models.DashboardLinkType.DASHBOARDS,
            icon="external link",
            tags=[TAG, self.words.lang],
            as_dropdown=True,
            keep_time=True,
        )

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _new_line(self) -> None:
        self._y += self._height
        self._x = self._height = 0


def uid(name: str, words: Words) -> str:
    """The uid of one of our dashboards in a language."""
    return f"{TAG}-{name}" if words.lang == "fr" else f"{TAG}-{name}-{words.lang}"


def canonical(body: dict[str, Any]) -> bytes:
    """A dashboard as its file holds it, without what the library adds and Grafana does not know."""
    for variable in body["templating"]["list"]:
        for key in KEYS_OF_SDK:
            variable.pop(key, None)
    for panel in body["panels"]:
        for one in (panel, *panel.get("panels", ())):
            for key in OLD_OPTIONS.get(one["type"], ()):
                one["options"].pop(key, None)
    _shown(body)
    return (json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def _shown(value: object) -> None:
    """Without the library's placement of links and flags, which would hide them all in a menu."""
    if isinstance(value, dict):
        if value.get("placement") == HIDDEN:
            del value["placement"]
        for one in value.values():
            _shown(one)
    elif isinstance(value, list):
        for one in value:
            _shown(one)
