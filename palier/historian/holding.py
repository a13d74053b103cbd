"""Who holds a row: the frame that wrote it first; but features alone give way to their block's own samples.

A gateway may send a block's features, and its waveform later, on demand: two frames of one acquisition, under
one key. Rows of features alone carry a mark before the frame's name, so that any store knows without asking:
the row of the waveform takes their place, and they never take its. Everything else is a conflict."""

from __future__ import annotations

from typing import Final

FEATURES_MARK: Final = "features:"
"""Before "edge:epoch:seq" in rows of a frame that held features and no samples. No name of a site holds a
colon, so that no frame is called so by itself."""

REASON_CONFLICT: Final = "conflict"
"""The key is held by another frame; what it wrote stays."""
REASON_SUPERSEDED: Final = "superseded"
"""Features of a block whose own samples are here: nothing is missing by leaving them out."""


def of_features(frame: object) -> bool:
    """Whether rows of this frame came of features alone."""
    return isinstance(frame, str) and frame.startswith(FEATURES_MARK)


def gives_way(held: object, comes: object) -> bool:
    """Whether the row that `held` wrote is replaced by that of the frame that `comes`."""
    return of_features(held) and bool(comes) and not of_features(comes)


def refusal(held: object, comes: object) -> str | None:
    """Why a row of the frame that `comes` is not taken where another frame `held` its key; None: it is."""
    if held == comes or gives_way(held, comes):
        return None
    return REASON_SUPERSEDED if gives_way(comes, held) else REASON_CONFLICT
