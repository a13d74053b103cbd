"""Remaining life: on simulated lives against the goals, and on recorded runs to failure as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .detection_protocol import Figure, Protocol
from .life_acceptance import MOMENTS, Acceptance, Counted, acceptance, other
from .life_recorded import ims, ldm
from .lives import CLASSES

REFERENCE: Final = "80 % by its name"


def run_simulated(data: Path) -> Iterator[Figure]:
    """1,000 simulated lives, each asked three times; `data` is not read."""
    yield from _goals(acceptance())
    bare = acceptance(taught_by=None).pooled()
    yield _covered("no class history", bare)
    yield _late("no class history", bare)
    wrong = acceptance(taught_by=other()).pooled()
    yield _covered("taught by faster kinds", wrong)
    yield _late("taught by faster kinds", wrong)


def _goals(found: Acceptance) -> Iterator[Figure]:
    pooled = found.pooled()
    yield _covered("1,000 lives", pooled, ">= 76")
    yield _covered("1,000 lives", pooled, "<= 84")
    yield _late("1,000 lives", pooled, "< 10")
    kinds = [(kind.name, found.pooled(kind=kind.name)) for kind in CLASSES]
    for name, counted in kinds:
        yield _covered(name, counted, ">= 70" if counted.coverage < 0.8 else "<= 90")
    for share in MOMENTS:
        counted = found.pooled(share=share)
        yield _covered(f"{share:.0%} from onset to end", counted)
        yield _late(f"{share:.0%} from onset to end", counted)
    yield Figure("answered, not refused", 100 * pooled.answered, "%", note=f"of {pooled.cases} questions")
    yield Figure("relative accuracy of P50, median", pooled.accuracy, "1", note=_note(pooled))


def _covered(name: str, counted: Counted, goal: str | None = None) -> Figure:
    value = 100 * counted.coverage
    return Figure(f"{name}: end in [P10, P90]", value, "%", goal, REFERENCE, note=_note(counted))


def _late(name: str, counted: Counted, goal: str | None = None) -> Figure:
    return Figure(f"{name}: P10 after the end", 100 * counted.late, "%", goal, "10 % by its name")


def _note(counted: Counted) -> str:
    return (
        f"{counted.answered:.0%} of {counted.cases} answered, median P90/P10 {counted.width:.1f}, "
        f"median P50/actual {counted.p50:.2f}"
    )


def run_recorded(data: Path) -> Iterator[Figure]:
    """Bearings that ran to failure: no history, no calibration of theirs, no goal."""
    for read in (ims, ldm):
        for name, asked in read(data):
            said = [one for one in asked if one.holds is not None]
            held = sum(bool(one.holds) for one in said)
            note = "; ".join(str(one) for one in asked) or "never in sustained alert"
            yield Figure(
                f"{name}: end in [P10, P90]", 100 * held / len(said) if said else None, "%", note=note
            )


PROTOCOLS: Final = (
    Protocol(
        "life",
        "Remaining life, simulated",
        needs=(),
        run=run_simulated,
        about="Five kinds of machines, 200 lives each, asked at 0.5, 0.75 and 0.9 of the time from onset to "
        "end; class histories from 60 and the calibration from 80 other lives of each kind, of other seeds. "
        "Lives have random onsets, growth rates and loads (damage by their cube), stops, jumps, plateaus, "
        "repairs, and noise that remembers. Counted are answers; what was refused stands beside.",
    ),
    Protocol(
        "life-recorded",
        "Remaining life, recorded runs to failure",
        needs=("ims_features", "ldm"),
        run=run_recorded,
        about="IMS: acceleration of the bearings that failed, threshold four times its level in health. LDM: "
        "the housing's rise over the room, threshold 55 K. Asked at 0.5, 0.75 and 0.9 of the time from the "
        "first sustained alert to the threshold, or to the end of the run where it is not reached. No class "
        "history. Report only.",
    ),
)
