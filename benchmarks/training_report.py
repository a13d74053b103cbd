"""What `palier bench training` found, as values, and what it must reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

from .goals import Found, judge
from .machine import Machine
from .report import Aim, Goal, flat
from .training_data import Months
from .training_faults import Named
from .training_faults import Report as Faults
from .training_reload import Reload

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""

QUICK_SAYS: Final = "--quick: not of this size"


class Fits(NamedTuple):
    """Seconds to fit the baselines of so many points, by all cores, by one, and by a plain loop of
    scikit-learn (one machine measured, times machines); `different` of `files` that were not byte-identical
    when trained again; `cluster_s` on a Dask cluster, None where none was named.
    """

    points: int
    seconds: float
    one_core_s: float
    loop_s: float
    different: int
    files: int
    cluster_s: float | None = None


class Reads(NamedTuple):
    """Rows of a month of all machines, seconds as a table, and seconds of a bare SELECT of the same."""

    rows: int
    seconds: float
    bare_s: float


class Replays(NamedTuple):
    """Seconds to go through `days` of a machine of three points, and to read them before."""

    days: int
    blocks: int
    seconds: float
    read_s: float
    machines: int


AIMS: Final = (
    Aim("fit", "baselines, 50 machines x 3 points x 90 days, fitted", "s", "on one core", "<=", 60.0),
    Aim("command", "the same, palier train: read, fit, kept", "s", "", "<=", 60.0),
    Aim("loop", "fits, against a loop of scikit-learn", "s", "scikit-learn", ">=", 1.0),
    Aim("replay", "replay of 90 days of a machine, reading included", "s", "reading alone", "<=", 20.0),
    Aim("read", "a month of 50 machines read", "s", "bare SELECT", "<=", 10.0),
    Aim("again", "files that differ when trained again", "", "files", "<=", 0.0),
    Aim("lost", "frames lost over reloads", "", "frames", "<=", 0.0),
    Aim("pause", "pause of a reload, gateways offering 1,000 frames a second", "ms", "", "<=", 50.0),
    Aim("taken", "until a promotion is in force", "s", "", "<=", 5.0),
    Aim("named", "held-out machines whose fault is named", "%", "", ">=", 95.0),
    Aim("unseen", "machines with a fault never seen: unidentified", "%", "", ">=", 90.0),
)


@dataclass(frozen=True)
class Report:
    """All of it. `reload` is None where it was not measured, and `absent` may say why."""

    machine: Machine
    quick: bool
    months: Months
    fits: Fits
    command_s: float
    reads: Reads
    replays: Replays
    faults: Faults
    reload: Reload | None
    absent: str = ""
    goals: tuple[Goal, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys are stable within a `version`."""
        return {
            "bench": "training",
            "version": VERSION,
            "machine": {**vars(self.machine), "busy": self.machine.busy},
            "quick": self.quick,
            "goals": [flat(goal) for goal in self.goals],
            "months": self.months._asdict(),
            "fits": self.fits._asdict(),
            "command_s": self.command_s,
            "reads": self.reads._asdict(),
            "replays": self.replays._asdict(),
            "faults": {
                "pumps": asdict_of(self.faults.garden),
                "held_out": [asdict_of(one) for one in self.faults.held_out],
                "unseen": [asdict_of(one) for one in self.faults.unseen],
                "calm": asdict_of(self.faults.calm),
            },
            "reload": None if self.reload is None else self.reload._asdict(),
            "absent": self.absent,
        }


def asdict_of(value: Any) -> dict[str, Any]:
    """A named tuple or dataclass as a dict."""
    found: dict[str, Any] = value._asdict() if hasattr(value, "_asdict") else asdict(value)
    return found


def goals(report: Report) -> tuple[Goal, ...]:
    """Every goal: met, or not, or not measured and why."""
    fits, reads, replays = report.fits, report.reads, report.replays
    whole = replays.seconds + replays.read_s
    sized: dict[str, Found | str] = {
        "fit": Found(fits.seconds, fits.one_core_s, fits.seconds, f"{fits.points} points"),
        "command": Found(report.command_s, None, report.command_s),
        "replay": Found(whole, replays.read_s, whole, f"{replays.blocks:,} blocks"),
        "read": Found(reads.seconds, reads.bare_s, reads.seconds, f"{reads.rows:,} rows of four features"),
    }
    if report.quick:
        sized = dict.fromkeys(sized, QUICK_SAYS)
    found: dict[str, Found | str] = {
        **sized,
        "loop": Found(fits.one_core_s, fits.loop_s, fits.loop_s / fits.one_core_s, "both on one core"),
        "again": Found(fits.different, fits.files, fits.different, "one core, then all cores"),
        **_of_reload(report),
        **_of_faults(report.faults),
    }
    return tuple(judge(aim, found[aim.key]) for aim in AIMS)


def _of_reload(report: Report) -> dict[str, Found | str]:
    told = report.reload
    if told is None:
        return dict.fromkeys(("lost", "pause", "taken"), report.absent or QUICK_SAYS)
    lost = told.sent - told.stored
    at = f"{told.swaps} swaps of {told.points} points at {told.rate:,.0f} frames a second"
    return {
        "lost": Found(lost, told.sent, lost, at),
        "pause": Found(told.pause_ms, None, told.pause_ms, _seen(told)),
        "taken": Found(told.late_s, None, told.late_s),
    }


def _seen(told: Reload) -> str:
    """What gateways saw of it."""
    return (
        f"the longest time without an acknowledgement is {told.silent_ms:.0f} ms around a swap, and "
        f"{told.usual_ms:.0f} ms in as many seconds without one"
    )


def _of_faults(told: Faults) -> dict[str, Found | str]:
    return {"named": _share(told.held_out), "unseen": _share(told.unseen)}


def _share(some: Sequence[Named]) -> Found:
    pumps, right = sum(one.pumps for one in some), sum(one.pumps_right for one in some)
    blocks = 100 * sum(one.blocks_right for one in some) / sum(one.blocks for one in some)
    share = 100 * right / pumps
    return Found(share, None, share, f"{right} of {pumps} pumps; {blocks:.1f} % of their blocks")
