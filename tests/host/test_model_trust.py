"""What a model's files, its journal, or a restart in between must never make an ingest do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.alarms import Alarms, step
from palier.alarms import Life
from palier.registry import JOURNAL
from tests.support import watched_pump as pump
from tests.support.fake_models import FakeBundle
from tests.support.model_house import House, house
from tests.support.watched_pump import PLACE

FIRST = pump.LEARNED + 1


@pytest.fixture
def one(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as found:
        yield found


def detector() -> FakeBundle:
    return FakeBundle(places=(PLACE,))


def specs(one: House) -> list[tuple[str, str]]:
    return [(model.spec, model.stage) for model in one.watch.watching.models.installed]


@pytest.mark.parametrize("lines", [0, 2])
def test_a_journal_that_is_cut_short_takes_nothing_out_of_force(one: House, lines: int) -> None:
    one.put("forest", b"1", detector())
    one.put("forest", b"2", detector())
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    journal = one.registry.path / "forest" / JOURNAL
    whole = journal.read_text()
    journal.write_text("".join(whole.splitlines(keepends=True)[:lines]))  # a copy that has only begun
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    assert [e.causes[0].feature for e in one.evidence] == ["model_incomplete"]
    one.restart()
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    journal.write_text(whole)
    one.look()
    assert specs(one) == [("forest:2", "in force")]
    assert one.evidence[-1].level is None


def test_a_copy_of_ours_that_is_another_model_is_not_opened_as_this_one(one: House, tmp_path: Path) -> None:
    one.put("forest", b"1", detector())
    one.look()
    another = FakeBundle(places=(PLACE,), score_of=lambda history: [9.0] * len(history))
    one.bundles[b"9"] = another
    copy = tmp_path / "copies" / "forest" / "1" / "arrays.npz"
    copy.parent.chmod(0o755)
    copy.chmod(0o644)
    copy.write_bytes(b"9")  # a version that was loaded, and never taken: another registry, the same number
    one.restart()
    assert specs(one) == []
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    (found,) = one.watch.watching.models.installed
    assert found.bundle is one.bundles[b"1"]


def test_an_alarm_of_a_model_ends_though_it_was_mended_while_nobody_looked(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    one.put("forest", b"2", ValueError("broken"))
    one.look()
    alarms, _ = step(Alarms(), one.evidence)
    assert [alarm.life for alarm in alarms.open] == [Life.UNACKNOWLEDGED]
    one.evidence.clear()
    one.desk = replace(one.desk, alarms=alarms)
    one.registry.rollback("forest", one.note("the second is broken"))
    one.restart()
    one.look()
    one.look()
    alarms, _ = step(alarms, one.evidence)
    assert [alarm.life for alarm in alarms.open] == [Life.RETURNED]


def test_a_model_that_fails_each_time_in_other_words_is_told_once(one: House) -> None:
    count = itertools.count()

    def broken(_: Any) -> list[float]:
        raise FloatingPointError(f"a strange number: {next(count)}")

    one.put("forest", b"1", FakeBundle(places=(PLACE,), score_of=broken))
    one.look()
    for k in range(FIRST, FIRST + 4):
        one.commit(k)
        one.turn()
    assert len(one.evidence) == 1
    assert len([event for event in one.events if event.state == "refused"]) == 1


def test_a_shadow_that_can_not_be_loaded_holds_up_neither_a_promotion_nor_a_rollback(one: House) -> None:
    one.put("forest", b"1", detector())
    one.look()
    shadow = one.put("forest", b"2", ValueError("broken"), promote=False)
    one.registry.shadow("forest", shadow, one.note("to be compared"))
    one.look()
    assert (specs(one), [e.causes[0].feature for e in one.evidence]) == ([("forest:1", "in force")], [
        "model_refused"
    ])  # fmt: skip
    one.put("forest", b"3", detector())
    one.look()
    one.look()
    assert specs(one) == [("forest:3", "in force")]
    one.registry.rollback("forest", one.note("it called twice for nothing"))
    one.look()
    one.look()
    assert specs(one) == [("forest:1", "in force")]
    assert one.loader.troubles()["forest"].version == shadow
    assert len([event for event in one.events if event.state == "in force"]) == 3


class Slow(Exception):
    """As models.bundle refuses, in other words each time."""

    key = "slow"


def test_a_model_that_is_too_slow_each_minute_anew_is_told_once(one: House) -> None:
    count = itertools.count(1)

    def load(_spec: str, _files: Any) -> Any:
        raise Slow(f"the model takes {next(count)} s")

    one.put("forest", b"1", detector())
    one.loader._load = load
    for _ in range(4):
        one.look()
        one.clock_s += 60
    assert next(count) == 5  # it was tried each minute: the machine may have been busy
    assert len(one.evidence) == 1
    assert len(one.events) == 1


def test_an_infinite_score_is_none_and_is_told(one: House) -> None:
    one.put("forest", b"1", FakeBundle(places=(PLACE,), score_of=lambda h: [np.inf] * len(h)))
    one.look()
    for k in range(FIRST, FIRST + 4):
        assert "model_score" not in {rows.measurement for rows in one.commit(k).rows}
        one.turn()
    assert one.watch.watching.models.held == {}
    assert [e.causes[0].feature for e in one.evidence] == ["model_fails"]


def test_a_journal_can_not_lead_the_ingest_out_of_its_folder(one: House, tmp_path: Path) -> None:
    one.put("forest", b"1", detector())
    one.look()
    precious = tmp_path / "waveforms"
    precious.mkdir()
    (precious / "0001.seg").write_bytes(b"a year of it")
    journal = one.registry.path / "forest" / JOURNAL
    out = "../../waveforms"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line["version"] = out
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    one.look()
    assert (precious / "0001.seg").read_bytes() == b"a year of it"
    assert specs(one) == [("forest:1", "in force")]
    assert [e.causes[0].feature for e in one.evidence] == ["model_damaged"]
