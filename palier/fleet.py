"""The same work for many machines: on the cores of this computer, or on a Dask cluster that is there already.

    results = run(fit_machine, jobs, workers="tcp://scheduler:8786")

A job is worked on in another process, which imports the function by its name: it stands in a module, and what
it takes and gives can be pickled. Jobs that say where to read are better than jobs that carry their data.
Both ways give the same results: the same code on the same data, each process with one thread of linear
algebra, for with several of them sums are added in another order. Who may reach a Dask scheduler can run
anything on its workers: it belongs into a closed network, or behind TLS (`tls://`, by Dask's own settings).
"""

from __future__ import annotations

import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from palier.extras import how_to_install, missing

if TYPE_CHECKING:
    import distributed

J = TypeVar("J")
R = TypeVar("R")

Progress = Callable[[int, int], None]
"""Told how many jobs are done, and how many there are."""

MOST_DEATHS: Final = 3
"""How often worker processes may be ended from outside before we believe that the jobs are why (as Dask)."""

CHUNKS_A_SLOT: Final = 4
"""Chunks for each thread of a cluster: few enough that the scheduler, some milliseconds a task, is not what
takes the time, and enough that nobody waits long for the slowest chunk, or loses much with a worker."""

CONNECT_S: Final = 10
"""A scheduler in the same network answers in milliseconds."""

LOOK_S: Final = 2.0
"""How often one looks whether there is still anybody who works."""

ALONE_S: Final = 60.0
"""How long a cluster may be without any worker: a restart takes seconds."""

_ADDRESS: Final = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}")
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_SAME: Final = ("palier", "numpy", "scipy", "scikit-learn")
"""What must be of one version everywhere, or results differ by where they were computed."""


class FleetError(Exception):
    """The work could not be done: which job, and why, or what is wrong with the workers. A sentence."""


class _Failed(NamedTuple):
    """A job that raised: what, in words. Errors themselves may not survive the way back."""

    told: str


@dataclass(frozen=True, slots=True)
class _Work(Generic[J, R]):
    """All of it: `jobs` and their `names`, one each; `progress` hears how far it is."""

    function: Callable[[J], R]
    jobs: Sequence[J]
    names: Sequence[str]
    progress: Progress

    def check(self, places: Iterable[int], results: Iterable[R | _Failed]) -> dict[int, R]:
        """Results by place. Raises FleetError for a job that failed."""
        found: dict[int, R] = {}
        for place, result in zip(places, results, strict=True):
            if isinstance(result, _Failed):
                raise FleetError(f"{self.names[place]}: {result.told}")
            found[place] = result
        return found


def run(
    function: Callable[[J], R],
    jobs: Iterable[J],
    *,
    workers: str | None = None,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> list[R]:
    """`function` of each job, in the order of the jobs.

    `workers` None takes as many processes as this computer has cores (one job alone is done here);
    "tcp://HOST:8786" is a Dask scheduler (extra `scale`). A worker that dies is survived, its jobs are done
    again. `names` say which job failed. Raises FleetError.
    """
    listed = list(jobs)
    named = [f"job {i + 1} of {len(listed)}" for i in range(len(listed))] if names is None else list(names)
    if len(named) != len(listed):
        raise ValueError(f"names must be one for each of {len(listed)} jobs, got {len(named)}")
    work = _Work(function, listed, named, progress or (lambda _done, _all: None))
    if workers is not None:
        return _on_cluster(workers, work) if listed else []
    if len(listed) < 2:
        done = work.check(range(len(listed)), _attempt(function, listed))
        work.progress(len(listed), len(listed))
        return list(done.values())
    return _on_cores(work)


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _attempt(function: Callable[[J], R], jobs: Sequence[J]) -> list[R | _Failed]:
    """In the worker: the results of jobs one after the other, to the first that fails."""
    found: list[R | _Failed] = []
    for job in jobs:
        try:
            found.append(function(job))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the job's name
            told = _Failed(f"{type(error).__name__}: {error}")
            return [*found, *[told] * (len(jobs) - len(found))]
    return found


def _on_cores(work: _Work[J, R]) -> list[R]:
    """In processes of this computer; what a dead process had begun is begun again."""
    _refuse_unnamed(work.function)
    found: dict[int, R] = {}
    for _ in range(MOST_DEATHS + 1):
        left = [place for place in range(len(work.jobs)) if place not in found]
        if not left:
            break
        _round(work, left, found)
    left = [place for place in range(len(work.jobs)) if place not in found]
    if left:
        raise FleetError(
            f"worker processes were ended from outside {MOST_DEATHS + 1} times, with {len(left)} jobs left, "
            f"the first of them {work.names[left[0]]}: see whether memory ran out (`dmesg`), and give a "
            "shorter stretch of time or fewer machines"
        )
    return [found[place] for place in range(len(work.jobs))]


def _round(work: _Work[J, R], left: Sequence[int], found: dict[int, R]) -> None:
    """Do what is left with one set of processes, as far as they live; what is done is in `found`."""
    pool = ProcessPoolExecutor(min(cores(), len(left)), mp_context=get_context("spawn"))
    try:
        futures: dict[Future[list[R | _Failed]], int] = {}
        with _one_thread_each():  # processes are started as jobs are given
            for place in left:
                futures[pool.submit(_attempt, work.function, [work.jobs[place]])] = place
        for future in as_completed(futures):
            with suppress(BrokenProcessPool):  # it is done again in the next round
                place = futures[future]
                found |= work.check([place], _result(future, work.names[place]))
                work.progress(len(found), len(work.jobs))
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(future: Future[list[R | _Failed]], name: str) -> list[R | _Failed]:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # what can't be sent there, or back
        raise FleetError(
            f"{name} can't be handed to another process: {error}. The function must stand in a module, and "
            "jobs and results must be values that can be pickled"
        ) from error


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile compute with one thread each; it is read once, at their start."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _refuse_unnamed(function: Callable[..., object]) -> None:
    """FleetError for a function that another process has no way to import: of a notebook, of a prompt."""
    while isinstance(function, partial):
        function = function.func
    in_main = getattr(function, "__module__", None) == "__main__"
    if in_main and not hasattr(sys.modules["__main__"], "__file__"):
        name = getattr(function, "__name__", "the function")
        raise FleetError(
            f"{name} stands in a notebook or at a prompt, where other processes can't find it: put it into "
            "a module (a .py file beside the notebook) and import it"
        )


def _on_cluster(address: str, work: _Work[J, R]) -> list[R]:
    """On the workers of a Dask scheduler."""
    if not _ADDRESS.fullmatch(address):
        raise FleetError(f"workers must be the address of a Dask scheduler, tcp://HOST:8786, got {address!r}")
    if lacking := missing("scale"):
        raise FleetError(
            f"a cluster needs {', '.join(lacking)}, which is not installed: {how_to_install('scale')}"
        )
    with _connected(address) as client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise FleetError(
                f"the scheduler at {address} has no workers: start some, `dask worker {address} --nthreads 1`"
            )
        _refuse_other_versions(client, address)
        return _computed(client, address, work, CHUNKS_A_SLOT * slots)


@contextmanager
def _connected(address: str) -> Iterator[distributed.Client]:
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False, name="palier")
    except (OSError, TimeoutError) as error:
        raise FleetError(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or check the address; "
            "without --workers the cores of this computer are used"
        ) from error
    try:
        with client.as_current():
            yield client
    finally:
        client.close()


def _computed(client: distributed.Client, address: str, work: _Work[J, R], most: int) -> list[R]:
    """The results of all jobs, sent in at most so many chunks of neighbours."""
    n = min(most, len(work.jobs))
    cuts = [len(work.jobs) * k // n for k in range(n + 1)]
    places = [range(cuts[k], cuts[k + 1]) for k in range(n)]
    with warnings.catch_warnings():
        # Jobs travel with their tasks, however large: what is scattered is lost with the worker that has it.
        warnings.filterwarnings("ignore", message="Sending large graph")
        futures = client.map(
            partial(_attempt, work.function), [[work.jobs[i] for i in some] for some in places], pure=False
        )
    of = dict(zip(futures, places, strict=True))
    found: dict[int, R] = {}
    try:
        for future in _as_done(client, address, futures):
            found |= work.check(of[future], _fetched(future, address, work.names[of[future][0]]))
            work.progress(len(found), len(work.jobs))
    finally:
        with suppress(OSError, RuntimeError, CancelledError):  # what is done, or gone with its scheduler
            client.cancel(futures)
    return [found[place] for place in range(len(work.jobs))]


def _as_done(client: distributed.Client, address: str, futures: Sequence[Any]) -> Iterator[Any]:
    """The futures as they come to their end. Raises FleetError where nobody works on them any more."""
    from distributed import wait

    waiting, heard_s = set(futures), time.monotonic()
    while waiting:
        try:
            done, waiting = wait(waiting, timeout=LOOK_S, return_when="FIRST_COMPLETED")
        except TimeoutError:
            heard_s = _refuse_abandoned(client, address, heard_s)
            continue
        except CancelledError as error:
            raise _gone(address) from error
        heard_s = time.monotonic()
        yield from done


def _gone(address: str) -> FleetError:
    return FleetError(f"the scheduler at {address} went away: start it again with its workers, then this")


def _fetched(future: Any, address: str, name: str) -> list[Any]:
    from distributed import KilledWorker

    try:
        return list(future.result())
    except KilledWorker as error:
        raise FleetError(
            f"workers of {address} died again and again from {name} on: see their logs, and whether their "
            "memory ran out"
        ) from error
    except CancelledError as error:
        raise _gone(address) from error
    except Exception as error:  # what can't be sent there, or back
        raise FleetError(f"{name}: the cluster at {address} can't do it: {error}") from error


def _refuse_abandoned(client: distributed.Client, address: str, heard_s: float) -> float:
    """When somebody who works was last there. Raises FleetError where that is long ago."""
    try:
        if client.nthreads():
            return time.monotonic()
    except (OSError, TimeoutError):
        pass  # the scheduler may come back
    if time.monotonic() - heard_s > ALONE_S:
        raise FleetError(
            f"the scheduler at {address} has had no workers for {ALONE_S:g} s: start some again, "
            f"`dask worker {address}`, then this"
        )
    return heard_s


def _refuse_other_versions(client: distributed.Client, address: str) -> None:
    """FleetError where workers would compute with other libraries than this computer."""
    try:
        there: dict[str, dict[str, str]] = client.run(versions)
    except Exception as error:
        raise FleetError(
            f"the workers of {address} can't import Palier ({error}): install the same version on them"
        ) from error
    mine = versions()
    for worker, theirs in there.items():
        for package, have in mine.items():
            if theirs.get(package) != have:
                raise FleetError(
                    f"the worker {worker} must have {package} {have} as here, it has "
                    f"{theirs.get(package) or 'none'}: install the same, or results differ by where they are "
                    "computed"
                )


def versions() -> dict[str, str]:
    """The versions of what computes, "" for what is not installed."""
    found = {}
    for package in _SAME:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found
