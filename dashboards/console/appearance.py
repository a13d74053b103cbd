"""How a state looks: one map of tone, symbol and letter, and the order of urgency.

Colour never stands alone (about one man in twelve does not see red and green apart): each state also has a
shape and a letter. Strong colour is kept for what is abnormal, as ISA-101 asks of a calm screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.detection.zones import rank
from models.types import State


@dataclass(frozen=True, slots=True)
class Look:
    """What is drawn for a state.

    `tone` is a CSS class, `symbol` the id of a shape in `templates/_symbols.html`. `word` is the state whose
    name is written and `letters` the states whose letters are: one that is judged while it still learns has
    a dotted edge and the letter L, after that of its judgement where this is not "normal". `order` is smaller
    for a more urgent state.
    """

    state: State
    tone: str
    symbol: str
    order: int
    word: State
    letters: tuple[State, ...]
    dotted: bool = False


_PLAIN: Final = {
    State.DANGER: ("danger", "hexagon"),
    State.ALERT: ("alert", "triangle"),
    State.WATCH: ("watch", "diamond"),
    State.UNKNOWN: ("unknown", "ring"),
    State.UNCONFIGURED: ("unconfigured", "plus"),
    State.TRANSIENT: ("transient", "square-outline"),
    State.LEARNING: ("learning", "circle-dotted"),
    State.NORMAL: ("normal", "circle"),
    State.STOPPED: ("stopped", "square"),
}
"""Tone and symbol of each state. The letters stand in the locale."""

_NOT_JUDGED: Final = (State.UNKNOWN, State.UNCONFIGURED, State.STOPPED)
"""Whether such a machine still learns says nothing about what is shown of it."""


URGENT: Final = (State.WATCH, State.ALERT, State.DANGER)
"""Judgements that must be readable by their letter, also of a machine that still learns."""


def look_of(state: State, judged: State | None = None, *, learning: bool = False) -> Look:
    """The look of a state.

    A learning machine is shown as the standards' limits judge it (`judged`), with a dotted edge and the
    letter L, after the judgement's own where there is something to do; without any limits it stays neutral:
    it is learning, not normal.
    """
    still_learning = learning or state is State.LEARNING
    shown = state
    if state is State.LEARNING and judged not in (None, State.LEARNING):
        shown = judged or state
    dotted = still_learning and shown not in _NOT_JUDGED
    tone, symbol = _PLAIN[shown]
    judgement = (shown,) if shown in URGENT or not dotted else ()
    letters = (*judgement, State.LEARNING) if dotted else judgement
    return Look(state, tone, symbol, -rank(shown), word=shown, letters=letters, dotted=dotted)


def state_named(name: str | None) -> State:
    """The state of that name; a name that this version does not know is `State.UNKNOWN`, never normal."""
    try:
        return State(name or "")
    except ValueError:
        return State.UNKNOWN


STATES_BY_URGENCY: Final = tuple(sorted(State, key=rank, reverse=True))
"""All states, the most urgent first."""
