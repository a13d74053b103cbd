"""Models of a registry in a real ingest at a real broker, while frames flow: promotion, refusal, rollback."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from palier.alarms import Alarm, Life
from palier.plant import Plant
from palier.registry import Note, Registry
from palier.registry_keys import make_keys, signer
from tests.host.conftest import Ingest
from tests.support.gateway import Gateway, waveform
from tests.support.services import Mosquitto
from tests.support.trained import baselines
from tests.support.waiting import eventually

pytestmark = pytest.mark.long

EVERY_NS = 600 * 10**9
MOST = 3000
IN_FLIGHT = 50
START = time.time_ns() - (MOST + 10) * EVERY_NS
FRAME = waveform(0, channels=("h", "a"))


@contextmanager
def flowing(gateway: Gateway, *, every_s: float = 0.03) -> Iterator[list[int]]:
    """A block ten minutes after the one before, again and again, no faster than they are acknowledged: nobody
    sends again what finds no room. The seqs that were sent.
    """
    sent: list[int] = []
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(every_s) and len(sent) < MOST:
            if len(sent) - len(gateway.acked_s) >= IN_FLIGHT:
                continue
            seq = len(sent) + 1
            gateway.send(seq, replace(FRAME, start_ns=START + seq * EVERY_NS))
            sent.append(seq)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def registry(ingest: Ingest, tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry")
    found.path.mkdir()
    ingest.environment["PALIER_INGEST_MODELS__FOLDER"] = str(found.path)
    return found


def note(why: str) -> Note:
    return Note("s.idrissi", why, time.time_ns())


def add(
    registry: Registry,
    files: Mapping[str, bytes],
    why: str,
    *,
    promote: bool = True,
    sign: Callable[[bytes], bytes] | None = None,
) -> int:
    version = registry.add("baselines", files, note(why), kind="baselines", sign=sign).version
    if promote:
        registry.promote("baselines", version, note(why), forced=True)
    return version


def models_of(ingest: Ingest) -> list[str]:
    """The model behind each score, in order of time."""
    with ingest.historian() as historian:
        table = historian.read("score", ("model",), site="usine", machine="pompe")
    return [str(spec) for spec in table.columns["model"]]


def is_judged_by(ingest: Ingest, spec: str) -> Callable[[], bool]:
    return lambda: models_of(ingest)[-1:] == [spec]


def alarms(ingest: Ingest) -> dict[str, Life]:
    with ingest.records() as records:
        return {(one := Alarm.from_json(row.value)).key.id: one.life for row in records.alarms()}


def test_promoted_refused_killed_and_rolled_back_while_frames_flow_and_none_is_lost(
    mosquitto: Mosquitto, ingest: Ingest, registry: Registry, plant: Plant
) -> None:
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        with flowing(gateway) as sent:
            add(registry, baselines(plant, seed=1), "the first")
            eventually(is_judged_by(ingest, "baselines:1"), 60, "scores of the first version")
            add(registry, baselines(plant, seed=2), "the second")
            eventually(is_judged_by(ingest, "baselines:2"), 60, "scores of the second version")

            cut = dict(baselines(plant, seed=3))
            cut["arrays.npz"] = cut["arrays.npz"][:-100]
            add(registry, cut, "cut off on its way")
            eventually(
                lambda: alarms(ingest).get("baselines/model") is Life.UNACKNOWLEDGED,
                60,
                "an alarm of the model",
            )
            assert models_of(ingest)[-1] == "baselines:2"
            registry.rollback("baselines", note("it can't be read"))
            eventually(lambda: alarms(ingest)["baselines/model"] is Life.RETURNED, 60, "the end of the alarm")

            registry.rollback("baselines", note("two false calls"))
            eventually(is_judged_by(ingest, "baselines:1"), 60, "scores of the first version again")
        gateway.wait_acked(sent)
        last = len(sent)

        registry.promote("baselines", 2, note("after all"), forced=True)
        ingest.stop(signal.SIGKILL)
        ingest.start()
        eventually(lambda: len(gateway.states) > 1 and gateway.host.online, 60, "the host again")
        gateway.born()

        def again() -> bool:
            nonlocal last
            last += 1
            gateway.send(last, replace(FRAME, start_ns=START + last * EVERY_NS))
            gateway.wait_acked([last])
            return is_judged_by(ingest, "baselines:2")()

        eventually(again, 60, "scores of the second version after the kill")
        gateway.wait_acked(range(1, last + 1))
    assert ingest.stop() == 0
    with ingest.historian() as historian:
        frames = historian.read("feature", ("frame",), site="usine", machine="pompe", channel="h")
        assert len(frames) == last
    assert set(models_of(ingest)) == {"baselines:1", "baselines:2"}
    with ingest.records() as records:
        events = records.transitions(0, "model")
        baseline = [event for event in records.transitions(0, "baseline") if event.machine == "pompe"]
    told = [json.loads(event.detail) for event in events]
    assert [one["version"] for one in told if "key" not in one] == [1, 2, 1, 2]
    promoted_ns = [entry.note.at_ns for entry in registry.line("baselines").entries if entry.before is None]
    assert promoted_ns[1] <= events[0].ts_ns
    assert [one["key"] for one in told if "key" in one] == ["tampered"]
    assert {json.loads(event.detail)["who"] for event in baseline} == {"s.idrissi"}


def test_where_a_key_is_configured_only_what_it_signed_is_taken(
    mosquitto: Mosquitto, ingest: Ingest, registry: Registry, plant: Plant, tmp_path: Path
) -> None:
    private, public = make_keys(tmp_path / "site")
    ingest.environment["PALIER_INGEST_MODELS__PUBLIC_KEY_FILE"] = str(public)
    add(registry, baselines(plant), "not signed")
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        with flowing(gateway, every_s=0.05):
            eventually(lambda: "baselines/model" in alarms(ingest), 60, "an alarm of the model")
            assert models_of(ingest) == []
            add(registry, baselines(plant), "signed", sign=signer(private))
            eventually(is_judged_by(ingest, "baselines:2"), 60, "scores of the signed version")
    assert ingest.stop() == 0


def test_without_a_model_that_needs_it_scikit_learn_is_not_loaded(
    mosquitto: Mosquitto, ingest: Ingest, registry: Registry, plant: Plant
) -> None:
    add(registry, baselines(plant), "the first")
    ingest.start()
    with Gateway(mosquitto.port) as gateway:
        gateway.wait_for_host().born()
        with flowing(gateway, every_s=0.05):
            eventually(is_judged_by(ingest, "baselines:1"), 60, "scores of the first version")
        assert ingest.process is not None
        maps = Path(f"/proc/{ingest.process.pid}/maps").read_text()
    assert "sklearn" not in maps
    assert Counter(models_of(ingest)).keys() == {"baselines:1"}
    assert ingest.stop() == 0
