"""How single fields of a panel look: columns of a table, named series, marks; and the links of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .sdk import models, xychart_models

Override = models.DashboardFieldConfigSourceOverrides

PAGE: Final = "${console}"
"""What the address of the page starts with: its links open beside the dashboard."""


@dataclass(frozen=True)
class Column:
    """One column of a table: the query's name for it, and what people read above it; `link` is (text,
    address).
    """

    name: str
    title: str
    unit: str = ""
    decimals: int | None = None
    mappings: Sequence[models.ValueMapping] = ()
    coloured: bool = False
    width: int | None = None
    limits: models.ThresholdsConfig | None = None
    link: tuple[str, str] | None = None


def painted(name: str, colour: str, **more: object) -> Override:
    """An override: the series of that name in that colour."""
    fixed = models.FieldColor(mode=models.FieldColorModeId.FIXED, fixed_color=colour)
    return of_name(name, {"color": fixed, **more})


def as_marks(name: str, colour: str) -> Override:
    """An override: the series of that name as points upon the lines."""
    size = xychart_models.XychartFieldConfigPointSize(fixed=8)
    return painted(name, colour, **{"custom.show": "points", "custom.pointSize": size})


def mapped(ref_id: str, mappings: Sequence[models.ValueMapping]) -> Override:
    """An override: the answers of that query as they look."""
    return Override(
        matcher=models.MatcherConfig(id_val="byFrameRefID", options=ref_id),
        properties=[models.DynamicConfigValue(id_val="mappings", value=list(mappings))],
    )


def data_link(title: str, url: str, *, elsewhere: bool = False) -> models.DashboardLink:
    """A link of a value; `elsewhere` opens it beside the dashboard."""
    return models.DashboardLink(title=title, url=url, target_blank=elsewhere)


def page_link(title: str, url: str) -> models.DashboardLink:
    """A link of a panel to the page, where one acknowledges and looks closer."""
    return models.DashboardLink(
        title=title, type_val=models.DashboardLinkType.LINK, icon="external link", url=url, target_blank=True
    )


def of_column(column: Column) -> Override:
    """The override that makes a column of a table what it should be."""
    said: dict[str, object] = {"displayName": column.title}
    if column.unit:
        said["unit"] = column.unit
    if column.decimals is not None:
        said["decimals"] = column.decimals
    if column.mappings:
        said["mappings"] = list(column.mappings)
    if column.coloured:
        said["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    if column.width is not None:
        said["custom.width"] = column.width
    if column.limits is not None:
        said["thresholds"] = column.limits
        said["color"] = models.FieldColor(mode=models.FieldColorModeId.THRESHOLDS)
    if column.link is not None:
        title, url = column.link
        said["links"] = [data_link(title, url, elsewhere=url.startswith(PAGE))]
    return of_name(column.name, said)


def of_name(name: str, said: dict[str, object]) -> Override:
    """The override of the field of that name: Grafana's names of properties, and their values."""
    return Override(
        matcher=models.MatcherConfig(id_val="byName", options=name),
        properties=[models.DynamicConfigValue(id_val=key, value=value) for key, value in said.items()],
    )
