"""`palier alarms`: what is open, and what a person does about it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from palier.options import USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue
from palier.plant_times import times_of

from .alarms_text import alarm_json, alarm_line, alarm_lines
from .asking_text import DataOption, asks, one_of, read_records, seconds, tells

if TYPE_CHECKING:
    from palier.alarm_figures import Figures
    from palier.alarms import Alarm
    from palier.historian.records import RecordsReader
    from palier.historian.rows import Transition
    from palier.locale import Catalogue
    from palier.operations import Ask

DAY_S: Final = 86_400

alarms = typer.Typer(
    help="List open alarms; acknowledge, shelve, judge them.",
    short_help="List open alarms; acknowledge, shelve, judge them.",
    epilog="\b\nExample:\n  palier alarms list --data /var/lib/palier/ingest\n"
    "  palier alarms show P-101/2/vibration --data /var/lib/palier/ingest\n"
    "  palier alarms acknowledge P-101/2/vibration --config operator.toml\n"
    "  palier alarms shelve P-101/2/vibration --for 4h --why 'load test'",
    no_args_is_help=True,
)

AlarmArgument = Annotated[
    str, typer.Argument(metavar="ALARM", help="As the list names it: P-101/2/vibration.")
]
WhyOption = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it is recorded.")]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="A remark; it is recorded.")]


@alarms.command("list")
def list_open(
    *,
    data: DataOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """List the alarms that are open, the most urgent first."""
    words, times = catalogue(lang), times_of(data)
    found = read_records(data, _open)
    for alarm in found:
        line = (
            json.dumps(alarm.told(), ensure_ascii=False) if json_output else alarm_line(alarm, words, times)
        )
        typer.echo(line)
    if not quiet and not json_output:
        typer.echo(times.note(words) if found else words.text("alarm.none_open"))


@alarms.command()
def show(
    alarm: AlarmArgument,
    *,
    data: DataOption = None,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """Show one alarm: what was measured, the fault, what to do.

    It also tells what became of it so far.
    """
    words, times = catalogue(lang), times_of(data)
    found = read_records(data, lambda reader: _one(reader, alarm))
    if found is None:
        raise CommandError(words.text("reply.no_such_alarm", name=alarm), USAGE)
    told = alarm_json(*found) if json_output else [*alarm_lines(*found, words, times), times.note(words)]
    for text in told:
        typer.echo(text)


@alarms.command()
def figures(
    *,
    data: DataOption = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How far to look back.")] = 30,
    json_output: JsonOption = False,
    lang: LangOption = "fr",
) -> None:
    """Tell which alarms come most often, and which chatter.

    It also tells how many there are an hour.
    """
    from palier.alarm_figures import figures as count

    words = catalogue(lang)
    end_ns = time.time_ns() + 1
    since_ns = end_ns - days * DAY_S * 10**9
    found = count(read_records(data, lambda reader: reader.transitions(since_ns)), since_ns, end_ns)
    for text in _figures_json(found) if json_output else _figures_text(found, words):
        typer.echo(text)


@alarms.command()
@asks
def acknowledge(
    alarm: AlarmArgument,
    *,
    comment: CommentOption = "",
) -> Ask:
    """Say that you have seen an alarm."""
    from palier.operations import Acknowledge

    return Acknowledge(alarm, comment)


@alarms.command()
@asks
def shelve(
    alarm: AlarmArgument,
    *,
    why: WhyOption,
    for_: Annotated[
        str, typer.Option("--for", metavar="4h|90m|shift", help="How long, at most 8h.")
    ] = "shift",
) -> Ask:
    """Put an alarm aside for a while; it comes back by itself."""
    from palier.operations import Shelve

    return Shelve(alarm, why, seconds(for_))


@alarms.command()
@asks
def unshelve(
    alarm: AlarmArgument,
    *,
    why: WhyOption = "",
) -> Ask:
    """Take an alarm from its shelf."""
    from palier.operations import Unshelve

    return Unshelve(alarm, why)


@alarms.command("take-out")
@asks
def take_out(
    alarm: AlarmArgument,
    *,
    why: WhyOption,
) -> Ask:
    """Take an alarm out of service until it is put back."""
    from palier.operations import TakeOut

    return TakeOut(alarm, why)


@alarms.command("put-back")
@asks
def put_back(
    alarm: AlarmArgument,
    *,
    why: WhyOption = "",
) -> Ask:
    """Put an alarm back into service."""
    from palier.operations import PutBack

    return PutBack(alarm, why)


@alarms.command()
@tells
def verdict(
    alarm: AlarmArgument,
    verdict: Annotated[str, typer.Argument(metavar="confirmed|refuted|other_cause")],
    *,
    found: Annotated[
        str | None, typer.Option("--found", metavar="FAULT", help="What it was: outer_ring, unbalance, …")
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", metavar="CODE", help="Clause of ISO 15243, e.g. 5.2.2.")
    ] = None,
    text: CommentOption = "",
) -> Ask:
    """Tell what was found behind an alarm.

    Every verdict makes the next diagnosis better.
    """
    from models.diagnosis.types import Fault
    from palier.operations import CauseCode, Found, GiveVerdict

    return GiveVerdict(
        alarm,
        one_of("VERDICT", Found, verdict),
        None if found is None else one_of("--found", Fault, found),
        None if cause is None else one_of("--cause", CauseCode, cause),
        text,
    )


def _open(reader: RecordsReader) -> list[Alarm]:
    from palier.alarms import Alarm, AlarmError

    try:
        read = [Alarm.from_json(row.value) for row in reader.alarms()]
    except AlarmError as error:
        raise CommandError(f"the records hold an alarm of another version of Palier: {error}") from error
    return sorted((alarm for alarm in read if alarm.is_open), key=lambda alarm: alarm.urgency)


def _one(reader: RecordsReader, name: str) -> tuple[Alarm, list[Transition]] | None:
    from palier.alarms import Alarm, AlarmError

    row = next((row for row in reader.alarms() if row.id == name), None)
    if row is None:
        return None
    try:
        alarm = Alarm.from_json(row.value)
    except AlarmError as error:
        raise CommandError(f"the records hold an alarm of another version of Palier: {error}") from error
    key = alarm.key
    place = (key.site, key.machine, key.point, key.mode.value)
    events = reader.transitions(0, "alarm")
    return alarm, [t for t in events if (t.site, t.machine, t.point, t.channel) == place]


def _figures_text(found: Figures, words: Catalogue) -> list[str]:
    lines = [words.text("alarm.figures", raises=found.raises, per_hour=words.number(found.per_hour, 2))]
    for actor in dict.fromkeys((*found.bad_actors, *found.chattering)):
        key = "alarm.actor_chatters" if actor.chatters else "alarm.actor"
        share = words.number(100 * actor.share, 0)
        lines.append(
            words.text(key, alarm=actor.alarm, raises=actor.raises, share=share, most=actor.most_in_a_minute)
        )
    return lines


def _figures_json(found: Figures) -> list[str]:
    actors = [
        {"alarm": a.alarm, "raises": a.raises, "share": a.share, "most_in_a_minute": a.most_in_a_minute}
        for a in found.actors
    ]
    told = {"raises": found.raises, "per_hour": found.per_hour, "priorities": dict(found.priorities)}
    return [json.dumps(told | {"actors": actors}, ensure_ascii=False)]
