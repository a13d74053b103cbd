"""What is acquired of a plant, and how often: the tasks of a gateway, and the options they follow from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.types import ChannelSpec, MachineSpec, PointSpec, Quantity
from palier.frames import MAX_FRAME_BYTES
from palier.table_mistakes import TableMistakes

from .machines.machine import waveform_channels

READINGS_INTERVAL_S: Final = 60.0
"""Slow values travel at most once a minute."""

DEFAULT_INTERVAL_S: Final = 5.0
DEFAULT_BLOCK_S: Final = 4.0
"""For a channel of which the plant states no length: 4 s resolve 0.25 Hz."""

KEYS: Final = frozenset(
    {
        *("plant_file", "machine", "machines", "scenario", "scenario_file"),
        *("seed", "interval_s", "block_s", "seconds", "origin_s", "time_scale", "truth_file"),
    }
)


@dataclass(frozen=True, slots=True)
class Options:
    """The source's table of agent.toml, checked.

    None: `block_s` as the plant says, `seconds` no end, `origin_s` (hour 0 of the scenario, seconds since
    1970 UTC) when the source starts, `truth_file` nowhere.
    """

    plant: Path | None = None
    machines: tuple[str, ...] = ()
    scenario: str = "healthy"
    scenario_file: Path | None = None
    seed: int = 0
    interval_s: float = DEFAULT_INTERVAL_S
    block_s: float | None = None
    seconds: float | None = None
    origin_s: float | None = None
    time_scale: float = 1.0
    truth_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to acquire again and again: a block of `point`, or the readings of the machine (None)."""

    machine: str
    point: PointSpec | None
    fs_hz: float
    n: int
    channels: tuple[ChannelSpec, ...]
    every_s: float

    @property
    def seconds(self) -> float:
        """How long the acquisition lasts."""
        return self.n / self.fs_hz if self.point else 0.0


def tasks_of(spec: MachineSpec, options: Options) -> tuple[Task, ...]:
    """What is acquired of a machine: a block for each point with waveform channels, and its slow readings.

    Raises TableError with a sentence for each block that can't be.
    """
    tasks, found = [], TableMistakes()
    for point in spec.points:
        channels = tuple(point.channels[k] for k in waveform_channels(point))
        if channels and (block := found.read(None, _block, spec, point, channels, options)) is not None:
            tasks.append(block)
    found.refuse()
    slow = tuple(c for p in spec.points for c in p.channels if is_slow(c))
    if slow:
        tasks.append(Task(spec.id, None, 1.0, 0, slow, max(READINGS_INTERVAL_S, options.interval_s)))
    return tuple(tasks)


def stagger(tasks: Sequence[Task], interval_s: float) -> list[float]:
    """Seconds until each task's first frame: readings at once, blocks spread over one interval.

    Spread, they load gateway, broker and host evenly; none ends before its own length has passed.
    """
    blocks = [k for k, task in enumerate(tasks) if task.point is not None]
    offsets = {k: interval_s * n / len(blocks) for n, k in enumerate(blocks)}
    return [task.seconds + offsets.get(k, 0.0) for k, task in enumerate(tasks)]


def slow_channels(spec: MachineSpec) -> tuple[tuple[PointSpec, ChannelSpec], ...]:
    """The slow channels of a machine with their points, in the order of its readings."""
    return tuple((p, c) for p in spec.points for c in p.channels if is_slow(c))


def is_slow(channel: ChannelSpec) -> bool:
    """Whether a channel gives readings, not waveforms."""
    return channel.quantity is not Quantity.ACCELERATION


def read_options(options: Mapping[str, object]) -> Options:
    """The options of a table. Raises TableError naming each wrong key, what it must be, and what it was."""
    found = TableMistakes()
    strange = sorted(set(options) - KEYS)
    if strange:
        found.note(f"the simulated source has the keys {', '.join(sorted(KEYS))}; got {', '.join(strange)}")
    checked = Options(
        plant=found.read(None, _path, options, "plant_file"),
        scenario_file=found.read(None, _path, options, "scenario_file"),
        truth_file=found.read(None, _truth_file, options),
        machines=found.read((), _names, options),
        scenario=found.read("", _text, options, "scenario", "healthy"),
        seed=found.read(0, _seed, options),
        interval_s=found.read(1.0, _number, options, "interval_s", DEFAULT_INTERVAL_S, 0.1, 86400),
        block_s=found.read(None, _number_or_none, options, "block_s", 0.01, 600),
        seconds=found.read(None, _number_or_none, options, "seconds", 1, 1e9),
        origin_s=found.read(None, _number_or_none, options, "origin_s", 0, 9e9),
        time_scale=found.read(1.0, _number, options, "time_scale", 1.0, 1e-6, 1e6),
    )
    found.refuse()
    return checked


def _block(spec: MachineSpec, point: PointSpec, channels: tuple[ChannelSpec, ...], options: Options) -> Task:
    fs_hz, n = channels[0].fs_hz or 0.0, channels[0].n_samples
    if any(c.fs_hz != fs_hz for c in channels):
        raise ValueError(f"{spec.id}/{point.id}: channels of one point are sampled together: one fs_hz")
    if options.block_s is not None or n is None:
        n = round((options.block_s or DEFAULT_BLOCK_S) * fs_hz)
    if n < 2 or 2 * n * len(channels) > MAX_FRAME_BYTES * 0.95:
        raise ValueError(
            f"{spec.id}/{point.id}: a block must have 2 samples or more and fit {MAX_FRAME_BYTES} bytes; "
            f"{len(channels)} channels of {n} samples do not: change block_s"
        )
    if options.interval_s < n / fs_hz:
        raise ValueError(
            f"{spec.id}/{point.id}: interval_s must be at least the block's {n / fs_hz:g} s, "
            f"got {options.interval_s:g}"
        )
    return Task(spec.id, point, fs_hz, n, channels, options.interval_s)


def _text(options: Mapping[str, object], key: str, default: str) -> str:
    value = options.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be text, got {value!r}")
    return value


def _path(options: Mapping[str, object], key: str) -> Path | None:
    text = _text(options, key, "")
    return Path(text) if text else None


def _truth_file(options: Mapping[str, object]) -> Path | None:
    file = _path(options, "truth_file")
    if file is not None and (file.is_dir() or not file.parent.is_dir()):
        raise ValueError(f"truth_file must be a file in a folder that is there, got {str(file)!r}")
    return file


def _names(options: Mapping[str, object]) -> tuple[str, ...]:
    value = options.get("machines", options.get("machine", ()))
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"machines must be a list of machine ids, got {value!r}")
    return tuple(names)


def _seed(options: Mapping[str, object]) -> int:
    value = options.get("seed", 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {value!r}")
    return value


def _number_or_none(options: Mapping[str, object], key: str, low: float, high: float) -> float | None:
    return _number(options, key, low, low, high) if key in options else None


def _number(options: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = options.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)
