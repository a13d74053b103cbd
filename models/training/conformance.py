"""What any detector must keep to, Palier's own and everybody else's: one suite.

In a notebook or a test of one's own package:

    from models.training import conformance
    conformance.check(my_factory)          # raises Nonconforming with a sentence for each rule that is broken

`my_factory(seed)` gives a detector that is not fitted (`models.training.detectors`). Under pytest the rules
can be told apart: `@pytest.mark.parametrize("rule", conformance.RULES, ids=lambda rule: rule.__name__)` and
`assert rule(my_factory) == ""`. The data are made here, from a seed; a check takes some seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.detection.context import Context
from models.features.gate import DoubleArray
from models.types import Refusal

from .detectors import Detector, Factory, Memory

ROWS: Final = 1200
COLUMNS: Final = 7
SEED: Final = 11
TRIED: Final = 60
FAR: Final = 12.0
CLOSE: Final = 1e-9
"""Relative difference that the order of a sum may make."""

Rule = Callable[[Factory], str]


class Nonconforming(AssertionError):
    """A detector that breaks rules; the text has a sentence for each."""


def check(factory: Factory) -> None:
    """Raises Nonconforming where detectors of this factory break a rule."""
    found = faults(factory)
    if found:
        raise Nonconforming("\n".join(found))


def faults(factory: Factory) -> tuple[str, ...]:
    """A sentence for each rule that is broken."""
    found = []
    for rule in RULES:
        try:
            sentence = rule(factory)
        except Exception as error:  # noqa: BLE001 - whatever a detector raises breaks a rule
            sentence = f"{rule.__name__}: it must not raise, got {type(error).__name__}: {error}."
        if sentence:
            found.append(sentence)
    return tuple(found)


def has_a_name(factory: Factory) -> str:
    """A name tells detectors apart in bundles: a text without spaces, the same for any seed."""
    name = factory(0).name
    fits = isinstance(name, str) and name and not any(c.isspace() or c == "/" for c in name)
    return (
        ""
        if fits and factory(1).name == name
        else _broken("name must be one text without spaces or slashes, the same for every seed", repr(name))
    )


def gives_one_score_a_row(factory: Factory) -> str:
    """`score` is float64 (m,), finite for rows that are complete, and empty for none."""
    fitted, x, context = _fitted(factory)
    for m in (0, 1, TRIED):
        scores = fitted.score(x[:m], _some(context, slice(0, m)))
        if not isinstance(scores, np.ndarray) or scores.shape != (m,) or scores.dtype != np.float64:
            return _broken(
                f"score must give float64 of shape ({m},) for {m} rows",
                f"{getattr(scores, 'dtype', type(scores).__name__)} {getattr(scores, 'shape', '')}",
            )
        if not np.isfinite(scores).all():
            return _broken(
                "score must be finite for a row that is complete", f"{scores[~np.isfinite(scores)][0]}"
            )
    return ""


def finds_the_strange_strange(factory: Factory) -> str:
    """A row far off in every column scores above 95 of 100 healthy ones."""
    fitted, x, context = _fitted(factory)
    signs = np.ones((2, COLUMNS))
    signs[1, ::2] = -1
    strange = fitted.score(FAR * signs, _some(context, slice(0, 2)))
    usual = float(np.quantile(fitted.score(x, context), 0.95))
    return (
        ""
        if (strange > usual).any()
        else _broken(
            f"a row {FAR:g} σ off in every column must score higher than 95 of 100 healthy ones "
            f"({usual:.3g}): higher "
            "is stranger",
            f"{strange.max():.3g}",
        )
    )


def is_the_same_again(factory: Factory) -> str:
    """The same data and seed give the same scores, to the last bit."""
    (one, x, context), (other, _, _) = _fitted(factory), _fitted(factory)
    return (
        ""
        if np.array_equal(one.score(x, context), other.score(x, context))
        else _broken("the same data and seed must give the same scores", "others: draw from the seed alone")
    )


def changes_nothing_it_is_given(factory: Factory) -> str:
    """Neither `fit` nor `score` nor `step` writes into what it is given."""
    x, context = _healthy()
    before = x.copy()
    x.flags.writeable = False
    try:
        fitted = _made(factory(SEED).fit(x, context))
        fitted.score(x, context)
        fitted.step(fitted.start(), x, context)
    except ValueError as error:
        if "read-only" in str(error):
            return _broken("what it is given must not be changed", f"an attempt to write ({error})")
        raise
    return "" if np.array_equal(x, before) else _broken("what it is given must not be changed", "another x")


def leaves_itself_as_it_was(factory: Factory) -> str:
    """`fit` gives a new detector; one that is fitted again, of other data, leaves the first as it was."""
    first, x, context = _fitted(factory)
    before = first.score(x, context)
    other, later = _healthy(SEED + 1, shift=2.0)
    again = _made(first.fit(other, later))
    if not np.array_equal(first.score(x, context), before):
        return _broken("fit must give a new detector and leave itself as it was", "one that had changed")
    afresh = _made(factory(SEED).fit(other, later))
    return (
        ""
        if np.array_equal(again.score(x, context), afresh.score(x, context))
        else _broken(
            "a detector that is fitted again must be as one that is fitted for the first time", "another"
        )
    )


def keeps_the_rule_on_unknown_values(factory: Factory) -> str:
    """A row of which nothing is known scores NaN; one NaN elsewhere does not change the score of other
    rows."""
    fitted, x, context = _fitted(factory)
    some = _some(context, slice(0, TRIED))
    tried = x[:TRIED].copy()
    tried[3] = np.nan
    tried[5, 0] = np.nan
    scores, usual = fitted.score(tried, some), fitted.score(x[:TRIED], some)
    if not np.isnan(scores[3]):
        return _broken("a row of which nothing is known must score NaN, never a number", f"{scores[3]}")
    if np.isinf(scores).any():
        return _broken("a score must never be infinite", "inf")
    if fitted.start():
        return ""  # what remembers may say other things of later rows
    rest = np.delete(np.arange(TRIED), [3, 5])
    return (
        ""
        if np.allclose(scores[rest], usual[rest], CLOSE, CLOSE)
        else _broken("an unknown value in one row must not change the scores of others", "others")
    )


def learns_in_spite_of_unknown_values(factory: Factory) -> str:
    """`fit` takes rows with NaN, and columns that are unknown throughout."""
    x, context = _healthy()
    x[::17, 2] = np.nan
    x[:, 4] = np.nan
    fitted = factory(SEED).fit(x, context)
    if isinstance(fitted, Refusal):
        return ""
    scores = fitted.score(x[:TRIED], _some(context, slice(0, TRIED)))
    return (
        ""
        if np.isfinite(scores).mean() > 0.5
        else _broken(
            "rows with most of their columns must have a score, where a column was never known", "mostly NaN"
        )
    )


def comes_back_from_its_parts(factory: Factory) -> str:
    """`from_parts(to_parts())` scores the same; parts are arrays of numbers, and estimators."""
    fitted, x, context = _fitted(factory)
    stored = fitted.to_parts()
    strange = [name for name, a in stored.arrays.items() if np.asarray(a).dtype.kind not in "fiub"]
    if strange:
        return _broken("to_parts must give arrays of numbers", f"others: {', '.join(strange)}")
    again = type(fitted).from_parts(stored)
    return (
        ""
        if np.array_equal(again.score(x, context), fitted.score(x, context))
        else _broken("what from_parts makes of to_parts must give the same scores", "others")
    )


def streams_as_it_scores(factory: Factory) -> str:
    """`step` with rows in chunks of any size gives what `score` gives of all; its memory is arrays of
    numbers."""
    fitted, x, context = _fitted(factory)
    whole = fitted.score(x[:TRIED], _some(context, slice(0, TRIED)))
    for size in (1, 7):
        memory: Memory = fitted.start()
        parts = []
        for first in range(0, TRIED, size):
            which = slice(first, min(first + size, TRIED))
            memory, scores = fitted.step(memory, x[which], _some(context, which))
            parts.append(scores)
        if not _numbers(memory):
            return _broken("what it remembers must be arrays of numbers by name", f"{dict(memory)!r}")
        if not np.allclose(np.concatenate(parts), whole, CLOSE, CLOSE, equal_nan=True):
            return _broken(f"steps of {size} rows must give what score gives of all", "others")
    return ""


RULES: Final[tuple[Rule, ...]] = (
    has_a_name,
    gives_one_score_a_row,
    finds_the_strange_strange,
    is_the_same_again,
    changes_nothing_it_is_given,
    leaves_itself_as_it_was,
    keeps_the_rule_on_unknown_values,
    learns_in_spite_of_unknown_values,
    comes_back_from_its_parts,
    streams_as_it_scores,
)
"""Each gives "" or the sentence that says how it is broken."""


def _fitted(factory: Factory) -> tuple[Detector, DoubleArray, Context]:
    x, context = _healthy()
    return _made(factory(SEED).fit(x, context)), x, context


def _made(fitted: Detector | Refusal) -> Detector:
    if isinstance(fitted, Refusal):
        raise ValueError(f"fit must take {ROWS} rows of {COLUMNS} columns, it refused: {fitted.reason}")
    return fitted


def _healthy(seed: int = SEED, shift: float = 0.0) -> tuple[DoubleArray, Context]:
    """Residuals as a healthy machine has them: of σ 1, half of it common, remembering the last."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(ROWS, COLUMNS)) + rng.normal(size=(ROWS, 1))
    for k in range(1, ROWS):
        noise[k] += 0.6 * noise[k - 1]
    x = noise / noise.std(axis=0) + shift
    time_s = 1.79e9 + 600.0 * np.arange(ROWS, dtype=np.float64)
    return x, Context(time_s, np.full(ROWS, 25.0), np.full(ROWS, 80.0))


def _some(context: Context, which: slice) -> Context:
    return Context(context.time_s[which], context.speed_hz[which], context.load[which])


def _numbers(memory: Mapping[str, npt.NDArray[Any]]) -> bool:
    return all(isinstance(a, np.ndarray) and a.dtype.kind in "fiub" for a in memory.values())


def _broken(rule: str, got: str) -> str:
    return f"{rule}; got {got}."
