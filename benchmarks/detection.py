"""`palier bench detection`: every protocol on recorded data, run and judged against its goals."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from palier.options import FAILED, USAGE, CommandError
from palier.strict_toml import did_you_mean

from .detection_protocol import Figure, Protocol

VERSION: Final = 1
"""Of the JSON: it rises when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a protocol found. `why` says why it was not run, or why it ended early; empty where it was run."""

    protocol: Protocol
    figures: tuple[Figure, ...]
    seconds: float
    why: str = ""
    failed: bool = False

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.protocol.name,
            "title": self.protocol.title,
            "seconds": round(self.seconds, 1),
            "failed": self.failed,
            "why": self.why,
            "figures": [{**asdict(figure), "met": figure.met} for figure in self.figures],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What all protocols found."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> bool:
        """Whether a protocol broke off. A goal that is not met is no failure of the run."""
        return any(outcome.failed for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """For programs; the keys are stable within a `version`."""
        return {
            "bench": "detection",
            "version": VERSION,
            "protocols": [outcome.as_json() for outcome in self.outcomes],
        }


def find_protocols() -> tuple[Protocol, ...]:
    """All of this folder, in the order of their modules' names and in that of each module."""
    package = importlib.import_module(__package__ or "benchmarks")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    found: list[Protocol] = []
    for name in names:
        if name.startswith("detection_"):
            module = importlib.import_module(f"{package.__name__}.{name}")
            found += getattr(module, "PROTOCOLS", ())
            found += [module.PROTOCOL] if hasattr(module, "PROTOCOL") else []
    return tuple(found)


def choose(protocols: Sequence[Protocol], only: Sequence[str]) -> tuple[Protocol, ...]:
    """Those of `--only`, all without any. Raises CommandError for a name that none has."""
    known = {protocol.name: protocol for protocol in protocols}
    for name in only:
        if name not in known:
            near = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise CommandError(f"--only: there is no protocol {name!r}{near}", USAGE)
    return tuple(known[name] for name in dict.fromkeys(only)) if only else tuple(protocols)


def bench_detection(
    data: Path, protocols: Iterable[Protocol], tell: Callable[[Protocol], None] = lambda _: None
) -> Report:
    """Run the protocols, one after the other. Raises CommandError where `data` holds nothing for any."""
    if not data.is_dir():
        raise CommandError(f"--data: {data} must be the folder that holds the recordings, and is none", USAGE)
    outcomes = []
    for protocol in protocols:
        tell(protocol)
        outcomes.append(_run(protocol, data))
    if outcomes and not any(outcome.figures or outcome.failed for outcome in outcomes):
        needed = sorted({folder for outcome in outcomes for folder in outcome.protocol.needs})
        raise CommandError(
            f"--data: {data} holds nothing that a protocol needs: there must be folders {', '.join(needed)}",
            FAILED,
        )
    return Report(tuple(outcomes))


def _run(protocol: Protocol, data: Path) -> Outcome:
    absent = [folder for folder in protocol.needs if not (data / folder).exists()]
    if absent:
        return Outcome(protocol, (), 0.0, f"not run: {', '.join(absent)} is absent from {data.name}")
    figures: list[Figure] = []
    started = time.perf_counter()
    try:
        figures.extend(protocol.run(data))
    except Exception as error:  # noqa: BLE001 - what one protocol meets must not hide what others found
        why = f"broke off: {type(error).__name__}: {error}"
        return Outcome(protocol, tuple(figures), time.perf_counter() - started, why, failed=True)
    return Outcome(protocol, tuple(figures), time.perf_counter() - started)
