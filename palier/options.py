"""What commands share: options declared once, so that they are called and explained alike, and how they fail.

def ledger(data: DataOption, json_output: JsonOption = False, lang: LangOption = "fr") -> None: ...
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from models.types import Bearing
    from palier.locale import Catalogue

FAILED: Final = 1
"""Exit code: a check or a run failed."""

USAGE: Final = 2
"""Exit code: wrong usage or configuration."""


class CommandError(Exception):
    """Ends a command with a sentence for its user; `exit_code` is FAILED or USAGE."""

    def __init__(self, sentence: str, exit_code: int = FAILED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
LangOption = Annotated[
    str, typer.Option("--lang", envvar="PALIER_LANG", metavar="fr|en|ar", help="Language of what is printed.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML settings; the environment wins over them."),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Validate the settings, try the connections, and end.")
]
PrintConfigOption = Annotated[
    bool, typer.Option("--print-config", help="Print the settings in force, secrets masked, and end.")
]

FsOption = Annotated[
    float | None, typer.Option("--fs", metavar="HZ", help="Sample rate; wins over the index and the file.")
]
RpmOption = Annotated[
    float | None,
    typer.Option(
        "--rpm", metavar="R/MIN", help="Speed of rotation, 0 for a machine at rest; wins over the index."
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option("--unit", metavar="m/s²|g", help="Unit of the samples. Without it no zone is given."),
]
BearingOption = Annotated[
    str | None,
    typer.Option("--bearing", metavar="NAME", help="Designation of the rolling bearing, e.g. 6205."),
]
BearingOrdersOption = Annotated[
    str | None,
    typer.Option(
        "--bearing-orders",
        metavar="BPFO,BPFI,BSF,FTF",
        help="Its defect frequencies in multiples of the shaft speed, in place of --bearing.",
    ),
]
ChannelOption = Annotated[
    str | None, typer.Option("--channel", metavar="NAME", help="Read this channel only, e.g. DE.")
]
IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index",
        metavar="FILE",
        help="CSV with the columns file, fs (or fs_hz), rpm (or rate_hz), unit, labels; one row a record.",
    ),
]


def catalogue(lang: str) -> Catalogue:
    """The texts of `--lang`. Raises CommandError for a language we do not speak."""
    from palier.locale import Catalogue

    try:
        return Catalogue(lang)
    except ValueError as error:
        raise CommandError(f"--lang: {error}", USAGE) from error


def bearing_of(designation: str | None, orders: str | None) -> Bearing | None:
    """The bearing of `--bearing` or `--bearing-orders`, None without either. Raises CommandError."""
    if designation is not None and orders is not None:
        raise CommandError("--bearing and --bearing-orders must not both be given", USAGE)
    if orders is not None:
        return _bearing_of_orders(orders)
    if designation is None:
        return None
    from palier.bearings import find_bearing, not_in_catalogue
    from palier.limits import load_bearings

    known = load_bearings()
    bearing = find_bearing(designation, known)
    if bearing is None:
        raise CommandError(
            f"--bearing: {not_in_catalogue(designation, known)}; a near number is another geometry: give its "
            "own orders by --bearing-orders BPFO,BPFI,BSF,FTF, from its maker's catalogue",
            USAGE,
        )
    return bearing


def _bearing_of_orders(text: str) -> Bearing:
    from models.types import Bearing
    from palier.limits import wrong_orders

    try:
        bpfo, bpfi, bsf, ftf = (float(part) for part in text.split(","))
    except ValueError:
        bpfo = bpfi = bsf = ftf = 0.0
    if not all(0 < order < 1000 for order in (bpfo, bpfi, bsf, ftf)):
        raise CommandError(
            "--bearing-orders must be four numbers above 0, BPFO,BPFI,BSF,FTF in multiples of the shaft "
            f"speed like 3.585,5.415,2.357,0.398, got {text!r}",
            USAGE,
        )
    if mistake := wrong_orders(bpfo, bpfi, ftf):
        raise CommandError(f"--bearing-orders: {mistake}", USAGE)
    return Bearing("orders", bpfo, bpfi, bsf, ftf, source="--bearing-orders")
