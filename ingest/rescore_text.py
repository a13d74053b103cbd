"""What a rescored period had in it, in the words of a language."""

from __future__ import annotations

from collections.abc import Iterator

from palier.alarm_text import measured_line
from palier.alarms import Cause, Level
from palier.locale import Catalogue
from palier.plant_times import Times

from .rescore_outcome import Episode, Outcome, Truth


def outcome_lines(found: Outcome, words: Catalogue, times: Times) -> Iterator[str]:
    """Line by line: who judged, the first alert and danger, the diagnosis, the alerts and their truth."""
    yield words.text(
        "rescore.title",
        machine=found.machine,
        start=times.text(found.start_ns),
        end=times.text(found.end_ns),
        blocks=words.number(found.blocks, 0),
        points=found.points,
    )
    yield from _judges(found, words)
    for episode in found.standing:
        yield words.text("rescore.standing", alarm=episode.key.id, time=times.text(episode.raised_ns))
    yield from _firsts(found, words, times)
    yield from (f"  {_alert(episode, words, times)}" for episode in found.alerts)
    yield words.text(
        "rescore.count",
        n=len(found.alerts),
        false=found.count(Truth.FALSE),
        per_month=words.number(found.false_per_month, 2),
        open=found.count(Truth.OPEN),
    )
    if found.sensors:
        yield words.text("rescore.sensors", n=found.sensors)
    if found.left_out:
        yield words.text("rescore.left_out", n=found.left_out)
    if found.written is None:
        yield words.text("rescore.not_written")
    else:
        rows = ", ".join(f"{name} {words.number(n, 0)}" for name, n in sorted(found.written.items()))
        yield words.text("rescore.written", rows=rows)
    yield times.note(words)


def _judges(found: Outcome, words: Catalogue) -> Iterator[str]:
    for what in found.unusable:
        yield words.text("rescore.unusable", what=what)
    if found.baseline is None:
        yield words.text("rescore.limits_only")
        return
    status = words.text(f"baseline.{found.baseline.status}")
    yield words.text("rescore.baseline", version=found.baseline.version, status=status)
    if found.unlearned:
        yield words.text("rescore.unlearned", points=", ".join(found.unlearned))


def _firsts(found: Outcome, words: Catalogue, times: Times) -> Iterator[str]:
    alert, danger, named = found.first_alert, found.first_danger, found.diagnosis
    if alert is None:
        yield words.text("rescore.no_alert")
    else:
        level = Level.DANGER if alert.danger_ns == alert.raised_ns else Level.ALERT
        cause = Cause(alert.feature, alert.value, alert.unit, alert.limit, alert.limit, level=level)
        yield words.text(
            "rescore.first_alert",
            time=times.text(alert.raised_ns),
            alarm=alert.key.id,
            measured=measured_line(cause, words),
        )
    if danger is None or danger.danger_ns is None:
        yield words.text("rescore.no_danger")
    else:
        yield words.text("rescore.first_danger", time=times.text(danger.danger_ns), alarm=danger.key.id)
    if named is None:
        yield words.text("rescore.no_diagnosis")
    else:
        yield words.text(
            "rescore.diagnosis",
            fault=words.text(f"fault.{named.fault}"),
            confidence=words.number(100 * named.confidence, 0),
            time=times.text(named.named_ns),
            alarm=named.key.id,
        )


def _alert(episode: Episode, words: Catalogue, times: Times) -> str:
    level = words.text(f"alarm.level_{Level.DANGER if episode.danger_ns else Level.ALERT}")
    end = (
        words.text("rescore.still")
        if episode.ended_ns is None
        else words.text("rescore.until", time=times.text(episode.ended_ns))
    )
    return words.text(
        "rescore.alert",
        time=times.text(episode.raised_ns),
        alarm=episode.key.id,
        level=f"{level}, {end}",
        truth=words.text(f"rescore.{episode.truth or Truth.OPEN}"),
    )
