"""Which blocks of a batch the watch fails on: found by halving, so that one strange block silences no other.

The steps are pure: trying them costs time, and only in a batch that failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from .judging import Assessed
from .watch_batch import Watched

Step = Callable[[Sequence[Assessed]], Watched]


def stepped(assessed: Sequence[Assessed], step: Step) -> tuple[Watched, dict[int, Exception]]:
    """What `step` makes of a batch, without the blocks that make it fail; these, by their place, with the
    error. What the limits say of them stands.

    Raises what `step` does where no single block is to blame.
    """
    try:
        return step(assessed), {}
    except Exception as error:  # noqa: BLE001 - whatever a stranger's samples provoke stays with that block
        failing = dict(_among(assessed, step, range(len(assessed)), error))
    kept = [i for i in range(len(assessed)) if i not in failing]
    return _put_back(step([assessed[i] for i in kept]), assessed, kept, len(failing)), failing


def _failing(assessed: Sequence[Assessed], step: Step, places: Sequence[int]) -> list[tuple[int, Exception]]:
    try:
        step([assessed[i] for i in places])
    except Exception as error:  # noqa: BLE001 - see above
        return _among(assessed, step, places, error)
    return []


def _among(
    assessed: Sequence[Assessed], step: Step, places: Sequence[int], error: Exception
) -> list[tuple[int, Exception]]:
    """Which of some blocks fail, that failed together with this error."""
    if len(places) <= 1:
        return [(place, error) for place in places]
    half = len(places) // 2
    return _failing(assessed, step, places[:half]) + _failing(assessed, step, places[half:])


def _put_back(
    watched: Watched, assessed: Sequence[Assessed], kept: Collection[int], left_out: int
) -> Watched:
    """With the blocks that were left out, as they were, in their places."""
    places = list(kept)
    whole = list(assessed)
    for i, entry in zip(places, watched.assessed, strict=True):
        whole[i] = entry
    verdicts = {places[i]: verdict for i, verdict in watched.verdicts.items()}
    return replace(watched, assessed=whole, verdicts=verdicts, left_out=left_out)
