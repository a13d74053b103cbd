"""The JSON behind the machine page's charts, beside `api.py`. Read-only.

As there: a mistake is answered 4xx {"error": sentence}, an unreadable historian 503; times are ms of plant
time since 1970 UTC, `null` is a value that is not known. `?point=&channel=&range=&end=` are the page's own;
`at` is a time before which the last block is looked for: ms, or YYYY-MM-DDTHH:MM of the plant's clock.
"""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.features.temperature import HISTORY_TOO_SHORT
from palier.historian.base import HistorianError

from .context import feature_in
from .machine_asking import asked_of, at_in, ends, ms, trend_told
from .machine_baseline import BaselineQuestion, HousingLimits, baseline_band, housing_limits
from .machine_picture import leading_life
from .machine_rendering import judgement_of
from .machine_series import BANDS, SENSOR, MachineSeries, Named, loads, temperatures
from .machine_words import MachineWords
from .overview import TEMPERATURE_UNIT
from .series import UNITS, Trend, chart_limits

FAMILIES: Final = ("bands", "speed", "health", "sensor", "temperature")

COMPARED: Final = (
    "velocity_rms_mm_s", "acceleration_rms_m_s2", "acceleration_peak_m_s2", "crest_factor", "kurtosis",
    "order_1x_mm_s", "order_2x_mm_s", "envelope_rms_m_s2", "bpfo_modulation", "bpfi_modulation",
    "bsf_modulation", "ftf_modulation", "mesh_1x_m_s2", "vane_pass_mm_s",
)  # fmt: skip
"""What is told of two dates: how much, then of what."""


async def family_json(request: Request) -> Response:
    """GET /api/machines/<id>/families/<family>: {"start_ms", "end_ms", "series": [{"name", "label", "unit",
    "ambient", "times_ms", "mean", "low", "high"}]} of one of FAMILIES."""
    asked = await asked_of(request)
    family = request.path_params.get("family", "")
    if family not in FAMILIES:
        raise HTTPException(404, asked.m.page.t("error_not_found"))
    channel = asked.channel
    points = [mark.id for mark in asked.view.tile.points]

    def read(series: MachineSeries) -> list[Named]:
        if family == "temperature":
            return series.readings(
                [(ref, TEMPERATURE_UNIT) for ref in temperatures(asked.view.data)], asked.window
            )
        if family == "health":
            return series.health(["", *points], asked.window)
        if family == "speed":
            turns = series.features(channel, ("speed_rpm",), asked.window)
            return turns + series.readings(loads(asked.view.spec, asked.view.data), asked.window)
        return series.features(channel, BANDS if family == "bands" else SENSOR, asked.window)

    found = await asked.read(read)
    return JSONResponse(ends(asked.window) | {"series": [_named(asked.m, family, one) for one in found]})


async def warmth_json(request: Request) -> Response:
    """GET /api/machines/<id>/warmth: by how much the point's housing was warmer than expected, as it was
    judged: {"start_ms", "end_ms", "unit", "times_ms", "mean", "low", "high", "alert", "danger", "refused",
    "remedy"}."""
    asked = await asked_of(request)
    site, machine, point = asked.console.plant.site_id, asked.view.tile.machine, asked.channel.point
    found = await asked.read(lambda series: series.warmth(asked.view.data, point, asked.window))
    refusal = found.missing
    try:
        limits = await asked.console.records.run(
            lambda records: housing_limits(records, site, machine, point)
        )
        if limits.sigma_k is None and not found.known:
            refusal = refusal or HISTORY_TOO_SHORT
    except HistorianError:
        limits = HousingLimits()
    return JSONResponse(
        ends(asked.window)
        | trend_told(asked.m, found.trend)
        | {
            "alert": limits.alert,
            "danger": limits.danger,
            "refused": asked.m.refusal(refusal.reason) if refusal else None,
            "remedy": asked.m.remedy(refusal.remedy) if refusal else None,
        }
    )


async def marks_json(request: Request) -> Response:
    """GET /api/machines/<id>/marks?feature=: what stands over a trend: {"baseline": {"level", "low", "high",
    "alert", "danger"} | null, "why": sentence, "flags": [{"ms", "kind", "label"}]}."""
    asked = await asked_of(request)
    channel, feature = asked.channel, feature_in(request) or asked.view.feature
    flags = await asked.read(lambda series: series.flags(channel.point, asked.window))
    limits = asked.view.limits if chart_limits(asked.view.limits, feature) else None
    row = asked.view.data.states.get(channel.point)
    band, why = None, "baseline_learning" if row is None or row.learning else ""
    if not why:
        question = BaselineQuestion(
            asked.console.plant.site_id, asked.view.tile.machine, channel, feature, limits
        )
        try:
            band = await asked.console.records.run(lambda records: baseline_band(records, question))
            why = "baseline_of" if band else "baseline_none"
        except HistorianError:
            why = "baseline_unread"
    told = (
        {}
        if band is None
        else {"level": asked.m.number(band.level), "unit": asked.m.page.unit(UNITS[feature])}
    )
    return JSONResponse(
        {
            "baseline": band
            and {
                "level": band.level,
                "low": band.low,
                "high": band.high,
                "alert": band.alert,
                "danger": band.danger,
            },
            "why": asked.m.t(why, **told),
            "flags": [
                {
                    "ms": ms(flag.ts_ns),
                    "kind": flag.kind,
                    "label": asked.m.flag(flag.kind, flag.state, flag.who, flag.differs),
                }
                for flag in flags
            ],
        }
    )


async def fan_json(request: Request) -> Response:
    """GET /api/machines/<id>/fan: what grows at the point, and when it is expected to reach its threshold.

    {"point", "label", "unit", "times_ms", "mean", "low", "high", "threshold", "from_ms", "p10_ms", "p50_ms",
    "p90_ms"}, or {"refused", "remedy"}; null where nobody was asked.
    """
    asked = await asked_of(request)
    judged = await judgement_of(asked.console, asked.view)
    if judged == "unread":
        raise HTTPException(503, asked.m.page.t("error_historian"))
    leading = leading_life(asked.view, judged)
    if leading is None:
        return JSONResponse(None)
    point, life = leading
    if life.refusal is not None or life.p10_h is None or life.p50_h is None or life.p90_h is None:
        refusal = life.refusal
        told = {
            "refused": refusal and asked.m.refusal(refusal.reason),
            "remedy": refusal and asked.m.remedy(refusal.remedy),
        }
        return JSONResponse({"point": point} | told)
    found = await asked.read(lambda series: series.course(point, life))
    feature = (life.leading or "").rpartition("/")[2]
    hours = {"p10_ms": life.p10_h, "p50_ms": life.p50_h, "p90_ms": life.p90_h}
    return JSONResponse(
        {
            "point": point,
            "label": asked.m.column(life.leading),
            "threshold": life.threshold,
            "from_ms": ms(life.ts_ns),
            **{name: ms(life.ts_ns + round(h * 3.6e12)) for name, h in hours.items()},
            **trend_told(asked.m, found or Trend(UNITS.get(feature, ""), (), (), (), ())),
        }
    )


async def compare_json(request: Request) -> Response:
    """GET /api/machines/<id>/compare?at=: {"then_ms", "now_ms", "rows": [{"label", "unit", "then", "now",
    "ratio"}]}; rows without either value are left out; null where there is no block then."""
    asked = await asked_of(request)
    channel, at_ns = asked.channel, at_in(request)

    def read(series: MachineSeries) -> list[tuple[int, dict[str, float | None]] | None]:
        return [series.nearest(channel, COMPARED, ts) for ts in (at_ns, None)]

    then, now = await asked.read(read)
    if then is None or now is None:
        return JSONResponse(None)
    rows = [
        {
            "label": asked.m.page.feature(name),
            "unit": asked.m.page.unit(UNITS[name]),
            "then": asked.m.number(then[1][name]),
            "now": asked.m.number(now[1][name]),
            "ratio": _ratio(asked.m, then[1][name], now[1][name]),
        }
        for name in COMPARED
        if then[1][name] is not None or now[1][name] is not None
    ]
    return JSONResponse({"then_ms": ms(then[0]), "now_ms": ms(now[0]), "rows": rows})


def _named(m: MachineWords, family: str, one: Named) -> dict[str, object]:
    label = m.page.feature(one.name)
    if family == "health":
        label = m.t("why_point", point=one.name) if one.name else m.t("whole_machine")
    elif one.name == "speed_rpm":
        label = m.page.t("rotation")
    elif one.ambient:
        label = m.t("ambient")
    elif family == "speed":
        label = m.t("load" if one.trend.unit == "%" else "speed_of", channel=one.name)
    return {"name": one.name, "label": label, "ambient": one.ambient, **trend_told(m, one.trend)}


def _ratio(m: MachineWords, then: float | None, now: float | None) -> str:
    return "–" if not then or now is None else f"×{m.number(now / then)}"
