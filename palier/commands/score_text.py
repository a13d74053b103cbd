"""How `palier score` tells its results: a summary for people, an object for programs, columns for a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.types import Refusal
from palier.locale import Catalogue
from palier.table_scores import Alert, ScoredTable
from palier.tables import Table

FEW: Final = 10
"""Alerts and changes that a summary tells one by one."""

NAMED: Final = 3
"""Channels that an alert names at most."""

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""


class Summary:
    """Writes what was found in one language."""

    def __init__(self, words: Catalogue, table: Table) -> None:
        self._text = words.text
        self._number = words.number
        self._words = words
        self._table = table

    def refused(self, refusal: Refusal) -> str:
        """Why the table has no verdict, and what would help."""
        reason, remedy = self._text(f"refusal.{refusal.reason}"), self._text(f"remedy.{refusal.remedy}")
        said = self._text("cli.refused", reason=reason, remedy=remedy)
        return self._text("cli.judged_of", what=self._table.path.name, judged=said)

    def lines(self, scored: ScoredTable, *, fit_was_given: bool) -> Iterator[str]:
        """The summary."""
        yield self._head()
        yield self._fitted(scored, fit_was_given=fit_was_given)
        yield from self._alerts(scored)
        if scored.changepoints:
            yield self._changes(scored.changepoints)
        yield from self._notes(scored)

    def _head(self) -> str:
        rows, channels = self._number(len(self._table), 0), len(self._table.channels)
        params = {"file": self._table.path.name, "rows": rows, "channels": channels}
        if self._table.times is None:
            return self._text("score.table", **params)
        return self._text("score.table_span", **params, first=self._moment(0), last=self._moment(-1))

    def _fitted(self, scored: ScoredTable, *, fit_was_given: bool) -> str:
        judged = int(scored.scores.judged.sum())
        key = "score.fitted" if fit_was_given else "score.fitted_default"
        line = self._text(key, fit=self._number(scored.fit_rows, 0), judged=self._number(judged, 0))
        left = scored.scores.score.size - judged
        return f"{line} {self._text('score.unjudged', rows=self._number(left, 0))}" if left else line

    def _alerts(self, scored: ScoredTable) -> Iterator[str]:
        if not scored.alerts:
            yield self._text("score.no_alert")
            return
        share = 100 * float(scored.scores.alarm.sum()) / max(int(scored.scores.judged.sum()), 1)
        yield self._text("score.alerts", count=len(scored.alerts), share=self._number(share))
        threshold = self._number(float(scored.scores.threshold[0]))
        for alert in scored.alerts[:FEW]:
            yield "  " + self._alert(alert, threshold)
        if len(scored.alerts) > FEW:
            yield "  " + self._text("score.more", count=len(scored.alerts) - FEW)

    def _alert(self, alert: Alert, threshold: str) -> str:
        named = (
            self._text("score.share", channel=name, value=self._number(100 * share, 0))
            for name, share in alert.channels[:NAMED]
        )
        return self._text(
            "score.alert",
            first=self._moment(alert.first),
            last=self._moment(alert.last),
            rows=self._number(alert.last - alert.first + 1, 0),
            score=self._number(alert.score),
            threshold=threshold,
            channels=", ".join(named),
        )

    def _changes(self, rows: tuple[int, ...]) -> str:
        shown = ", ".join(self._moment(row) for row in rows[:FEW])
        more = f" (+{len(rows) - FEW})" if len(rows) > FEW else ""
        return self._text("score.changes", moments=shown + more)

    def _moment(self, row: int) -> str:
        if self._table.times is None:
            return self._text("score.row", row=self._number(row + 1, 0))
        return str(self._table.times[row].astype("datetime64[s]")).replace("T", " ")

    def _notes(self, scored: ScoredTable) -> Iterator[str]:
        grouped: dict[str, list[str]] = defaultdict(list)
        for note in scored.monitor.notes:
            grouped[note.key].append(note.channel)
        for key, channels in grouped.items():
            yield self._text(f"score.{key}", channels=", ".join(channels))
        for doubt in self._table.notes:
            yield self._text(f"score.{doubt.key}", **doubt.params)


def as_json(scored: ScoredTable) -> dict[str, Any]:
    """One table for programs. Rows are counted from 0; `rows` holds a list a column, null where unknown."""
    scores, table = scored.scores, scored.table
    columns = {name: _plain(column) for name, column in columns_of(scored, judged_only=True).items()}
    return {
        **_about(table),
        "fit_rows": scored.fit_rows,
        "watched": list(scored.monitor.watched),
        "moving": scored.monitor.moving,
        "judged": int(scores.judged.sum()),
        "alarmed": int(scores.alarm.sum()),
        "alerts": [
            {
                "first_row": alert.first,
                "last_row": alert.last,
                "first": _time(table, alert.first),
                "last": _time(table, alert.last),
                "score": round(alert.score, 6),
                "channels": {name: round(share, 6) for name, share in alert.channels},
            }
            for alert in scored.alerts
        ],
        "changepoints": [{"row": row, "time": _time(table, row)} for row in scored.changepoints],
        "channel_notes": [{"key": n.key, "channel": n.channel} for n in scored.monitor.notes],
        "rows": columns,
        "refusal": None,
    }


def refused_as_json(table: Table, refusal: Refusal) -> dict[str, Any]:
    """A table without a verdict."""
    return {**_about(table), "refusal": {"reason": refusal.reason, "remedy": refusal.remedy}}


def _about(table: Table) -> dict[str, Any]:
    return {
        "version": VERSION,
        "table": str(table.path),
        "n_rows": len(table),
        "channels": list(table.channels),
        "time": table.time,
        "notes": [{"key": note.key, **note.params} for note in table.notes],
    }


def columns_of(scored: ScoredTable, *, judged_only: bool = False) -> Mapping[str, npt.NDArray[Any]]:
    """A column a result, a row a row of the table: those of the fit have no score.

    `judged_only` leaves the rows of the fit out. Contributions are called `share CHANNEL`.
    """
    scores, table = scored.scores, scored.table
    fit = 0 if judged_only else scored.fit_rows
    n = scores.score.size + fit
    offset = scored.fit_rows if judged_only else 0

    def led(column: npt.NDArray[Any], empty: float | bool) -> npt.NDArray[Any]:
        return np.concatenate((np.full((fit, *column.shape[1:]), empty, dtype=column.dtype), column))

    shares = led(scores.contributions, np.nan)
    times = {} if table.times is None else {table.time or "time": table.times[offset:]}
    return {
        "row": np.arange(offset, offset + n),
        **times,
        "score": led(scores.score, np.nan),
        "threshold": led(scores.threshold, np.nan),
        "alarm": led(scores.alarm, False),
        "changepoint": led(scores.changepoint, False),
        **{f"share {name}": shares[:, i] for i, name in enumerate(table.channels)},
    }


def _plain(column: npt.NDArray[Any]) -> list[Any]:
    if column.dtype.kind == "M":
        return [str(moment) for moment in column]
    if column.dtype.kind == "f":
        return [None if np.isnan(value) else round(value, 6) for value in column.tolist()]
    plain: list[Any] = column.tolist()
    return plain


def _time(table: Table, row: int) -> str | None:
    return None if table.times is None else str(table.times[row])
