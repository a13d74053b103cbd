"""What is done when nothing else waits: closed hours first, then old rows; a little in each turn."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ingest.batch import Batch, WorkFrame
from ingest.commit import Stores
from ingest.failpoints import Failpoints
from ingest.knowledge import Knowledge
from ingest.upkeep import GRACE_NS, HOURS_AT_ONCE, LOOK_S, MARGIN_NS, REST, RETRY_S, TURN_S, Upkeep
from palier.frames import Frame, FrameId, Waveform
from palier.historian.base import SchemaError, Unavailable
from palier.historian.records import Records
from palier.historian.rows import HOUR_NS, DirtyHour, RecordsBatch
from palier.historian.schema import RAW_DAYS
from palier.historian.sqlite import SqliteHistorian
from palier.historian.waveforms import WaveformRef
from palier.limits import load_limits
from palier.plant import Plant
from tests.host.conftest import Ingest
from tests.support.committing import AtOnce
from tests.support.gateway import EPOCH, Gateway, readings, waveform
from tests.support.services import Mosquitto
from tests.support.stores import Columns, rows
from tests.support.waiting import eventually

T0 = 1_790_000_000 * 10**9 // HOUR_NS * HOUR_NS
MINUTE = 60 * 10**9
DAY = 24 * HOUR_NS
CLOSED = T0 + HOUR_NS + GRACE_NS


class NoWaveforms:
    """Keeps none."""

    def append_all(self, frames: Sequence[tuple[FrameId, Waveform]]) -> list[WaveformRef]:
        return [WaveformRef(1, frame_id.seq, 1) for frame_id, _ in frames]

    def sync(self) -> None:
        pass


@dataclass
class Clock:
    s: float = 0.0
    step: float = 0.0  # how long each look at it takes

    def __call__(self) -> float:
        self.s += self.step
        return self.s


@dataclass
class House:
    """An ingest without a link, over real files."""

    plant: Plant
    folder: Path
    clock: Clock = field(default_factory=Clock)
    failpoints: Failpoints = field(default_factory=Failpoints)
    seq: int = 0

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.historian = SqliteHistorian(self.folder / "historian.sqlite")
        self.records = Records(self.folder / "records.sqlite")
        self.committer = AtOnce(
            Stores(self.historian, self.records, NoWaveforms()),
            Knowledge(self.plant, load_limits()),
            spectrum_interval_s=1e9,
            wall_ns=lambda: T0,
        )
        self.upkeep = Upkeep(self.historian, self.records, self.failpoints, self.clock)

    def close(self) -> None:
        self.historian.close()
        self.records.close()

    def again(self) -> None:
        """As after a crash."""
        self.close()
        self.failpoints = Failpoints()
        self.open()

    def store(self, *frames: Frame) -> None:
        works = []
        for frame in frames:
            self.seq += 1
            works.append(
                WorkFrame(FrameId("usine/g1", EPOCH, self.seq), "usine", frame, False, "topic", b"raw")
            )
        assert self.committer.commit(Batch(frames=tuple(works))) == ()

    def turn(self, plant_ns: int) -> None:
        """A turn whose time has come."""
        self.clock.s += 1000.0
        self.upkeep.turn(plant_ns)

    def waiting(self) -> list[int]:
        """Hours after T0 that wait."""
        return [(hour.start_ns - T0) // HOUR_NS for hour in self.records.dirty_hours(2**63, 10_000)]

    def blocks(self, measurement: str = "feature_hourly", machine: str = "pompe") -> dict[int, float]:
        """Rows of each hour after T0."""
        table = self.historian.read(measurement, ["blocks"], site="usine", machine=machine)
        counts = np.asarray(table.columns["blocks"], dtype=np.float64).tolist()
        return {(ts - T0) // HOUR_NS: n for ts, n in zip(table.ts_ns.tolist(), counts, strict=True)}


@pytest.fixture
def house(plant: Plant, tmp_path: Path) -> Iterator[House]:
    one = House(plant, tmp_path)
    yield one
    one.close()


def minutes(*at: int, machine: str = "pompe", velocity: float = 1.0) -> list[Frame]:
    return [waveform(T0 + m * MINUTE, machine=machine, velocity_mm_s=velocity) for m in at]


def test_an_hour_is_written_once_it_is_closed_and_then_waits_no_more(house: House) -> None:
    house.store(*minutes(0, 20, 40), readings(T0 + MINUTE, "p1/t", [60.0, 62.0]))
    house.turn(CLOSED - 1)
    assert (house.blocks(), house.waiting()) == ({}, [0])
    house.turn(CLOSED)
    assert (house.blocks(), house.blocks("reading_hourly"), house.waiting()) == ({0: 3.0}, {0: 2.0}, [])
    table = house.historian.read("reading_hourly", ["value_mean", "value_max", "unit"], site="usine")
    assert [table.columns[name][0] for name in ("value_mean", "value_max", "unit")] == [61.0, 62.0, "°C"]


def test_the_hour_says_what_the_rows_say(house: House) -> None:
    house.store(*minutes(0, 10), *minutes(20, velocity=12.0))
    house.turn(CLOSED)
    rows = house.historian.read("feature", ["velocity_rms_mm_s", "zone"], site="usine")
    names = [f"velocity_rms_mm_s_{what}" for what in ("mean", "min", "max")]
    hour = house.historian.read("feature_hourly", [*names, "zone"], site="usine")
    values = np.asarray(rows.columns["velocity_rms_mm_s"], dtype=np.float64)
    expected = [values.mean(), values.min(), values.max()]
    assert [float(str(hour.columns[name][0])) for name in names] == pytest.approx(expected)
    assert hour.columns["zone"] == (max(str(zone) for zone in rows.columns["zone"]),)


def test_a_late_backlog_is_right_too(house: House) -> None:
    house.store(*minutes(30, 90))
    house.turn(CLOSED + HOUR_NS)
    assert house.blocks() == {0: 1.0, 1: 1.0}
    house.store(*minutes(*range(0, 30, 10)), *minutes(-30))
    assert house.waiting() == [0, -1]
    house.turn(T0 + 9 * HOUR_NS)
    assert house.blocks() == {-1: 1.0, 0: 4.0, 1: 1.0}


def test_machines_of_one_hour_are_kept_apart_and_gaps_stay_gaps(house: House) -> None:
    house.store(*minutes(5, 10, 185), *minutes(7, machine="ventilateur", velocity=3.0))
    house.turn(T0 + 9 * HOUR_NS)
    assert house.blocks() == {0: 2.0, 3: 1.0}
    assert house.blocks(machine="ventilateur") == {0: 1.0}


def test_an_hour_that_stays_open_waits_through_a_restart(house: House) -> None:
    house.store(*minutes(5))
    house.turn(CLOSED - 1)
    house.again()
    house.turn(CLOSED)
    assert (house.blocks(), house.waiting()) == ({0: 1.0}, [])


class CrashError(BaseException):
    """The process ends here."""


def crash(_: float) -> None:
    raise CrashError


def test_a_crash_before_the_hour_is_forgotten_repeats_it_harmlessly(house: House) -> None:
    house.store(*minutes(0, 20))
    house.failpoints = Failpoints({"before_hours_forgotten": 1.0}, sleep=crash)
    house.close()
    house.open()
    with pytest.raises(CrashError):
        house.turn(CLOSED)
    assert (house.blocks(), house.waiting()) == ({0: 2.0}, [0])
    house.again()
    house.turn(CLOSED)
    assert (house.blocks(), house.waiting()) == ({0: 2.0}, [])


@pytest.mark.parametrize("error", [Unavailable("of this test"), SchemaError("of this test")])
@pytest.mark.parametrize(
    ("store", "call"), [("historian", "read"), ("historian", "write"), ("records", "forget_hours")]
)
def test_a_store_that_fails_postpones(
    house: House, monkeypatch: pytest.MonkeyPatch, error: Exception, store: str, call: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    house.store(*minutes(0))
    with monkeypatch.context() as patch:
        patch.setattr(getattr(house, store), call, fails)
        house.turn(CLOSED)
        assert house.waiting() == [0]
    house.clock.s += RETRY_S - 1
    house.upkeep.turn(CLOSED)
    assert house.waiting() == [0]
    house.clock.s += 1
    house.upkeep.turn(CLOSED)
    assert (house.blocks(), house.waiting()) == ({0: 1.0}, [])


def test_a_turn_ends_when_its_time_is_over(house: House) -> None:
    house.store(*(waveform(T0 + k * HOUR_NS) for k in range(6)))
    house.clock.step = TURN_S / 2
    house.turn(T0 + 9 * HOUR_NS)
    assert len(house.waiting()) == 4


def test_hours_without_rows_are_passed_many_at_a_time(house: House) -> None:
    marks = tuple(DirtyHour("usine", "pompe", T0 + k * HOUR_NS) for k in range(HOURS_AT_ONCE + 9))
    house.records.commit(RecordsBatch(dirty_hours=marks))
    house.turn(T0 + 1000 * HOUR_NS)
    assert (len(house.waiting()), house.blocks()) == (9, {})


def test_after_a_turn_the_frames_have_their_time(house: House) -> None:
    house.store(*(waveform(T0 + k * HOUR_NS) for k in range(4)))
    house.clock.step = TURN_S
    house.turn(T0 + 9 * HOUR_NS)
    waited = house.clock.s
    left = len(house.waiting())
    house.clock.step = 0.0
    for _ in range(5):
        house.upkeep.turn(T0 + 9 * HOUR_NS)
    assert len(house.waiting()) == left
    house.clock.s = waited + REST * 3 * TURN_S + 0.001
    house.upkeep.turn(T0 + 9 * HOUR_NS)
    assert len(house.waiting()) < left


def test_without_work_the_stores_are_left_alone_for_a_while(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    dirty_hours = house.records.dirty_hours
    house.turn(CLOSED)

    def counted(before_ns: int, limit: int) -> tuple[DirtyHour, ...]:
        asked.append(before_ns)
        return dirty_hours(before_ns, limit)

    monkeypatch.setattr(house.records, "dirty_hours", counted)
    for _ in range(100):
        house.upkeep.turn(CLOSED)
    assert asked == []
    house.clock.s += LOOK_S
    house.upkeep.turn(CLOSED)
    assert len(asked) == 1


# Retention --------------------------------------------------------------------------------------------------


def counted_expire(house: House, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    asked: list[int] = []
    expire: Callable[[int], int] = house.historian.expire

    def counted(now_ns: int) -> int:
        asked.append(now_ns)
        return expire(now_ns)

    monkeypatch.setattr(house.historian, "expire", counted)
    return asked


def test_old_rows_go_once_a_day_and_never_before_their_hours_are_written(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted_expire(house, monkeypatch)
    house.store(waveform(T0), waveform(T0 + 100 * DAY))
    now = T0 + 100 * DAY + 3 * HOUR_NS
    house.turn(now)
    assert (house.blocks(), asked) == ({0: 1.0, 2400: 1.0}, [])
    for _ in range(5):
        house.turn(now)
    assert asked == [now, now]  # the second says that nothing is left
    assert house.historian.read("feature", [], site="usine").ts_ns.tolist() == [T0 + 100 * DAY]
    house.turn(now + DAY - 1)
    assert len(asked) == 2
    house.turn(now + DAY)
    assert len(asked) == 3
    house.turn(now - 1)  # a clock set back: a new day all the same
    assert len(asked) == 4


def test_an_hour_whose_rows_are_gone_is_not_overwritten_by_a_late_one(house: House) -> None:
    house.store(*minutes(0, 10), waveform(T0 + 100 * DAY))
    now = T0 + 100 * DAY + 3 * HOUR_NS
    for _ in range(4):
        house.turn(now)
    assert len(house.historian.read("feature", [], site="usine")) == 1
    house.store(*minutes(20, 30, velocity=9.0), *minutes(61))
    house.turn(now)
    assert (house.waiting(), house.blocks()) == ([], {0: 2.0, 1: 1.0, 2400: 1.0})
    table = house.historian.read("feature_hourly", ["velocity_rms_mm_s_max"], site="usine", newest=3)
    assert float(str(table.columns["velocity_rms_mm_s_max"][0])) < 2.0


def test_nor_by_fewer_rows_when_the_clock_was_set_back_since(house: House) -> None:
    house.store(*minutes(0, 10), waveform(T0 + 100 * DAY))
    for _ in range(4):
        house.turn(T0 + 100 * DAY + 3 * HOUR_NS)
    house.store(*minutes(20))
    house.turn(T0 + 2 * DAY)
    assert (house.blocks()[0], house.waiting()) == (2.0, [])


def test_old_recordings_fed_in_by_and_by_grow_their_hours(house: House) -> None:
    """Their hours are closed from the start, and are computed before all their blocks have come."""
    for upto in (3, 8, 15):
        house.store(*minutes(*range(house.seq, upto)))
        house.turn(T0 + 9000 * DAY)
        assert (house.blocks(), house.waiting()) == ({0: float(upto)}, [])


@pytest.mark.parametrize(
    ("after_ns", "replaced"), [(RAW_DAYS * DAY - MARGIN_NS, True), (RAW_DAYS * DAY, False)]
)
def test_as_many_rows_replace_an_hour_while_they_can_only_be_the_same(
    house: House, after_ns: int, replaced: bool
) -> None:
    house.store(*minutes(0))
    house.turn(CLOSED)
    mean = "velocity_rms_mm_s_mean"
    before = house.historian.read("feature_hourly", [mean], site="usine")
    fields: Columns = {"velocity_rms_mm_s": np.array([7.5]), "frame": [f"usine/g1:{EPOCH}:1"]}
    house.historian.write([rows("feature", [T0], fields, machine="pompe", point="p1", channel="h")])
    house.records.commit(RecordsBatch(dirty_hours=(DirtyHour("usine", "pompe", T0),)))
    house.turn(T0 + after_ns)
    after = house.historian.read("feature_hourly", [mean], site="usine")
    assert after.columns[mean][0] == (7.5 if replaced else before.columns[mean][0])


# As a process -----------------------------------------------------------------------------------------------


def test_killed_between_the_hour_and_its_note_the_ingest_repeats_it(
    mosquitto: Mosquitto, ingest: Ingest
) -> None:
    start = (time.time_ns() - 5 * HOUR_NS) // HOUR_NS * HOUR_NS
    ingest.environment["PALIER_FAILPOINT"] = "before_hours_forgotten:sleep=60"

    def hours() -> list[float]:
        with ingest.historian() as historian:
            table = historian.read("feature_hourly", ["blocks"], site="usine")
        return np.asarray(table.columns["blocks"], dtype=np.float64).tolist()  # type: ignore[no-any-return]

    def waiting() -> int:
        with ingest.records() as records:
            return len(records.dirty_hours(2**63, 10))

    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        for seq in (1, 2, 3):
            gateway.send(seq, waveform(start + seq * MINUTE))
        eventually(lambda: ingest.data.historian.exists() and bool(hours()), 60, "the hourly row")
        ingest.stop(signal.SIGKILL)
        assert waiting() == 1
        ingest.environment.clear()
        ingest.start()
        eventually(lambda: not waiting(), 60, "the note that the hour is written")
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        for seq in (1, 2, 3, 4):
            gateway.send(seq, waveform(start + seq * MINUTE))
        gateway.wait_acked(range(1, 5))
        eventually(lambda: hours() == [4.0] and not waiting(), 60, "the hour with the late block")
    assert ingest.stop() == 0
