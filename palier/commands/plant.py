"""`palier plant new` and `palier plant check`: a plant.toml made step by step, and every mistake in one."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palier.options import FAILED, USAGE, CommandError, JsonOption, LangOption, QuietOption, catalogue

if TYPE_CHECKING:
    from palier.locale import Catalogue
    from palier.plant import Plant

plant = typer.Typer(
    help="Make or check a plant.toml: the machines, their points, bearings and limits.",
    short_help="Make or check a plant.toml: machines, points, bearings, limits.",
    epilog="\b\nExample:\n  palier plant new plant.toml\n  palier plant check plant.toml",
    no_args_is_help=True,
)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The plant.toml.")]


@plant.command(epilog="\b\nExample:\n  palier plant check plant.toml --json")
def check(
    file: FileArgument,
    *,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    lang: LangOption = "fr",
) -> None:
    """Tell every mistake of a plant.toml with its line, all at once.

    Exits with 2 when there is any.
    """
    from palier.plant import PlantError, load_plant

    words = catalogue(lang)
    try:
        found = load_plant(file)
    except PlantError as error:
        mistakes = [{"line": m.line, "text": m.text} for m in error.mistakes]
        if json_output:
            typer.echo(json.dumps({"file": str(file), "ok": False, "mistakes": mistakes}, ensure_ascii=False))
        else:
            typer.echo(str(error), err=True)
            typer.echo(words.text("cli.check_failed", count=len(mistakes)), err=True)
        raise typer.Exit(USAGE) from error
    counts = _counts(found)
    if json_output:
        typer.echo(json.dumps({"file": str(file), "ok": True, "mistakes": [], **counts}, ensure_ascii=False))
    elif not quiet:
        typer.echo(words.text("cli.check_ok", file=file, **counts))


def _counts(found: Plant) -> dict[str, int]:
    points = [point for machine in found.machines for point in machine.points]
    channels = sum(len(point.channels) for point in points)
    return {"machines": len(found.machines), "points": len(points), "channels": channels}


@plant.command(epilog="\b\nExample:\n  palier plant new plant.toml --lang en")
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written, or added to.")] = Path("plant.toml"),
    *,
    lang: LangOption = "fr",
) -> None:
    """Ask for one machine, and write it or add it to a plant.toml.

    Each answer is checked at once, and the file is written only when the whole plant is right: what was
    there before stays as it was, comments included.
    """
    from palier.plant import load_plant, parse_plant

    words = catalogue(lang)
    _refuse_unwritable(file)
    before = load_plant(file) if file.exists() else None
    text = file.read_text("utf-8") if before is not None else ""
    typer.echo(words.text("plant_new.intro"))
    ask = Questions(words)
    if before is None:
        text += _site(ask)
    text = text.rstrip("\n") + "\n\n" + _machine(ask, {m.id for m in before.machines} if before else set())
    found = parse_plant(text, file=file)  # the last word: what is written is what would be accepted
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{file} can't be written: {error.strerror}", FAILED) from error
    typer.echo(words.text("plant_new.written", file=file, machines=len(found.machines)))


def _refuse_unwritable(file: Path) -> None:
    """Told before the first question, not after the last answer."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise CommandError(f"{file} can't be written: there is no folder {folder}, make it first", USAGE)
    if file.is_dir():
        raise CommandError(f"{file} is a folder: name the file to write, like {file / 'plant.toml'}", USAGE)
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise CommandError(f"{file} can't be written: this user may not write there", FAILED)


class Questions:
    """Asks until the answer fits; refusals and questions are in the user's language."""

    def __init__(self, words: Catalogue) -> None:
        self._words = words

    def text(
        self,
        key: str,
        default: str | None = None,
        check: Callable[[str], str | None] | None = None,
        **params: Any,
    ) -> str:
        """An answer that `check` has no objection to; `default` "" allows an empty one."""
        while True:
            answer = str(
                typer.prompt(
                    self._words.text(f"plant_new.{key}", **params),
                    default=default,
                    show_default=bool(default),
                )
            ).strip()
            objection = check(answer) if check else None
            if objection is None:
                return answer
            typer.echo(self._words.text("plant_new.again", reason=objection), err=True)

    def choice(
        self, key: str, choices: Iterable[str], default: str, *, labels: str = "", **params: Any
    ) -> str:
        """One of a few ids. `labels` begins the keys of their words, which are shown and taken as well."""
        shown = {x: self._label(labels, x) for x in choices}
        ids = {_folded(word): x for x, word in shown.items()} | {_folded(x): x for x in shown}
        listed = ", ".join(shown.values())

        def check(answer: str) -> str | None:
            return None if _folded(answer) in ids else self._words.text("plant_new.one_of", choices=listed)

        return ids[_folded(self.text(key, shown[default], check, choices=listed, **params))]

    def _label(self, labels: str, choice: str) -> str:
        key = labels + choice
        return self._words.text(key) if labels and key in self._words else choice

    def limits(self) -> str:
        """The id of limits, from a numbered list that is shown once, or NO_LIMITS."""
        from palier.limits import load_limits
        from palier.plant import NO_LIMITS, point_limits

        known, ids, none = load_limits(), point_limits(), self._words.text("plant_new.limits_none")
        for number, limits_id in enumerate(ids, start=1):
            row = known[limits_id]
            parts = (("standard", row.standard), ("scope", row.scope), ("support", row.support))
            told = ", ".join(self._label(f"report.{name}_", part) for name, part in parts if part)
            typer.echo(f"{number:4}  {limits_id:27}{told}")
        taken = {str(i + 1): x for i, x in enumerate(ids)} | {x: x for x in ids}
        taken |= {_folded(none): NO_LIMITS, NO_LIMITS: NO_LIMITS}

        def check(answer: str) -> str | None:
            if _folded(answer) in taken:
                return None
            return self._words.text("plant_new.limits_again", none=none)

        return taken[_folded(self.text("limits", none, check, none=none))]

    def power(self) -> float | None:
        """A number of kW above 0, or None."""
        answer = self.text("power_kw", "", lambda a: self._objection(a) if a else None)
        return float(answer.replace(",", ".")) if answer else None

    def _objection(self, answer: str, *, whole: bool = False) -> str | None:
        try:
            value = float(answer.replace(",", "."))
        except ValueError:
            value = 0.0
        fits = 0 < value < 1e7 and (not whole or value == int(value))
        return None if fits else self._words.text("plant_new.whole" if whole else "plant_new.positive")

    def number(self, key: str, default: float | None = None, *, whole: bool = False, **params: Any) -> float:
        """A number above 0; a decimal comma is understood."""

        def check(answer: str) -> str | None:
            return self._objection(answer, whole=whole)

        answer = self.text(key, None if default is None else f"{default:g}", check, **params)
        return float(answer.replace(",", "."))

    def name(self, key: str, taken: Iterable[str] = (), default: str | None = None, **params: Any) -> str:
        """A name that topics and files can carry and that is not taken."""
        from palier.frames import NAME_PATTERN

        def check(answer: str) -> str | None:
            if not NAME_PATTERN.fullmatch(answer):
                return self._words.text("plant_new.bad_name")
            return self._words.text("plant_new.taken") if answer in taken else None

        return self.text(key, default, check, **params)

    def yes(self, key: str) -> bool:
        """Yes or no, in the letters of the language; no is the default."""
        yes, no = (self._words.text(f"plant_new.{word}") for word in ("yes", "no"))
        return self.choice(key, (yes, no), no) == yes

    def timezone(self) -> str:
        """A time zone that is known here."""
        from palier.local_time import zone_names

        known = zone_names()

        def check(answer: str) -> str | None:
            return self._words.text("plant_new.bad_timezone") if known and answer not in known else None

        return self.text("timezone", "Africa/Casablanca", check)

    def bearing(self, number: int) -> str:
        """A known designation, or ""."""
        from palier.bearings import find_bearing
        from palier.limits import load_bearings

        known = load_bearings()

        def check(answer: str) -> str | None:
            if not answer or find_bearing(answer, known):
                return None
            return self._words.text("plant_new.bad_bearing", known=", ".join(known))

        return self.text("bearing", "", check, number=number)


def _site(ask: Questions) -> str:
    site_id = ask.name("site_id")
    return (
        f"[site]\nid = {_quoted(site_id)}\nname = {_quoted(ask.text('site_name', site_id))}\n"
        f"timezone = {_quoted(ask.timezone())}\n"
    )


def _machine(ask: Questions, taken: set[str]) -> str:
    from palier.plant import CRITICALITIES, KINDS

    machine_id = ask.name("machine_id", taken)
    lines = ["[[machine]]", f"id = {_quoted(machine_id)}"]
    lines.append(f"name = {_quoted(ask.text('machine_name', machine_id))}")
    if line := ask.text("machine_line", ""):
        lines.append(f"line = {_quoted(line)}")
    lines.append(f"kind = {_quoted(ask.choice('kind', KINDS, 'machine', labels='page.kind_'))}")
    lines.append(f"criticality = {_quoted(ask.choice('criticality', CRITICALITIES, 'B'))}")
    if power_kw := ask.power():
        lines.append(f"power_kw = {_plain(power_kw)}")
    lines.append(f"speed = {_speed(ask)}")
    lines.append(f"limits = {_quoted(ask.limits())}")
    points: set[str] = set()
    for number in range(1, int(ask.number("points", 2, whole=True)) + 1):
        lines += ["", *_point(ask, number, points)]
    return "\n".join(lines) + "\n"


def _speed(ask: Questions) -> str:
    """The two sources that need no further channel, or the gateway's; others are for the editor."""
    sources = ("fixed", "frame", "unknown")
    source = ask.choice("speed_source", sources, "fixed", labels="plant_new.source_")
    rpm = f", rpm = {_plain(ask.number('rpm'))}" if source == "fixed" else ""
    return f'{{ source = "{source}"{rpm} }}'


def _point(ask: Questions, number: int, taken: set[str]) -> list[str]:
    from palier.plant import MOUNTINGS

    point_id = ask.name("point_id", taken, str(number), number=number)
    taken.add(point_id)
    lines = ["[[machine.point]]", f"id = {_quoted(point_id)}"]
    lines.append(f"name = {_quoted(ask.text('point_name', point_id, number=number))}")
    if bearing := ask.bearing(number):
        lines.append(f"bearing = {_quoted(bearing)}")
    order = ask.number("shaft_order", 1, number=number)
    lines += [f"shaft_order = {_plain(order)}"] if order != 1 else []
    mounting = ask.choice("mounting", MOUNTINGS, "stud", labels="plant_new.mounting_")
    lines.append(f"mounting = {_quoted(mounting)}")
    fs_hz = ask.number("fs_hz", 25600)
    seconds = ask.number("seconds", 4)
    unit = ask.choice("unit", ("m/s²", "g", "unknown"), "m/s²", labels="plant_new.unit_")
    lines += _channel("H", "acceleration", unit)
    lines += ['direction = "H"', f"fs_hz = {_plain(fs_hz)}", f"samples = {round(fs_hz * seconds)}"]
    return lines + (_channel("T", "temperature", "°C") if ask.yes("temperature") else [])


def _channel(name: str, quantity: str, unit: str) -> list[str]:
    return [
        "",
        "[[machine.point.channel]]",
        f"id = {_quoted(name)}",
        f"quantity = {_quoted(quantity)}",
        f"unit = {_quoted(unit)}",
    ]


def _folded(answer: str) -> str:
    """Without case and accents: "Motoreducteur" is motoréducteur, and "m/s2" is m/s²."""
    return "".join(
        c for c in unicodedata.normalize("NFKD", answer.casefold()) if not unicodedata.combining(c)
    )


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a TOML basic string
