"""The kinds of panel that the dashboards are made of, each with what all of its kind have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.console.freshness import LONGEST_NS

from . import queries as q
from .bands import thresholds
from .fields import Column, Override, data_link, of_column, of_name
from .looks import colours
from .sdk import (
    Builder,
    InfluxQuery,
    barchart,
    common,
    common_models,
    data_source,
    heatmap,
    heatmap_models,
    models,
    stat,
    statetimeline,
    table,
    timeseries,
    xychart,
    xychart_models,
)
from .transforms import Transform

GAP_MS: Final = LONGEST_NS // 1_000_000
"""No line is drawn across a silence longer than this, unless told."""

AGE: Final = "dateTimeFromNow"
"""Grafana's unit for a time as an age, in the language of the person who looks."""

TIME: Final = "dateTimeAsSystem"
COUNT: Final = "short"

MANY: Final = 500
"""Rows of a journal at most."""

_BUT_TIME: Final = "/^(?!Time$).*/"
"""All fields but the time: unless told, Grafana shows numbers only, and a state is a text."""


@dataclass(frozen=True)
class About:
    """What every panel says of itself: title, what it shows and how to read it, unit of its values."""

    title: str
    description: str
    unit: str = ""
    decimals: int | None = None
    no_value: str = ""


@dataclass(frozen=True)
class Trend:
    """How a trend is drawn: with the bands of limits behind it, from zero, up to a value, as steps.

    No line is drawn across a silence longer than `gap_ms`. `lines` are drawn whatever the series, `bands` may
    also come by overrides.
    """

    bands: bool = False
    from_zero: bool = True
    up_to: float | None = None
    steps: bool = False
    gap_ms: int = GAP_MS
    lines: models.ThresholdsConfig | None = None


def trend(
    about: About,
    targets: Sequence[InfluxQuery],
    *,
    drawn: Trend | None = None,
    overrides: Sequence[Override] = (),
    source: str = q.RAW,
) -> models.Panel:
    """Values over time."""
    drawn = drawn or Trend()
    panel = (
        timeseries.Panel()
        .draw_style(common_models.GraphDrawStyle.LINE)
        .line_interpolation(
            common_models.LineInterpolation.STEP_AFTER
            if drawn.steps
            else common_models.LineInterpolation.LINEAR
        )
        .line_width(1)
        .fill_opacity(0)
        .show_points(common_models.VisibilityMode.AUTO)
        .insert_nulls(drawn.gap_ms)
        .axis_label(_axis(about.unit))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                common_models.GraphThresholdsStyleMode.LINE_AND_AREA
                if drawn.bands
                else common_models.GraphThresholdsStyleMode.OFF
            )
        )
        .legend(_legend())
        .tooltip(_tooltip())
    )
    if drawn.from_zero:
        panel = panel.min(0)
    if drawn.up_to is not None:
        panel = panel.max(drawn.up_to)
    dressed = _dressed(panel, about, targets, overrides=overrides, source=source)
    if drawn.lines is not None:
        _defaults(dressed).thresholds = drawn.lines
    return dressed


def timeline(
    about: About, targets: Sequence[InfluxQuery], mappings: Sequence[models.ValueMapping]
) -> models.Panel:
    """States over time, a row each."""
    panel = (
        statetimeline.Panel()
        .merge_values(True)
        .show_value(common_models.VisibilityMode.AUTO)
        .row_height(0.9)
        .fill_opacity(80)
        .line_width(0)
        .insert_nulls(GAP_MS)
        .mappings(list(mappings))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    return _dressed(panel, about, targets)


def tiles(
    about: About,
    targets: Sequence[InfluxQuery],
    overrides: Sequence[Override],
    *,
    link: tuple[str, str] | None = None,
) -> models.Panel:
    """A tile a series, in the order of the queries, named as its query names it."""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(_BUT_TIME))
        .color_mode(common_models.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
        .justify_mode(common_models.BigValueJustifyMode.CENTER)
    )
    dressed = _dressed(panel, about, targets, overrides=overrides)
    if link is not None:
        _defaults(dressed).links = [data_link(*link)]
    return dressed


def single(
    about: About,
    target: InfluxQuery,
    *,
    mappings: Sequence[models.ValueMapping] = (),
    limits: models.ThresholdsConfig | None = None,
    overrides: Sequence[Override] = (),
) -> models.Panel:
    """One value, the last."""
    coloured = bool(mappings) or limits is not None or bool(overrides)
    mode = common_models.BigValueColorMode
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(_BUT_TIME))
        .color_mode(mode.BACKGROUND_SOLID if coloured else mode.NONE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .text_mode(common_models.BigValueTextMode.VALUE)
        .mappings(list(mappings))
    )
    dressed = _dressed(panel, about, [target], overrides=overrides)
    if limits is not None:
        _defaults(dressed).thresholds = limits
    return dressed


def rows(
    about: About,
    targets: Sequence[InfluxQuery],
    columns: Sequence[Column],
    *,
    sort: tuple[str, bool] | None = None,
    transforms: Sequence[Transform] = (),
) -> models.Panel:
    """A table; `sort` is (title of a column, falling).

    Columns stand in the order of the queries and transforms, those not named in `columns` too.
    """
    panel = (
        table.Panel()
        .show_header(True)
        .cell_height(common_models.TableCellHeight.SM)
        .cell_options(common_models.TableAutoCellOptions())
        .filterable(False)
    )
    if sort is not None:
        title, falling = sort
        panel = panel.sort_by([common.TableSortByFieldState().display_name(title).desc(falling)])
    overrides = [of_column(column) for column in columns]
    dressed = _dressed(panel, about, targets, overrides=overrides)
    dressed.transformations = list(transforms) or None
    return dressed


def chart(
    about: About, targets: Sequence[InfluxQuery], overrides: Sequence[Override], x: str
) -> models.Panel:
    """Lines of a spectrum over frequency or order: the first number of each row is x."""
    panel = (
        xychart.Panel()
        .mapping(xychart_models.SeriesMapping.AUTO)
        .series([xychart.XYSeriesConfig()])
        .show(xychart_models.XYShowMode.LINES)
        .line_width(1)
        .fill_opacity(0)
        .axis_label(_axis(about.unit))
        .min(0)
        .legend(_legend())
        .tooltip(_tooltip(common_models.TooltipDisplayMode.SINGLE))
    )
    axis = of_name(x, {"unit": "none", "custom.axisLabel": x})
    return _dressed(panel, about, targets, overrides=[axis, *overrides])


def waterfall(about: About, targets: Sequence[InfluxQuery], *, interval: str) -> models.Panel:
    """A query a band, named by its alias, drawn as colours over time: the later, the further to the right."""
    panel = (
        heatmap.Panel()
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmap_models.HeatmapColorMode.SCHEME)
            .scheme("Turbo")
            .steps(64)
            .fill(colours()["danger"])
            .exponent(0.5)
        )
        .cell_gap(0)
        .cell_values(heatmap.CellValues().unit(about.unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(common_models.HeatmapCellLayout.LE))
        .y_axis(heatmap.YAxisConfig().axis_placement(common_models.AxisPlacement.LEFT))
        .show_legend()
    )
    dressed = _dressed(panel, about, targets)
    dressed.interval = interval
    return dressed


def bars(
    about: About,
    targets: Sequence[InfluxQuery],
    overrides: Sequence[Override] = (),
    *,
    source: str = q.RAW,
) -> models.Panel:
    """Counts over time as stacked bars."""
    panel = (
        timeseries.Panel()
        .draw_style(common_models.GraphDrawStyle.BARS)
        .bar_alignment(common_models.BarAlignment.AFTER)
        .fill_opacity(80)
        .line_width(0)
        .min(0)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    return _dressed(panel, about, targets, overrides=overrides, source=source)


def ranking(about: About, target: InfluxQuery, x: str) -> models.Panel:
    """A bar for each of the names in a column."""
    panel = (
        barchart.Panel()
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .x_field(x)
        .show_value(common_models.VisibilityMode.AUTO)
        .min(0)
        .legend(_legend(shown=False))
        .tooltip(_tooltip(common_models.TooltipDisplayMode.SINGLE))
    )
    return _dressed(panel, about, [target])


def _dressed(
    builder: Builder[models.Panel],
    about: About,
    targets: Sequence[InfluxQuery],
    *,
    overrides: Sequence[Override] = (),
    source: str = q.RAW,
) -> models.Panel:
    panel = builder.build()
    panel.title, panel.description = about.title, about.description
    panel.datasource = data_source(source)
    panel.targets = list(targets)
    defaults = _defaults(panel)
    defaults.unit = about.unit
    defaults.decimals = about.decimals
    defaults.no_value = about.no_value or None
    defaults.thresholds = thresholds(None)
    if defaults.color is None:
        by_mapping = models.FieldColorModeId.THRESHOLDS if panel.type_val == "stat" else None
        mode = by_mapping or models.FieldColorModeId.PALETTE_CLASSIC
        defaults.color = models.FieldColor(mode=mode)
    _config(panel).overrides = list(overrides)
    return panel


def _config(panel: models.Panel) -> models.FieldConfigSource:
    if panel.field_config is None:
        panel.field_config = models.FieldConfigSource()
    return panel.field_config


def _defaults(panel: models.Panel) -> models.FieldConfig:
    config = _config(panel)
    if config.defaults is None:
        config.defaults = models.FieldConfig()
    return config.defaults


def _legend(*, shown: bool = True) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_models.LegendDisplayMode.LIST)
        .placement(common_models.LegendPlacement.BOTTOM)
        .show_legend(shown)
        .calcs([])
    )


def _tooltip(
    mode: common_models.TooltipDisplayMode = common_models.TooltipDisplayMode.MULTI,
) -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(mode).sort(common_models.SortOrder.NONE)


def _axis(unit: str) -> str:
    """The unit as it is written on an axis."""
    return unit.removeprefix("suffix:") if unit.startswith("suffix:") else ""
