"""When the upkeep lets go of what stands over a byte budget: behind the hourly rows, in steps, and seldom."""

from __future__ import annotations

from dataclasses import dataclass, field
from unittest.mock import Mock

from ingest.upkeep import LOOK_S, RETRY_S, ROOM_S, Upkeep
from palier.historian.base import Unavailable
from palier.historian.rows import HOUR_NS, DirtyHour


@dataclass
class Records:
    """Records in which so many hours wait for their hourly rows."""

    waiting: int = 0

    def dirty_hours(self, before_ns: int, limit: int) -> tuple[DirtyHour, ...]:
        return tuple(DirtyHour("usine", "pompe", k * HOUR_NS) for k in range(min(1, self.waiting)))

    def forget_hours(self, hours: object) -> None:
        self.waiting -= 1


@dataclass
class Bench:
    """The upkeep over a historian without rows; `steps` is what each step towards the budgets lets go of."""

    records: Records = field(default_factory=Records)
    steps: list[int | Exception] = field(default_factory=list)
    asked: int = 0
    now_s: float = 0.0

    def __post_init__(self) -> None:
        historian = Mock(read=Mock(return_value=()), expire=Mock(return_value=0))
        self.upkeep = Upkeep(
            historian, self.records, monotonic_s=lambda: self.now_s, make_room=self.make_room
        )

    def make_room(self, plant_ns: int) -> int:
        self.asked += 1
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def turn(self, after_s: float = LOOK_S) -> int:
        """How often room was asked for until now."""
        self.now_s += after_s
        self.upkeep.turn(10**18)
        return self.asked


def test_hours_that_wait_come_first() -> None:
    bench = Bench(Records(waiting=2), [0])
    assert [bench.turn() for _ in range(3)] == [0, 0, 1]


def test_steps_follow_one_another_until_it_is_enough_and_then_seldom() -> None:
    bench = Bench(steps=[500, 500, 0, 0])
    assert [bench.turn() for _ in range(4)] == [1, 2, 3, 3]
    assert bench.turn(ROOM_S) == 4


def test_a_store_that_is_down_postpones_it() -> None:
    bench = Bench(steps=[Unavailable("of this test"), 0])
    assert [bench.turn(), bench.turn(), bench.turn(RETRY_S)] == [1, 1, 2]
