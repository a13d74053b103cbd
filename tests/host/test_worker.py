"""The threads that work on batches: their order, a store that fails, the end, and a thread that dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from ingest.batch import Batch, Committed, Computed, Outcome, StoreFailed
from ingest.commit import Committer
from ingest.probation import Probation
from ingest.scoring import Scored
from ingest.worker import Worker
from palier.historian.base import Rows, WriteReport
from palier.plant import Plant
from tests.support.committing import Fakes, batch, committer, work
from tests.support.waiting import eventually


class Gate:
    """A place that lets nobody pass until it is opened, and knows how many came."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came = 0

    def __call__(self) -> None:
        self.came += 1
        assert self.open.wait(60)


class NoHouse:
    """Housekeeping that writes down when its turn was."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.looked = 0

    def turn(self, *, idle: bool) -> None:
        if not idle:
            self.log.append("house")

    def reported(self) -> None:
        self.log.append("reported")

    def meanwhile(self) -> None:
        self.looked += 1


class Bench:
    """A worker over stores of a test, and what it told."""

    def __init__(self, plant: Plant, fakes: Fakes, probation: Probation | None = None) -> None:
        self.fakes = fakes
        self.host: Committer = committer(plant, fakes, probation=probation)
        self.told: list[Outcome] = []
        self.house = NoHouse(fakes.log)
        self.worker = Worker(self.host, self.house, self.told.append)  # type: ignore[arg-type]

    def begin(self, *batches: Batch) -> None:
        for one in batches:
            self.worker.begin(one)

    def wait(self, *kinds: type[Outcome]) -> None:
        """Until exactly these outcomes were told."""
        eventually(lambda: self.kinds == list(kinds), 60, f"{kinds}, told were {self.kinds}")

    @property
    def kinds(self) -> list[type[Outcome]]:
        return [type(outcome) for outcome in self.told]

    def committed(self) -> list[Batch]:
        return [outcome.batch for outcome in self.told if isinstance(outcome, Committed)]

    def stored(self) -> list[int]:
        return [frame.seq for done in self.fakes.batches for frame in done.stored]

    def held(self, call: str, gate: Callable[[], None]) -> None:
        """Hold a call of the stores at a gate."""
        inner = getattr(self.fakes, call)

        def holds(*args: object) -> object:
            gate()
            return inner(*args)

        setattr(self.fakes, call, holds)

    def held_scoring(self, gate: Callable[[], None]) -> None:
        score = self.host._scorer.score

        def holds(works: Sequence[object]) -> list[Scored]:
            gate()
            return score(works)  # type: ignore[arg-type]

        self.host._scorer.score = holds  # type: ignore[method-assign]


@pytest.fixture
def bench(plant: Plant) -> Iterator[Bench]:
    one = Bench(plant, Fakes())
    one.worker.start()
    yield one
    assert one.worker.stop(60)


def test_batches_become_durable_in_the_order_in_which_they_began(bench: Bench) -> None:
    batches = [batch(work(seq)) for seq in range(1, 21)]
    bench.begin(*batches)
    eventually(lambda: len(bench.committed()) == 20, 60, "all batches")
    assert all(done is begun for done, begun in zip(bench.committed(), batches, strict=True))
    assert bench.stored() == list(range(1, 21))
    for one in batches:
        mine = [type(o) for o in bench.told if not isinstance(o, StoreFailed) and o.batch is one]
        assert mine == [Computed, Committed]


def test_a_batch_is_computed_while_the_one_before_is_at_the_stores(bench: Bench) -> None:
    gate = Gate()
    bench.held("write", gate)
    bench.begin(batch(work(1)))
    eventually(lambda: gate.came == 1, 60, "the first batch at the historian")
    bench.begin(batch(work(2)))
    bench.wait(Computed, Computed)
    assert bench.fakes.log.count("append") == 1, "nothing of the second may overtake the first"
    gate.open.set()
    bench.wait(Computed, Computed, Committed, Committed)
    steps = [step for step in bench.fakes.log if step != "house"]
    assert steps == 2 * ["append", "sync", "series", "records"]


def test_waveforms_become_durable_while_their_features_are_computed_and_nothing_else_does(
    bench: Bench,
) -> None:
    gate = Gate()
    bench.held_scoring(gate)
    bench.begin(batch(work(1)))
    eventually(lambda: "sync" in bench.fakes.log and gate.came, 60, "the waveforms")
    assert [step for step in bench.fakes.log if step != "house"] == ["append", "sync"]
    gate.open.set()
    bench.wait(Computed, Committed)


@pytest.mark.parametrize("down", ["append", "sync", "series", "records"])
def test_a_store_that_fails_holds_up_all_behind_it_until_it_is_tried_again(bench: Bench, down: str) -> None:
    first, second = batch(work(1)), batch(work(2))
    bench.fakes.down = {down}
    bench.begin(first, second)
    eventually(lambda: StoreFailed in bench.kinds and bench.kinds.count(Computed) == 2, 60, "the failure")
    assert [o.why for o in bench.told if isinstance(o, StoreFailed)] == [f"{down} fails in this test"]
    assert bench.fakes.batches == []
    assert bench.worker.alive
    # The thread that computes tells what it did before it is done with its turn.
    eventually(lambda: bench.worker.still_s == 0, 60, "who waits for a store is not stuck")
    bench.begin(first)
    eventually(lambda: bench.kinds.count(StoreFailed) == 2, 60, "the second failure")
    bench.fakes.down = set()
    bench.begin(first)
    eventually(lambda: len(bench.committed()) == 2, 60, "both batches")
    assert bench.committed() == [first, second]
    assert bench.stored() == [1, 2]


def test_the_end_waits_for_the_commit_in_hand(bench: Bench) -> None:
    gate = Gate()
    bench.held("commit", gate)
    bench.begin(batch(work(1)))
    eventually(lambda: gate.came == 1, 60, "the batch at the records")
    assert not bench.worker.stop(0.05), "a commit that does not end is told"
    gate.open.set()
    assert bench.worker.stop(60)
    assert bench.stored() == [1]
    assert len(bench.committed()) == 1


def test_it_ends_while_it_waits_for_a_store(bench: Bench) -> None:
    bench.fakes.down = {"series"}
    bench.begin(batch(work(1)))
    eventually(lambda: StoreFailed in bench.kinds, 60, "the failure")
    assert bench.worker.stop(60)
    assert bench.fakes.batches == []


def test_an_error_of_the_stores_that_is_no_failure_ends_the_threads(bench: Bench) -> None:
    def breaks(_: Sequence[Rows]) -> list[WriteReport]:
        raise ZeroDivisionError

    bench.fakes.write = breaks  # type: ignore[method-assign]
    bench.begin(batch(work(1)), batch(work(2)))
    eventually(lambda: not bench.worker.alive, 60, "the end")
    assert isinstance(bench.worker.failure, ZeroDivisionError)
    assert Committed not in bench.kinds
    assert bench.fakes.batches == []


def test_what_was_not_computed_is_never_stored(bench: Bench) -> None:
    """The thread that computes dies of what no frame can be blamed for."""

    def breaks() -> None:
        raise SystemExit

    bench.held_scoring(breaks)
    bench.begin(batch(work(1)))
    eventually(lambda: not bench.worker.alive, 60, "the end")
    assert isinstance(bench.worker.failure, SystemExit)
    assert bench.worker.stop(60)
    assert bench.stored() == []


def test_in_probation_a_batch_is_computed_by_who_stores_it(plant: Plant) -> None:
    fakes = Fakes()
    bench = Bench(plant, fakes, Probation(fakes, lambda: 0.0))
    bench.worker.start()
    bench.begin(batch(work(1)))
    bench.wait(Committed)
    assert bench.worker.stop(60)
    assert bench.stored() == [1]


def test_a_report_makes_the_accounts_due(bench: Bench) -> None:
    bench.begin(Batch(ledgers=("a receipt",)))  # type: ignore[arg-type]
    bench.wait(Computed, Committed)
    assert "reported" in bench.fakes.log


def test_while_a_batch_waits_for_its_store_people_are_still_looked_after(bench: Bench) -> None:
    bench.fakes.down = {"series"}
    one = batch(work(1))
    bench.begin(one)
    eventually(lambda: bench.house.looked >= 2, 60, "looks at what people ask")
    bench.fakes.down = set()
    bench.begin(one)
    eventually(lambda: Committed in bench.kinds, 60, "the batch")
    assert bench.stored() == [1]
