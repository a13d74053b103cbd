"""`palier model replay` and `drift`: a version over the plant's past, and whether it still fits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from palier.options import USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

from .model_options import (
    DEFAULT_REGISTRY,
    DataOption,
    FromOption,
    HistoryConfigOption,
    MachinesOption,
    PublicKeyOption,
    RegistryOption,
    SpecArgument,
    ToOption,
    UserOption,
    WorkersOption,
    asking,
    history_of,
    noted,
    progress,
)

if TYPE_CHECKING:
    from models.training.replay_report import Prices, ReplayReport
    from palier.historian.history import History
    from palier.model_replaying import Asked, Where

DAYS: Final = 90
"""How much of the past is replayed where nobody says: as long as rows are kept."""


def replay(
    spec: SpecArgument,
    *,
    data: DataOption = None,
    config: HistoryConfigOption = None,
    registry: RegistryOption = DEFAULT_REGISTRY,
    machines: MachinesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    price_false_call: Annotated[
        float | None, typer.Option("--price-false-call", metavar="N", help="What a false call costs.")
    ] = None,
    price_breakdown: Annotated[
        float | None, typer.Option("--price-breakdown", metavar="N", help="What a breakdown costs.")
    ] = None,
    lead_h: Annotated[
        float, typer.Option("--lead-h", metavar="H", help="Hours that a warning must come before the end.")
    ] = 48.0,
    workers: WorkersOption = None,
    public_key: PublicKeyOption = None,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep the report beside the version, for promotion.")
    ] = True,
    user: UserOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Run a version over the plant's own past.

    Beside what is in force, it tells failures told earlier or later, false calls a machine and month, and
    cost. Nothing is written but the report, which a promotion asks for. Without --from the last 90 days are
    taken.
    """
    from palier.model_replaying import Asked
    from palier.registry import Registry

    from .model_replay_text import report_lines

    words = catalogue(lang)
    prices = _prices(price_false_call, price_breakdown, lead_h)
    with asking(lang):
        one = Registry(registry).resolve(spec)
        where = _where(config, data)
        start_s, end_s = _period(where, start, end)
    chosen, key = tuple(machines or ()), _key(public_key, lang)
    asked = Asked(where, registry, one.spec, start_s, end_s, chosen, prices, key)
    report = _run(asked, workers, quiet=quiet, lang=lang)
    if not json_output:
        for line in report_lines(report, words):
            typer.echo(line)
    fingerprint = ""
    try:
        if keep and report.judged_nothing:
            raise CommandError(words.text("model_replay.judged_nothing"))
        if keep:
            with asking(lang):
                note = noted(user, f"{_day(start_s)} - {_day(end_s)}")
                fingerprint = Registry(registry).attach_report(one.name, one.version, report.told(), note)
    finally:  # a registry that can't be written does not take minutes of work with it
        if json_output:
            typer.echo(json.dumps(report.told() | {"fingerprint": fingerprint}, ensure_ascii=False))
    if keep and not quiet and not json_output:
        typer.echo(words.text("model_replay.kept", model=one.spec, fingerprint=fingerprint[:12]))


def drift(
    *,
    data: DataOption = None,
    config: HistoryConfigOption = None,
    machines: MachinesOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Show how far points have moved since they were learned.

    It compares them with what their baselines were trained on, and tells whether to learn anew. The ingest
    looks once a day; nothing is learned anew by itself.
    """
    from .model_replay_text import drift_rows

    words = catalogue(lang)
    with asking(lang), history_of(config, data) as history:
        rows = list(_newest(history, machines))
    if json_output:
        for row in rows:
            typer.echo(json.dumps(_jsonable(row), ensure_ascii=False))
        return
    if not rows:
        if not quiet:
            typer.echo(words.text("model_drift.none"))
        return
    for line in drift_rows(rows, words):
        typer.echo(line)


def _newest(history: History, machines: list[str] | None) -> Iterator[dict[str, Any]]:
    """The newest row of each point."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    found = history.read("drift", machines, channel="")  # those of a season's columns would be millions
    names = [name for name in found.names if name not in ("time", "machine", "point", "channel")]
    for i in range(len(found)):
        row = {name: found[name][i] for name in names}
        detail = json.loads(row.pop("detail") or "{}")
        place = str(found["machine"][i]), str(found["point"][i])
        ts_ns = int(found["time"][i].astype("int64"))
        newest[place] = row | {
            "machine": place[0], "point": place[1], "ts_ns": ts_ns, "reasons": detail.get("reasons", [])
        }  # fmt: skip
    yield from (newest[place] for place in sorted(newest))


def _jsonable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values; what is not known is null."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in row.items()}
    return {name: None if value != value else value for name, value in plain.items()}  # noqa: PLR0124 - NaN


def _prices(false_call: float | None, breakdown: float | None, lead_h: float) -> Prices | None:
    """Raises CommandError where only one price is given, or one is no price."""
    from models.training.replay_report import Prices

    if (false_call is None) != (breakdown is None):
        raise CommandError("--price-false-call and --price-breakdown belong together: give both", USAGE)
    if false_call is None or breakdown is None:
        return None
    try:
        return Prices(false_call, breakdown, lead_h)
    except ValueError as error:
        raise CommandError(str(error), USAGE) from error


def _where(config: Path | None, data: Path | None) -> Where:
    """Where the data are. Raises CommandError, ConfigError."""
    from palier.historian.opening import HistorianSettings
    from palier.model_replaying import Where
    from palier.settings import load_settings

    from .export_settings import ExportSettings

    if config is not None:
        settings = load_settings(ExportSettings, config)
        return Where(settings.historian, settings.data, settings.plant)
    if data is None:
        raise CommandError("where the data are is missing: give --data FOLDER, or --config FILE", USAGE)
    return Where(HistorianSettings(), data)


def _period(where: Where, start: str | None, end: str | None) -> tuple[float, float]:
    """Start and end in s; without them the newest row and 90 days before it. Raises HistorianError."""
    from palier.historian.history_asking import period
    from palier.historian.history_opening import open_by

    start_ns, end_ns = period(start, end)
    if end_ns is None:
        with open_by(where.historian, where.data, plant=where.plant) as history:
            newest = history.series("feature")["time"]
        end_ns = int(newest.max().astype("int64")) + 1 if len(newest) else time.time_ns()
    if start_ns is None:
        start_ns = end_ns - DAYS * 86_400 * 10**9
    return start_ns / 1e9, end_ns / 1e9


def _key(public_key: Path | None, lang: str) -> bytes | None:
    """The key that signatures are checked with. Raises CommandError."""
    from palier.registry_keys import public_key as read_key

    with asking(lang):
        return None if public_key is None else read_key(public_key)


def _run(asked: Asked, workers: str | None, *, quiet: bool, lang: str) -> ReplayReport:
    """Raises CommandError."""
    from models.training.replay import ReplayError
    from palier.fleet import FleetError
    from palier.model_replaying import replay_version

    try:
        with asking(lang), progress(asked.spec, quiet=quiet) as told:
            return replay_version(asked, workers=workers, progress=told)
    except (ReplayError, FleetError) as error:
        raise CommandError(str(error)) from error


def _day(at_s: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at_s))
